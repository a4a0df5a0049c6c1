//! The header of a segment, in both local tiers: which open of which log wrote what follows, and from where.

use super::Unreadable;
use super::bytes::{BLOCK_HEAD_BYTES, Reader, seal_in_place, unseal_block};
use crate::frame::Seal;
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

/// Bytes that the header takes at the start of a tail segment (on NVMe it takes a block).
pub(crate) const SEGMENT_HEADER_BYTES: usize = 128;
const MAGIC: [u8; 8] = *b"TIERSEG1";

/// A segment belongs to one epoch of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log: LogId,
    pub(crate) lane: Lane,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    /// Counts the segments of a lane in a tier; the order of two with the same first LSN.
    pub(crate) sequence: u64,
    pub(crate) first: Lsn,
    /// The lane's newest stamp before this segment.
    pub(crate) gsn_before: Gsn,
}

impl SegmentHeader {
    /// Allocates nothing: a writer opens its segments on the hot path.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = [0; SEGMENT_HEADER_BYTES];
        let body = &mut out[BLOCK_HEAD_BYTES..BLOCK_HEAD_BYTES + BODY_BYTES];
        body[..16].copy_from_slice(&self.log.0);
        body[16..20].copy_from_slice(&self.lane.0.to_le_bytes());
        body[20..24].copy_from_slice(&self.epoch.0.to_le_bytes());
        let words = [self.incarnation.0, self.sequence, self.first.0, self.gsn_before.0];
        for (word, at) in words.iter().zip((24..).step_by(8)) {
            body[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        seal_in_place(MAGIC, &mut out[..BLOCK_HEAD_BYTES + BODY_BYTES]);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut body = Reader(unseal_block(MAGIC, bytes)?);
        let mut fields = || {
            Some(SegmentHeader {
                log: LogId(body.id()?),
                lane: Lane(body.u32()?),
                epoch: Epoch(body.u32()?),
                incarnation: Incarnation(body.u64()?),
                sequence: body.counter()?,
                first: body.lsn()?,
                gsn_before: body.stamp()?,
            })
        };
        fields().ok_or(Unreadable::Damaged)
    }

    pub(crate) fn seal(&self) -> Seal {
        Seal::new(self.log, self.lane, self.epoch, self.incarnation)
    }
}

const BODY_BYTES: usize = 16 + 4 + 4 + 8 * 4;
const _: () = assert!(BLOCK_HEAD_BYTES + BODY_BYTES <= SEGMENT_HEADER_BYTES);
