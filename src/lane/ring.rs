//! The writer's place in its ring of segments.
//!
//! Owns: which slot is open and where the next frame goes. Invariants: a frame never crosses a slot's end, the rest is a
//! filler; a slot is taken only when its word on the board is 0, which only the drainer makes it, after everything in it
//! was proved on NVMe.

use tierlog_tiers::tail::TailLane;

use crate::board::Board;
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::frame::{HEADER_BYTES, Header, HeaderWords, Kind, Seal};
use crate::geometry::Geometry;
use crate::number::{Gsn, Lane, Lsn};

/// The memory of a ring and the place in it.
#[derive(Debug)]
pub(crate) struct Ring<M> {
    pub(crate) memory: M,
    lane: Lane,
    /// Offset of the next frame.
    pub(crate) at: usize,
    /// End of the open slot; equal to `at` only while none is open.
    slot_end: usize,
    pub(crate) lsn: Lsn,
    /// Header of the open slot, template of the next.
    header: SegmentHeader,
    segment_bytes: usize,
    /// Slot after the open one: rings are used in turn.
    next_slot: usize,
}

impl<M: TailLane> Ring<M> {
    /// A ring in which this open has not written yet; `header` says who writes and from which LSN.
    pub(crate) fn new(memory: M, geometry: &Geometry, header: SegmentHeader) -> Self {
        Ring {
            memory,
            lane: header.lane,
            at: 0,
            slot_end: 0,
            lsn: header.first,
            header,
            segment_bytes: geometry.segment_bytes as usize,
            next_slot: 0,
        }
    }

    /// Whether the open slot takes `bytes` more.
    #[inline]
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.slot_end - self.at >= bytes
    }

    /// The slot to open next, if the drainer has given one back.
    pub(crate) fn free_slot(&self, board: &Board) -> Option<usize> {
        let slots = board.slots();
        let in_turn = (0..slots).map(|i| (self.next_slot + i) % slots);
        in_turn.into_iter().find(|slot| board.is_free(self.lane, *slot))
    }

    /// Opens a free slot; the rest of the old one becomes a filler. Nothing is fenced here: the header and the filler go
    /// with the next commit's fence.
    pub(crate) fn advance(&mut self, board: &Board, slot: usize, seal: &Seal, gsn: Gsn) {
        self.fill(seal);
        let base = slot * self.segment_bytes;
        self.header.first = self.lsn;
        self.header.sequence += 1;
        self.header.gsn_before = gsn;
        self.memory.store(base, &self.header.encode());
        self.memory.flush(base, SEGMENT_HEADER_BYTES);
        self.at = base + SEGMENT_HEADER_BYTES;
        self.slot_end = base + self.segment_bytes;
        self.next_slot = (slot + 1) % board.slots();
        board.take_slot(self.lane, slot, self.lsn);
    }

    fn fill(&mut self, seal: &Seal) {
        let rest = self.slot_end - self.at;
        if rest == 0 {
            return;
        }
        let mut header = Header {
            len: (rest - HEADER_BYTES) as u32,
            crc: 0,
            lsn: self.lsn,
            gsn: Gsn(0),
            kind: Kind::Filler,
            flags: 0,
            epoch: seal.epoch,
            stream: 0,
        };
        header.crc = seal.over_header(header.lsn, header.len).finish(header.tail_word(), header.gsn);
        let at = self.at;
        self.put(at, header.words());
        self.memory.flush(at, HEADER_BYTES);
        self.pass(rest);
    }

    /// Stores a header, the word that validates the frame last.
    #[inline]
    pub(crate) fn put(&mut self, at: usize, [validating, rest @ ..]: HeaderWords) {
        for (at, word) in (at + 8..).step_by(8).zip(rest) {
            self.memory.store_word(at, word);
        }
        self.memory.store_word(at, validating);
    }

    /// Moves behind a frame.
    #[inline]
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.lsn = Lsn(self.lsn.0 + bytes as u64);
    }
}

/// `bytes` as words, with zeros behind. Each word by itself: an array that is cleared, filled and loaded again has been
/// stored in other pieces than it is loaded in, and waits for the fence before (docs/decisions/0009).
#[inline(always)]
pub(super) fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (whole, rest) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| match whole.get(at) {
        Some(word) => u64::from_le_bytes(*word),
        None if at == whole.len() => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        None => 0,
    })
}
