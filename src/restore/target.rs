//! The log that is being made: segments of the NVMe tier, and at last the superblock.
//!
//! Invariants: without a superblock there is no log, and it is written when everything else is durable. What an
//! interrupted restore wrote is read back and verified before it counts, and what comes behind goes to fresh segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use tierlog_tiers::nvme::{FileName, Nvme, RunQueue};
use tierlog_tiers::page::Page;

use super::Restored;
use super::fetch::Piece;
use super::groups::{Groups, InGroups};
use super::plan::Plan;
use crate::archive::{Part, Run};
use crate::board::Board;
use crate::catalogue::{Catalogue, Entry, scan};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::{EpochRange, OpenRecord, TailRecord};
use crate::host::Host;
use crate::media::{Horizon, Media};
use crate::number::{Epoch, Lane, LogId, Lsn};
use crate::open::{self, SUPERBLOCK_BYTES, Superblock};
use crate::read::SegmentCursor;
use crate::runs::{Frames, LaneRuns, Marks, Pool, PoolLimits, RunFrames, Sink};

/// Written between two waits for the device.
const SETTLE_BYTES: u64 = 64 << 20;

/// Per lane, what an interrupted restore left: by epoch, without a gap.
#[derive(Debug, Default, Clone)]
pub(super) struct Kept {
    pub(super) lanes: BTreeMap<Lane, Vec<EpochRange>>,
    /// Of the last epoch.
    groups: BTreeMap<Lane, Groups>,
}

/// See the module.
pub(super) struct Target {
    nvme: Arc<dyn Nvme>,
    media: Media,
    marks: Marks,
    pool: Pool,
    queue: Box<dyn RunQueue>,
    unsettled: u64,
    kept: Kept,
    writers: BTreeMap<Lane, (EpochRange, LaneRuns, Groups)>,
    ranges: Vec<EpochRange>,
    pub(super) frame_bytes: u64,
    frame_bytes_kept: u64,
}

impl Target {
    pub(super) fn make<H: Host>(host: &Arc<H>, config: &Config, plan: &Plan) -> Result<Self> {
        let (log, geometry) = (plan.log, plan.geometry);
        for place in config.tail_places() {
            if !matches!(host.view_tail(config, &place), Ok(None)) {
                return Err(not_empty(&place.path));
            }
        }
        let path = config.nvme_path();
        let nvme = host.nvme(&Config { create: true, ..config.clone() })?;
        let (catalogue, free, files) = left_behind(&*nvme, &path, log, geometry.lanes)?;
        let (kept, frame_bytes_kept) = read_back(&*nvme, &catalogue, geometry.lanes)?;
        let marks = Marks::create(&*nvme, log, geometry.lanes)?;
        let page = Page::heap(Board::words(&geometry)).map_err(|error| open::map_error(config, error))?;
        let media = Media::new(
            log,
            geometry,
            Vec::new(),
            Board::owned(page, &geometry),
            nvme.clone(),
            path,
            catalogue,
            vec![Vec::new(); geometry.lanes as usize],
            (Epoch(0), plan.gsn),
            Horizon::Ended,
            host.clone(),
            false,
        );
        let pool = Pool::new(nvme.clone(), PoolLimits::plain(geometry.nvme_segment_bytes), &files, free);
        // Written once, from one end to the other: no zeros before that.
        pool.is_drained_to();
        let queue = nvme.queue().map_err(Error::io("a queue of runs"))?;
        let mut target = Target {
            nvme,
            media,
            marks,
            pool,
            queue,
            unsettled: 0,
            kept: Kept::default(),
            writers: BTreeMap::new(),
            ranges: Vec::new(),
            frame_bytes: 0,
            frame_bytes_kept,
        };
        for ranges in kept.lanes.values() {
            ranges.iter().try_for_each(|range| target.begin(*range, Groups::new(range.end)))?;
        }
        for (lane, (.., groups)) in &mut target.writers {
            *groups = kept.groups.get(lane).copied().unwrap_or(*groups);
        }
        target.kept = kept;
        Ok(target)
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept.clone()
    }

