//! What an object of the sequence holds: a claim, or a cut of the log.
//!
//! Both carry the log, the owner (epoch, incarnation), a tag drawn for this very object, so that a lost answer can be
//! settled by reading back, and where each lane stands behind it: so a lane's LSN, a stamp or a time is found among
//! numbers by bisection. The head is small; what a cut carries stands behind it, or in data objects that it names.

use std::ops::Range;

use tierlog_tiers::object::DataName;

use super::codec::Compression;
use crate::format::{EpochRange, Reader, Unreadable, Writer, seal_block_of, unseal_block_of};
use crate::frame::Seal;
use crate::geometry::Geometry;
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

const MAGIC: [u8; 8] = *b"TIEROBJ1";
/// Version 1 had no index, no compression and no data objects; it is refused.
pub(crate) const OBJECT_VERSION: u32 = 2;
const CLAIM: u32 = 1;
const CUT: u32 = 2;
const RUN_BYTES: usize = 48;
const CHUNK_BYTES: usize = 32;
const MARK_BYTES_MIN: usize = 28;
pub(crate) const MARK_NAME_BYTES_MAX: usize = 255;

/// The largest head: what a hostile object can make us read before it is verified.
pub(crate) const HEAD_BYTES_MAX: usize = 16 << 20;
/// The most that a chunk unpacks to: the largest object that can be configured, and a record.
pub(crate) const CHUNK_RAW_BYTES_MAX: u64 = (128 << 20) + (17 << 20);

/// Who wrote an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
}

/// An open's word that it owns the sequence from here on. What earlier objects hold beyond its `ends` is void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) geometry: Geometry,
    /// What counts of every epoch before this one.
    pub(crate) ranges: Vec<EpochRange>,
}

/// Frames of one lane and epoch, verbatim, whole groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) lane: Lane,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) first: Lsn,
    pub(crate) end: Lsn,
    /// The newest stamp in it.
    pub(crate) gsn: Gsn,
    /// Of its frames.
    pub(crate) bytes: u64,
}

/// A piece of the runs' frames, which are one behind the other: packed by itself, begins with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) compression: Compression,
    /// Behind the head; otherwise a data object by the author, the number and the chunk's index.
    pub(crate) inline: bool,
    /// Over the stored bytes.
    pub(crate) crc: u32,
    pub(crate) stored_bytes: u32,
    pub(crate) raw_bytes: u32,
    /// Of its first frame.
    pub(crate) lsn: Lsn,
}

/// A part of a run, in one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) bytes: Range<usize>,
    pub(crate) first: Lsn,
    pub(crate) end: Lsn,
}

/// A name that the user wrote into the log, and the stamp of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArchivedMark {
    pub(crate) lane: Lane,
    pub(crate) lsn: Lsn,
    pub(crate) gsn: Gsn,
    pub(crate) name: String,
}

/// What a chunk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Which chunk of the cut.
    pub(crate) index: usize,
    /// Where it stands behind the head, if it stands there.
    pub(crate) inline_at: usize,
    /// By run, as a place among its bytes, and the LSNs there.
    pub(crate) parts: Vec<(usize, Part)>,
}

/// Everything, over all lanes, between two stamps: closed under order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) runs: Vec<Run>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) marks: Vec<ArchivedMark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Claim(Claim),
    Cut(Cut),
}

/// The head of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) author: Author,
    pub(crate) number: u64,
    pub(crate) tag: [u8; 16],
    /// The newest claim before this object, 0 for none.
    pub(crate) claim: u64,
    /// Every group stamped at or below is in this object or an earlier one.
    pub(crate) gsn: Gsn,
    /// Per lane, where it stands behind this object.
    pub(crate) ends: Vec<Lsn>,
    pub(crate) body: Body,
}

