//! Where a run is put together: whole blocks, and behind them what waits for the rest of its block.
//!
//! Invariant: `zeros` are zero. Small commits one after the other end in pads in the same place, whose bodies are written
//! once.

use std::ops::Range;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block};

use crate::frame::{HEADER_BYTES, Seal, pad_header};
use crate::number::Lsn;

#[derive(Debug)]
pub(super) struct RunBuffer {
    block: Block,
    filled: usize,
    zeros: Range<usize>,
}

impl RunBuffer {
    /// `bytes` is a multiple of a block's.
    pub(super) fn new(bytes: usize) -> Self {
        RunBuffer { block: Block::zeroed(bytes), filled: 0, zeros: 0..bytes }
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Bytes that it still takes.
    pub(super) fn room(&self) -> usize {
        self.block.len() - self.filled
    }

    /// Bytes in whole blocks.
    pub(super) fn whole(&self) -> usize {
        self.filled - self.filled % BLOCK_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// The next `len` bytes, which hold anything; they are in once [`advance`](RunBuffer::advance) says so.
    pub(super) fn next(&mut self, len: usize) -> &mut [u8] {
        let end = self.filled + len;
        self.zeros.start = self.zeros.start.max(end);
        &mut self.block[self.filled..end]
    }

    pub(super) fn advance(&mut self, len: usize) {
        self.filled += len;
    }

    /// Fills the last block with a pad; `behind` is the LSN of the frame behind it.
    pub(super) fn pad(&mut self, seal: &Seal, behind: Lsn) {
        let end = self.filled.next_multiple_of(BLOCK_BYTES);
        if end == self.filled {
            return;
        }
        let header = pad_header(seal, behind, end - self.filled);
        let body = self.filled + HEADER_BYTES..end;
        self.block[self.filled..body.start].copy_from_slice(&header);
        let known = self.zeros.start.clamp(body.start, end)..self.zeros.end.clamp(body.start, end);
        self.block[body.start..known.start].fill(0);
        self.block[known.end..end].fill(0);
        self.zeros = body;
        self.filled = end;
    }

    /// Shows the whole blocks, of which there is one at least.
    pub(super) fn with_whole<R>(&mut self, show: impl FnOnce(&Block) -> R) -> R {
        let bytes = self.block.len();
        self.block.resize(self.whole());
        let shown = show(&self.block);
        self.block.resize(bytes);
        shown
    }

    /// The whole blocks are written: what is behind them comes first now.
    pub(super) fn drop_whole(&mut self) {
        let whole = self.whole();
        self.block.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        self.zeros.start = self.zeros.start.max(self.filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{Epoch, Incarnation, Lane, LogId};

    /// Bytes of frames; the second is written whole blocks first, as a drainer does.
    const RUNS: [usize; 9] = [0, 64, 128, 3_968, 4_032, 4_096, 4_160, 8_064, 8_256];

    fn fill(buffer: &mut RunBuffer, bytes: usize) {
        buffer.next(bytes).fill(0xff);
        buffer.advance(bytes);
    }

    /// All that three runs in a row can leave behind.
    #[test]
    fn a_pads_body_is_zeros_whatever_lay_there() {
        let seal = Seal::new(LogId([7; 16]), Lane(0), Epoch(1), Incarnation(1));
        for [first, drained, last] in
            RUNS.iter().flat_map(|a| RUNS.iter().flat_map(move |b| RUNS.map(|c| [*a, *b, c])))
        {
            let mut buffer = RunBuffer::new(4 * BLOCK_BYTES);
            for (run, bytes) in [first, drained, last].into_iter().enumerate() {
                fill(&mut buffer, bytes);
                if run == 1 && buffer.whole() > 0 {
                    buffer.drop_whole();
                }
                let frames = buffer.filled();
                buffer.pad(&seal, Lsn(64));
                if buffer.whole() == 0 {
                    continue;
                }
                let (data, rest) = buffer.with_whole(|blocks| {
                    let (data, rest) = blocks.split_at(frames);
                    (data.to_vec(), rest.to_vec())
                });
                assert!(data.iter().all(|byte| *byte == 0xff), "{first} {drained} {last}");
                if let Some((header, body)) = rest.split_at_checked(HEADER_BYTES) {
                    assert_eq!(header, pad_header(&seal, Lsn(64), rest.len()));
                    assert!(body.iter().all(|byte| *byte == 0), "{first} {drained} {last}, run {run}");
                }
                buffer.drop_whole();
            }
        }
    }
}