    /// Writes a piece behind what is there.
    pub(super) fn take(&mut self, piece: Piece) -> Result<()> {
        for (run, part) in piece.parts {
            let bytes = part.bytes.clone();
            self.write(&run, &part, &piece.frames[bytes]).map_err(|error| match error {
                Error::Corrupt { lane, lsn, what } => {
                    let what = format!("object {} of the archive: {what}", piece.number);
                    Error::Corrupt { lane, lsn, what }
                }
                error => error,
            })?;
        }
        Ok(())
    }

    fn write(&mut self, run: &Run, part: &Part, bytes: &[u8]) -> Result<()> {
        let lane = run.lane;
        let corrupt = |what: String| Error::Corrupt { lane, lsn: part.first, what };
        if lane.0 >= self.media.geometry.lanes {
            return Err(corrupt("an archived run of a lane that the log does not have".into()));
        }
        let of = (run.epoch, run.incarnation);
        let same = self.writers.get(&lane).is_some_and(|(range, ..)| (range.epoch, range.incarnation) == of);
        if !same {
            let range = EpochRange { end: part.first, first: part.first, ..run.range() };
            self.begin(range, Groups::new(range.first))?;
        }
        let Some((range, writer, groups)) = self.writers.get_mut(&lane) else { return Ok(()) };
        if range.end < part.first || range.end > part.end {
            return Err(corrupt(format!("the archive has a gap before this run: it ended at {}", range.end)));
        }
        let (seal, mut frames) = (run.seal(self.media.log), RunFrames::new(bytes));
        let mut at = part.first;
        // Written by the restore that was interrupted.
        while at < range.end {
            let (header, _) = frames.look(&seal, lane, at)?;
            at = Lsn(at.0 + header.frame_bytes() as u64);
        }
        let (mut frames, mut sink) = (InGroups { frames, groups }, Sink::Queue(&mut *self.queue));
        writer.write(&self.media, &self.pool, &mut frames, part.end, false, &mut sink)?;
        if self.media.is_unheard_of(run.epoch, writer.newest()) {
            return Err(corrupt("stamped later than the archive says that it goes".into()));
        }
        range.end = part.end;
        self.frame_bytes += bytes.len() as u64;
        self.unsettled += bytes.len() as u64;
        if self.unsettled >= SETTLE_BYTES { self.settle(false) } else { Ok(()) }
    }

    /// From here on the lane's frames are of `range`.
    fn begin(&mut self, range: EpochRange, groups: Groups) -> Result<()> {
        let sequence = self.media.catalogue().of_lane(range.lane).len() as u64;
        let writer = LaneRuns::new(&self.media, range, range.end, sequence);
        if let Some((before, mut ended, whole)) = self.writers.insert(range.lane, (range, writer, groups)) {
            if before.end != range.first {
                let what = format!("the archive has a gap before this run: it ended at {}", before.end);
                return Err(Error::Corrupt { lane: range.lane, lsn: range.first, what });
            }
            check_end(&before, &whole)?;
            let (mut none, mut sink) = (RunFrames::new(&[]), Sink::Queue(&mut *self.queue));
            ended.write(&self.media, &self.pool, &mut none, before.end, true, &mut sink)?;
            self.ranges.push(before);
        }
        Ok(())
    }

    /// Everything written so far is durable; with `whole`, the blocks that are not full are written too.
    fn settle(&mut self, whole: bool) -> Result<()> {
        if whole {
            for (range, writer, _) in self.writers.values_mut() {
                let (mut none, mut sink) = (RunFrames::new(&[]), Sink::Queue(&mut *self.queue));
                writer.write(&self.media, &self.pool, &mut none, range.end, true, &mut sink)?;
            }
        }
        self.unsettled = 0;
        self.queue.settle().map_err(Error::io("a run to the NVMe tier"))
    }

