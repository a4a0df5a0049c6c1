//! What an object of the sequence holds: a claim, or runs of frames.
//!
//! Both carry the log, the owner (epoch, incarnation) and a tag drawn for this very object, so that a lost answer can be
//! settled by reading back.

use crate::config::Geometry;
use crate::format::{EpochRange, Reader, Unreadable, Writer, seal_block, unseal_block};
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

const MAGIC: [u8; 8] = *b"TIEROBJ1";
const CLAIM: u32 = 1;
const RUNS: u32 = 2;
const RUN_HEAD_BYTES: usize = 56;

/// Who wrote an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
}

/// An open's word that it owns the sequence from here on, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) geometry: Geometry,
    /// What counts of every epoch before this one.
    pub(crate) ranges: Vec<EpochRange>,
    /// Per lane, how far the sequence had it already.
    pub(crate) archived: Vec<Lsn>,
}

/// Frames of one lane and epoch, verbatim, whole groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) lane: Lane,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) first: Lsn,
    pub(crate) end: Lsn,
    /// The newest stamp in it.
    pub(crate) gsn: Gsn,
    pub(crate) frames: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Claim(Claim),
    /// A cut closed under order.
    Runs(Vec<Run>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) author: Author,
    pub(crate) number: u64,
    pub(crate) tag: [u8; 16],
    pub(crate) body: Body,
}

impl Object {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let kind = if matches!(self.body, Body::Claim(_)) { CLAIM } else { RUNS };
        out.bytes(&self.author.log.0).u32(self.author.epoch.0).u32(kind);
        out.u64(self.author.incarnation.0).u64(self.number).bytes(&self.tag);
        match &self.body {
            Body::Claim(claim) => claim.put(&mut out),
            Body::Runs(runs) => {
                out.u32(runs.len() as u32).u32(0);
                runs.iter().for_each(|run| run.put(&mut out));
            }
        }
        seal_block(MAGIC, &out.0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::take(&mut Reader(unseal_block(MAGIC, bytes)?)).ok_or(Unreadable::Damaged)
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (log, epoch, kind) = (LogId(from.id()?), Epoch(from.u32()?), from.u32()?);
        let (incarnation, number, tag) = (Incarnation(from.u64()?), from.u64()?, from.id()?);
        let body = match kind {
            CLAIM => Body::Claim(Claim::take(from)?),
            RUNS => {
                let (count, _) = (from.u32()?, from.u32()?);
                Body::Runs(from.many(count, RUN_HEAD_BYTES, Run::take)?)
            }
            _ => return None,
        };
        Some(Object { author: Author { log, epoch, incarnation }, number, tag, body })
    }
}

impl Claim {
    fn put(&self, out: &mut Writer) {
        let geometry = &self.geometry;
        out.u32(geometry.tails).u32(geometry.lanes).u64(geometry.segment_bytes);
        out.u32(geometry.segments).u32(0).u64(geometry.nvme_segment_bytes);
        out.u32(self.ranges.len() as u32).u32(self.archived.len() as u32);
        self.ranges.iter().for_each(|range| range.put(out));
        self.archived.iter().for_each(|lsn| {
            out.u64(lsn.0);
        });
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (tails, lanes, segment_bytes) = (from.u32()?, from.u32()?, from.u64()?);
        let (segments, _, nvme_segment_bytes) = (from.u32()?, from.u32()?, from.u64()?);
        let geometry = Geometry { tails, lanes, segment_bytes, segments, nvme_segment_bytes };
        geometry.check().ok()?;
        let (ranges, archived) = (from.u32()?, from.u32()?);
        let ranges = from.many(ranges, 32, EpochRange::take)?;
        let archived = from.many(archived, 8, Reader::lsn)?;
        Some(Claim { geometry, ranges, archived })
    }
}

impl Run {
    fn put(&self, out: &mut Writer) {
        out.u32(self.lane.0).u32(self.epoch.0).u64(self.incarnation.0);
        out.u64(self.first.0).u64(self.end.0).u64(self.gsn.0);
        out.u64(self.frames.len() as u64).bytes(&self.frames);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (lane, epoch, incarnation) = (Lane(from.u32()?), Epoch(from.u32()?), Incarnation(from.u64()?));
        let (first, end, gsn) = (from.lsn()?, from.lsn()?, Gsn(from.u64()?));
        let len = usize::try_from(from.u64()?).ok()?;
        Some(Run { lane, epoch, incarnation, first, end, gsn, frames: from.bytes(len)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(body: Body) -> Object {
        let author = Author { log: LogId([3; 16]), epoch: Epoch(2), incarnation: Incarnation(9) };
        Object { author, number: 7, tag: [1; 16], body }
    }

    fn samples() -> Vec<Object> {
        let geometry =
            Geometry { tails: 1, lanes: 2, segment_bytes: 1 << 20, segments: 4, nvme_segment_bytes: 4 << 20 };
        let (lane, epoch, incarnation) = (Lane(1), Epoch(1), Incarnation(4));
        let range = EpochRange { lane, epoch, incarnation, first: Lsn(0), end: Lsn(128) };
        let run =
            Run { lane, epoch, incarnation, first: Lsn(0), end: Lsn(128), gsn: Gsn(5), frames: vec![8; 128] };
        vec![
            object(Body::Claim(Claim { geometry, ranges: vec![range], archived: vec![Lsn(0), Lsn(128)] })),
            object(Body::Runs(vec![run.clone(), run])),
        ]
    }

    #[test]
    fn objects_round_trip() {
        for sample in samples() {
            assert_eq!(Object::decode(&sample.encode()), Ok(sample));
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        for bytes in samples().iter().map(Object::encode) {
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x41;
                assert!(Object::decode(&flipped).is_err(), "byte {at} flipped");
                assert!(Object::decode(&bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }
}
