//! The open record: what an open decided, in the superblock of every local tier before anything is yielded.

use tierlog_tiers::tail::Shutdowns;

use super::bytes::{Reader, Writer, seal_block_of, unseal_block_of};
use super::{Unreadable, ends};
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

/// Bytes of a slot; a tier keeps two, written in turn.
pub(crate) const OPEN_RECORD_BYTES: usize = 512 << 10;
const MAGIC: [u8; 8] = *b"TIEROPN1";
/// What is written: ends are packed. The version before it is read.
pub(crate) const OPEN_RECORD_VERSION: u32 = 2;
const FIRST_VERSION: u32 = 1;
/// Of what was added behind the ranges.
const SHUTDOWNS_VERSION: u32 = 1;
const OPEN_BYTES: usize = 16;
/// The first version's ranges, one by one.
const RANGE_BYTES: usize = 32;
const CLOSED: u32 = 1;
const VOIDS: u32 = 2;
const SUPERSEDED: u32 = 4;

/// What counts of one epoch in one lane: frames in `first..end`, all of which must be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochRange {
    pub(crate) lane: Lane,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) first: Lsn,
    pub(crate) end: Lsn,
}

/// One tail of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TailRecord {
    /// Drawn when the tail was made; kept at both ends.
    pub(crate) id: [u8; 16],
    /// `TailMedium` as a number: fsdax 1, page 2, file 3, emulated 4, devdax 5.
    pub(crate) medium: u32,
    /// What was made durable at a time, in bytes: 1 with eADR, a cache line, a page; 0 nothing.
    pub(crate) granularity_bytes: u32,
    /// What its DIMMs counted then; the first programs' records have none.
    pub(crate) shutdowns: Option<Shutdowns>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenRecord {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    /// Counts the records written: the slot is its parity, and the highest of all tiers counts.
    pub(crate) turn: u64,
    /// The kernel's boot id when it was written.
    pub(crate) boot: [u8; 16],
    /// When the superblock was made, and its inode: tells a copy.
    pub(crate) fingerprint: u64,
    /// Written at close: every lane's end is in `ranges`, and all is Power-durable on NVMe.
    pub(crate) closed: bool,
    /// Made by a restore to a point, and not claimed yet: what the archive holds beyond is to be void.
    pub(crate) voids: bool,
    /// Another owner took the archive over: nothing goes on from here unless it is told to.
    pub(crate) superseded: bool,
    pub(crate) lanes: u32,
    pub(crate) tail_segment_bytes: u64,
    pub(crate) tail_segments: u32,
    pub(crate) nvme_segment_bytes: u64,
    /// The newest stamp known.
    pub(crate) gsn: Gsn,
    /// Number of the newest claim in the archive, 0 for none.
    pub(crate) claim: u64,
    /// The opens since that claim was written, its author's first: their objects are ours.
    pub(crate) opens: Vec<(Epoch, Incarnation)>,
    /// The archive's address when it was written, empty for none: another one is not silently begun.
    pub(crate) archive: String,
    pub(crate) tails: Vec<TailRecord>,
    /// Per lane, where this epoch begins.
    pub(crate) starts: Vec<Lsn>,
    /// What counts of the epochs before, and of this one once it is closed.
    pub(crate) ranges: Vec<EpochRange>,
}

impl OpenRecord {
    /// Whether it would still fit with another `opens` ended epochs in it, however far each lane went in them.
    pub(crate) fn has_room_for(&self, opens: usize) -> bool {
        // The open itself is noted too until the archive knows of it.
        let more = opens * (ends::bytes_max(self.lanes) + OPEN_BYTES);
        self.block().len() + more <= OPEN_RECORD_BYTES
    }