    /// The superblock comes last: without it there is no log.
    pub(super) fn finish(mut self, host: &impl Host, config: &Config, plan: &Plan) -> Result<Restored> {
        self.settle(true)?;
        for (range, _, groups) in self.writers.values() {
            // What an earlier restore wrote beyond is left out.
            if range.end == plan.ends[range.lane.0 as usize] {
                check_end(range, groups)?;
            }
            self.ranges.push(*range);
        }
        self.ranges.sort_by_key(|range| (range.lane, range.epoch));
        let ends = self.clip(plan)?;
        let path = self.media.nvme_path.display().to_string();
        let file =
            self.nvme.create(FileName::Superblock, SUPERBLOCK_BYTES).map_err(Error::io(path.clone()))?;
        let (geometry, author) = (plan.geometry, plan.author);
        let unmade = TailRecord { id: [0; 16], medium: 0, granularity_bytes: 0, shutdowns: None };
        let record = OpenRecord {
            log: plan.log,
            epoch: author.epoch,
            incarnation: author.incarnation,
            turn: 1,
            boot: host.boot_id()?,
            fingerprint: self.nvme.fingerprint().map_err(Error::io(path))?,
            closed: true,
            voids: plan.voids,
            superseded: false,
            lanes: geometry.lanes,
            tail_segment_bytes: geometry.segment_bytes,
            tail_segments: geometry.segments,
            nvme_segment_bytes: geometry.nvme_segment_bytes,
            gsn: plan.gsn,
            claim: plan.claim,
            opens: vec![(author.epoch, author.incarnation)],
            archive: config.archive.address.clone(),
            tails: vec![unmade; geometry.tails as usize],
            starts: ends.clone(),
            ranges: self.ranges,
        };
        Superblock { file }.write(&record)?;
        drop(self.marks);
        let (log, objects) = (record.log, plan.numbers.end - plan.numbers.start);
        let (frame_bytes, frame_bytes_kept) = (self.frame_bytes, self.frame_bytes_kept);
        Ok(Restored { log, objects, frame_bytes, frame_bytes_kept, ends })
    }

    /// Where each lane ends, which must be where the plan says; a lane that was left out is trimmed up to there.
    fn clip(&mut self, plan: &Plan) -> Result<Vec<Lsn>> {
        // An earlier restore may have gone further.
        self.ranges.iter_mut().for_each(|range| range.end = range.end.min(plan.ends[range.lane.0 as usize]));
        self.ranges.retain(|range| range.first < range.end && plan.wants(range.lane));
        for lane in self.media.lanes() {
            let (start, end) = (plan.starts[lane.0 as usize], plan.ends[lane.0 as usize]);
            if !plan.wants(lane) {
                self.marks.set(lane, |mark| mark.trimmed = end)?;
                continue;
            }
            let mut mine = self.ranges.iter().filter(|range| range.lane == lane);
            let reached = mine.clone().map(|range| range.end).max().unwrap_or(start);
            // It may be lower: an earlier restore began where the archive did then, or a claim took back what lay there.
            let first = mine.next().map_or(start, |range| range.first);
            if reached != end || first > start {
                let what = format!(
                    "the archive says that the lane goes from {start} to {end}, and its frames are from {first} to {reached}"
                );
                return Err(Error::Corrupt { lane, lsn: reached, what });
            }
            if first > Lsn(0) {
                self.marks.set(lane, |mark| mark.trimmed = first)?;
            }
        }
        Ok(plan.ends.clone())
    }
}

/// What a lane holds of an epoch ends with a group.
fn check_end(range: &EpochRange, groups: &Groups) -> Result<()> {
    if groups.end == range.end {
        return Ok(());
    }
    let what = format!("the archive ends inside a batch, at {}", range.end);
    Err(Error::Corrupt { lane: range.lane, lsn: groups.end, what })
}

