//! A segment on NVMe: a header, and frames as they come.

use tierlog::fuzz::{Segment, seal_block, segment};

use crate::golden;
use crate::input::{Input, put_piece};

const BLOCK_BYTES: usize = 4096;
/// A segment of an input is no longer.
const SEGMENT_BYTES_MAX: usize = 64 << 10;
/// A frame stands elsewhere than it says.
const STALE: u8 = 1;
/// Its checksum is not made right.
const TORN: u8 = 2;
/// Behind it, the rest of the block is left out.
const GAP: u8 = 4;

/// A header's fields, then frames: flags, a piece.
pub fn run(data: &[u8]) -> bool {
    let mut input = Input(data);
    let mut bytes = golden::segment_header();
    for (field, change) in bytes[24..].iter_mut().zip(input.piece()) {
        *field ^= change;
    }
    seal_block(&mut bytes);
    let header = Segment::read(&bytes);
    bytes.resize(BLOCK_BYTES, 0);
    let mut lsn = header.map_or(0, |header| header.first());
    while !input.is_empty() && bytes.len() < SEGMENT_BYTES_MAX {
        let (flags, mut frame) = (input.u8(), input.piece().to_vec());
        frame.resize(frame.len().next_multiple_of(64), 0);
        let place = if flags & STALE == 0 { lsn } else { lsn + 64 };
        let sealed = header.filter(|_| flags & TORN == 0);
        let extent = sealed.and_then(|header| header.seal_frame(place, &mut frame));
        bytes.append(&mut frame);
        lsn = lsn.saturating_add(extent.map_or(0, |extent| extent.lsns));
        if flags & GAP != 0 {
            bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        }
    }
    segment(bytes).is_some_and(|frames| frames > 0)
}

/// All kinds of frames in one, and a segment with a hole.
pub fn seeds() -> Vec<Vec<u8>> {
    [[0; 8], [0, 0, 0, TORN, 0, 0, GAP, 0]]
        .iter()
        .map(|flags| {
            let mut seed = Vec::new();
            put_piece(&mut seed, &[]);
            for (frame, flags) in golden::frames().iter().zip(flags) {
                seed.push(*flags);
                put_piece(&mut seed, frame);
            }
            seed
        })
        .collect()
}