impl Object {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let kind = if matches!(self.body, Body::Claim(_)) { CLAIM } else { CUT };
        out.bytes(&self.author.log.0).u32(self.author.epoch.0).u32(kind);
        out.u64(self.author.incarnation.0).u64(self.number).bytes(&self.tag);
        out.u64(self.claim).u64(self.gsn.0).u32(self.ends.len() as u32).u32(0);
        self.ends.iter().for_each(|lsn| {
            out.u64(lsn.0);
        });
        match &self.body {
            Body::Claim(claim) => claim.put(&mut out),
            Body::Cut(cut) => cut.put(&mut out),
        }
        seal_block_of(MAGIC, OBJECT_VERSION, &out.0)
    }

    /// Reads the head at the start of `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let body = unseal_block_of(MAGIC, OBJECT_VERSION, bytes)?;
        Self::take(&mut Reader(body)).ok_or(Unreadable::Damaged)
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (log, epoch, kind) = (LogId(from.id()?), from.epoch()?, from.u32()?);
        let (incarnation, number, tag) = (Incarnation(from.u64()?), from.counter()?, from.id()?);
        let (claim, gsn, lanes, _) = (from.counter()?, from.stamp()?, from.u32()?, from.u32()?);
        let ends = from.many(lanes, 8, Reader::lsn)?;
        let body = match kind {
            CLAIM => Body::Claim(Claim::take(from)?),
            CUT => Body::Cut(Cut::take(from)?),
            _ => return None,
        };
        let author = Author { log, epoch, incarnation };
        let object = Object { author, number, tag, claim, gsn, ends, body };
        (claim < number && object.agrees()).then_some(object)
    }

    /// Whether its parts are of as many lanes as it says where they stand.
    fn agrees(&self) -> bool {
        let lanes = self.ends.len() as u64;
        match &self.body {
            Body::Claim(claim) => u64::from(claim.geometry.lanes) == lanes,
            Body::Cut(cut) => {
                let marks = cut.marks.iter().map(|mark| mark.lane);
                cut.runs.iter().map(|run| run.lane).chain(marks).all(|lane| u64::from(lane.0) < lanes)
            }
        }
    }

    /// The claim in force behind this object.
    pub(crate) fn claim_after(&self) -> u64 {
        if let Body::Claim(_) = self.body { self.number } else { self.claim }
    }

    /// Where a lane stands behind this object.
    pub(crate) fn end(&self, lane: Lane) -> Lsn {
        self.ends.get(lane.0 as usize).copied().unwrap_or_default()
    }

    /// What chunk `index` is called, if it is a data object.
    pub(crate) fn data_name(&self, index: usize) -> DataName {
        self.author.data_name(self.number, index)
    }
}

impl Author {
    pub(crate) fn data_name(&self, number: u64, index: usize) -> DataName {
        DataName { epoch: self.epoch.0, incarnation: self.incarnation.0, number, index: index as u32 }
    }
}