fn not_empty(path: &std::path::Path) -> Error {
    Error::Config(format!("{}: not empty: restore into an empty directory", path.display()))
}

/// What lies in the directory: nothing, or an interrupted restore of this log. Its segments, files that hold nothing, and
/// all there are.
fn left_behind(
    nvme: &dyn Nvme,
    path: &std::path::Path,
    log: LogId,
    lanes: u32,
) -> Result<(Catalogue, Vec<u32>, Vec<FileName>)> {
    let failed = || Error::io(path.display().to_string());
    let files = nvme.files().map_err(failed())?;
    if files.contains(&FileName::Superblock) {
        let file = nvme.open(FileName::Superblock, true).map_err(failed())?;
        if !matches!(Superblock { file }.read(&path.join("superblock")), Ok(None)) {
            return Err(not_empty(path));
        }
    }
    let found = scan(nvme, path, log, lanes).map_err(|_| not_empty(path))?;
    for name in [FileName::Superblock, FileName::Watermarks].into_iter().filter(|name| files.contains(name)) {
        nvme.remove(name).map_err(failed())?;
    }
    for number in found.damaged {
        nvme.remove(FileName::Segment(number)).map_err(failed())?;
    }
    Ok((found.catalogue, found.free, files))
}

/// Verifies what an interrupted restore wrote; per lane up to the first frame that is not there.
fn read_back(nvme: &dyn Nvme, catalogue: &Catalogue, lanes: u32) -> Result<(Kept, u64)> {
    let (mut kept, mut bytes) = (Kept::default(), 0);
    for lane in (0..lanes).map(Lane) {
        let mut ranges: Vec<EpochRange> = Vec::new();
        let mut groups = Groups::new(Lsn(0));
        let segments = catalogue.of_lane(lane);
        for (i, entry) in segments.iter().enumerate() {
            let header = &entry.header;
            let end = ranges.last().map_or(header.first, |range| range.end);
            let behind = segments[i + 1..].iter().filter(|later| later.header.epoch == header.epoch);
            let upto = behind.map(|later| later.header.first).min();
            let same = ranges.last().is_some_and(|range| range.epoch == header.epoch);
            if header.first != end || (!same && !ranges.is_empty() && groups.end != end) {
                break;
            }
            if !same {
                groups = Groups::new(header.first);
            }
            let reached = walk(nvme, entry, upto, &mut groups, &mut bytes)?;
            match ranges.last_mut().filter(|range| range.epoch == header.epoch) {
                Some(range) => range.end = reached,
                None => ranges.push(EpochRange {
                    lane,
                    epoch: header.epoch,
                    incarnation: header.incarnation,
                    first: header.first,
                    end: reached,
                }),
            }
        }
        kept.lanes.insert(lane, ranges);
        kept.groups.insert(lane, groups);
    }
    kept.lanes.retain(|_, ranges| !ranges.is_empty());
    Ok((kept, bytes))
}

fn walk(
    nvme: &dyn Nvme,
    entry: &Entry,
    upto: Option<Lsn>,
    groups: &mut Groups,
    bytes: &mut u64,
) -> Result<Lsn> {
    let what = || format!("segment {:08}", entry.file);
    let file = nvme.open(FileName::Segment(entry.file), false).map_err(Error::io(what()))?;
    let (mut cursor, mut frame) = (SegmentCursor::new(*entry, file), Vec::new());
    while upto.is_none_or(|upto| cursor.lsn < upto) {
        frame.clear();
        match cursor.frame(&mut frame).map_err(Error::io(what()))? {
            Ok(header) if groups.take(&header).is_ok() => *bytes += frame.len() as u64,
            Ok(header) => return Ok(header.lsn),
            Err(_) => break,
        }
    }
    Ok(cursor.lsn)
}