    /// `None` when it does not fit a slot.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let block = self.block();
        (block.len() <= OPEN_RECORD_BYTES).then_some(block)
    }

    fn block(&self) -> Vec<u8> {
        let mut body = Writer::default();
        body.bytes(&self.log.0).u32(self.epoch.0).u32(self.flags()).u64(self.incarnation.0);
        body.u64(self.turn).bytes(&self.boot).u64(self.fingerprint).u32(self.lanes).u32(self.tail_segments);
        body.u64(self.tail_segment_bytes).u64(self.nvme_segment_bytes).u64(self.gsn.0).u64(self.claim);
        body.u32(self.archive.len() as u32)
            .u32(self.tails.len() as u32)
            .u32(ends::epochs(&self.ranges))
            .u32(self.opens.len() as u32);
        body.bytes(self.archive.as_bytes());
        for (epoch, incarnation) in &self.opens {
            body.u32(epoch.0).u32(0).u64(incarnation.0);
        }
        for tail in &self.tails {
            body.bytes(&tail.id).u32(tail.medium).u32(tail.granularity_bytes);
        }
        for lane in 0..self.lanes as usize {
            body.u64(self.starts.get(lane).map_or(0, |lsn| lsn.0));
        }
        ends::put(&self.ranges, self.lanes, &mut body);
        body.u32(SHUTDOWNS_VERSION).u32(0);
        for tail in &self.tails {
            let known = tail.shutdowns.unwrap_or(Shutdowns { dimms: 0, count: 0 });
            body.u32(u32::from(tail.shutdowns.is_some())).u32(0).u64(known.dimms).u64(known.count);
        }
        seal_block_of(MAGIC, OPEN_RECORD_VERSION, &body.0)
    }

    fn flags(&self) -> u32 {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        flag(self.closed, CLOSED) | flag(self.voids, VOIDS) | flag(self.superseded, SUPERSEDED)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (body, packed) = match unseal_block_of(MAGIC, OPEN_RECORD_VERSION, bytes) {
            Err(Unreadable::Version(FIRST_VERSION)) => (unseal_block_of(MAGIC, FIRST_VERSION, bytes)?, false),
            body => (body?, true),
        };
        Self::fields(&mut Reader(body), packed).ok_or(Unreadable::Damaged)
    }

    fn fields(body: &mut Reader<'_>, packed: bool) -> Option<Self> {
        let (log, epoch, flags) = (LogId(body.id()?), body.epoch()?, body.u32()?);
        let (incarnation, turn) = (Incarnation(body.u64()?), body.counter()?);
        let (boot, fingerprint) = (body.id()?, body.u64()?);
        let (lanes, tail_segments) = (body.u32()?, body.u32()?);
        let (tail_segment_bytes, nvme_segment_bytes) = (body.u64()?, body.u64()?);
        let (gsn, claim) = (body.stamp()?, body.counter()?);
        let (archive_len, tails, ranges, opens) = (body.u32()?, body.u32()?, body.u32()?, body.u32()?);
        let archive = String::from_utf8(body.bytes(archive_len as usize)?.to_vec()).ok()?;
        let opens = body.many(opens, OPEN_BYTES, |body| {
            let (epoch, _, incarnation) = (body.u32()?, body.u32()?, body.u64()?);
            Some((Epoch(epoch), Incarnation(incarnation)))
        })?;
        let mut tails = body.many(tails, 24, |body| {
            let (id, medium, granularity_bytes) = (body.id()?, body.u32()?, body.u32()?);
            Some(TailRecord { id, medium, granularity_bytes, shutdowns: None })
        })?;
        let starts = body.many(lanes, 8, Reader::lsn)?;
        let ranges = match packed {
            true => ends::take(ranges, lanes, body)?,
            false => body.many(ranges, RANGE_BYTES, EpochRange::take)?,
        };
        let closed = flags & CLOSED != 0;
        let ended = |range: &EpochRange| range.epoch < epoch || (closed && range.epoch == epoch);
        if !EpochRange::are_of(&ranges, lanes) || !ranges.iter().all(ended) {
            return None;
        }
        // Added later: absent in older records, and whatever else follows is of a later program.
        if body.u32() == Some(SHUTDOWNS_VERSION) {
            body.u32()?;
            for tail in &mut tails {
                let (known, _) = (body.u32()?, body.u32()?);
                let (dimms, count) = (body.u64()?, body.u64()?);
                tail.shutdowns = (known == 1).then_some(Shutdowns { dimms, count });
            }
        }
        Some(OpenRecord {
            log,
            epoch,
            incarnation,
            turn,
            boot,
            fingerprint,
            closed,
            voids: flags & VOIDS != 0,
            superseded: flags & SUPERSEDED != 0,
            lanes,
            tail_segment_bytes,
            tail_segments,
            nvme_segment_bytes,
            gsn,
            claim,
            opens,
            archive,
            tails,
            starts,
            ranges,
        })
    }
}

impl EpochRange {
    /// Whether they can be those of a log of `lanes`: of its lanes, none ending before it begins, one an open and lane.
    pub(crate) fn are_of(ranges: &[EpochRange], lanes: u32) -> bool {
        let mut keys: Vec<_> =
            ranges.iter().map(|range| (range.epoch, range.incarnation, range.lane)).collect();
        keys.sort_unstable();
        keys.windows(2).all(|two| two[0] != two[1])
            && ranges.iter().all(|range| range.lane.0 < lanes && range.first <= range.end)
    }

    /// Reads one entry, here and in archive claims.
    pub(crate) fn take(body: &mut Reader<'_>) -> Option<Self> {
        Some(EpochRange {
            lane: Lane(body.u32()?),
            epoch: Epoch(body.u32()?),
            incarnation: Incarnation(body.u64()?),
            first: body.lsn()?,
            end: body.lsn()?,
        })
    }

    /// Writes one entry.
    pub(crate) fn put(&self, body: &mut Writer) {
        body.u32(self.lane.0).u32(self.epoch.0).u64(self.incarnation.0).u64(self.first.0).u64(self.end.0);
    }
}