impl Claim {
    fn put(&self, out: &mut Writer) {
        let geometry = &self.geometry;
        out.u32(geometry.tails).u32(geometry.lanes).u64(geometry.segment_bytes);
        out.u32(geometry.segments).u32(0).u64(geometry.nvme_segment_bytes);
        out.u32(self.ranges.len() as u32).u32(0);
        self.ranges.iter().for_each(|range| range.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (tails, lanes, segment_bytes) = (from.u32()?, from.u32()?, from.u64()?);
        let (segments, _, nvme_segment_bytes) = (from.u32()?, from.u32()?, from.u64()?);
        let geometry = Geometry { tails, lanes, segment_bytes, segments, nvme_segment_bytes };
        geometry.check().ok()?;
        let (ranges, _) = (from.u32()?, from.u32()?);
        let ranges = from.many(ranges, 32, EpochRange::take)?;
        EpochRange::are_of(&ranges, lanes).then_some(Claim { geometry, ranges })
    }
}

impl Cut {
    fn put(&self, out: &mut Writer) {
        out.u32(self.runs.len() as u32).u32(self.chunks.len() as u32).u32(self.marks.len() as u32).u32(0);
        self.runs.iter().for_each(|run| run.put(out));
        self.chunks.iter().for_each(|chunk| chunk.put(out));
        for mark in &self.marks {
            out.u32(mark.lane.0)
                .u32(0)
                .u64(mark.lsn.0)
                .u64(mark.gsn.0)
                .u32(mark.name.len() as u32)
                .bytes(mark.name.as_bytes());
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (runs, chunks, marks, _) = (from.u32()?, from.u32()?, from.u32()?, from.u32()?);
        let cut = Cut {
            runs: from.many(runs, RUN_BYTES, Run::take)?,
            chunks: from.many(chunks, CHUNK_BYTES, Chunk::take)?,
            marks: from.many(marks, MARK_BYTES_MIN, ArchivedMark::take)?,
        };
        let runs = cut.runs.iter().try_fold(0_u64, |sum, run| sum.checked_add(run.bytes))?;
        let chunks: u64 = cut.chunks.iter().map(|chunk| u64::from(chunk.raw_bytes)).sum();
        (runs == chunks).then_some(cut)
    }

    /// What each chunk holds, in order; all of it costs one pass over chunks and runs.
    pub(crate) fn contents(&self) -> impl Iterator<Item = Contents> {
        let (mut start, mut inline_at) = (0, 0);
        // The first run that goes beyond what was passed, and where it begins.
        let (mut run, mut from) = (0, 0);
        self.chunks.iter().enumerate().map(move |(index, chunk)| {
            let end = start + u64::from(chunk.raw_bytes);
            let next = self.chunks.get(index + 1).map_or(Lsn(u64::MAX), |chunk| chunk.lsn);
            let mut contents = Contents { index, inline_at, parts: Vec::new() };
            while let Some(found) = self.runs.get(run).filter(|_| from < end) {
                let upto = from + found.bytes;
                if upto > start {
                    let bytes = (from.max(start) - start) as usize..(upto.min(end) - start) as usize;
                    let first = if from >= start { found.first } else { chunk.lsn };
                    let part = Part { bytes, first, end: if upto <= end { found.end } else { next } };
                    contents.parts.push((run, part));
                }
                if upto > end {
                    break;
                }
                (run, from) = (run + 1, upto);
            }
            inline_at += if chunk.inline { chunk.stored_bytes as usize } else { 0 };
            start = end;
            contents
        })
    }
}

impl Run {
    fn put(&self, out: &mut Writer) {
        out.u32(self.lane.0).u32(self.epoch.0).u64(self.incarnation.0);
        out.u64(self.first.0).u64(self.end.0).u64(self.gsn.0).u64(self.bytes);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (lane, epoch, incarnation) = (Lane(from.u32()?), Epoch(from.u32()?), Incarnation(from.u64()?));
        let (first, end, gsn, bytes) = (from.lsn()?, from.lsn()?, from.stamp()?, from.u64()?);
        (first < end).then_some(Run { lane, epoch, incarnation, first, end, gsn, bytes })
    }

    pub(crate) fn seal(&self, log: LogId) -> Seal {
        Seal::new(log, self.lane, self.epoch, self.incarnation)
    }

    pub(crate) fn range(&self) -> EpochRange {
        let Run { lane, epoch, incarnation, first, end, .. } = *self;
        EpochRange { lane, epoch, incarnation, first, end }
    }
}

impl Chunk {
    fn put(&self, out: &mut Writer) {
        out.u32(self.compression.code()).u32(u32::from(self.inline)).u32(self.crc);
        out.u32(self.stored_bytes).u32(self.raw_bytes).u32(0).u64(self.lsn.0);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (compression, inline) = (Compression::of_code(from.u32()?)?, from.u32()? != 0);
        let (crc, stored_bytes, raw_bytes, _) = (from.u32()?, from.u32()?, from.u32()?, from.u32()?);
        let lsn = from.lsn()?;
        let sane = raw_bytes > 0 && u64::from(stored_bytes.max(raw_bytes)) <= CHUNK_RAW_BYTES_MAX;
        sane.then_some(Chunk { compression, inline, crc, stored_bytes, raw_bytes, lsn })
    }
}

impl ArchivedMark {
    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (lane, _, lsn) = (Lane(from.u32()?), from.u32()?, from.lsn()?);
        let (gsn, len) = (from.stamp()?, from.u32()? as usize);
        let name = from.bytes(len).filter(|_| len <= MARK_NAME_BYTES_MAX)?;
        Some(ArchivedMark { lane, lsn, gsn, name: String::from_utf8(name.to_vec()).ok()? })
    }
}
