//! The header of a segment, in both local tiers: which open of which log wrote what follows, and from where.

use super::Unreadable;
use super::bytes::{Reader, Writer, seal_block, unseal_block};
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
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut body = Writer::default();
        body.bytes(&self.log.0).u32(self.lane.0).u32(self.epoch.0).u64(self.incarnation.0);
        body.u64(self.sequence).u64(self.first.0).u64(self.gsn_before.0);
        let block = seal_block(MAGIC, &body.0);
        let mut out = [0; SEGMENT_HEADER_BYTES];
        out[..block.len()].copy_from_slice(&block);
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
                sequence: body.u64()?,
                first: body.lsn()?,
                gsn_before: Gsn(body.u64()?),
            })
        };
        fields().ok_or(Unreadable::Damaged)
    }

    pub(crate) fn seal(&self) -> Seal {
        Seal::new(self.log, self.lane, self.epoch, self.incarnation)
    }
}

const _: () = assert!(24 + 16 + 4 + 4 + 8 * 4 <= SEGMENT_HEADER_BYTES);
