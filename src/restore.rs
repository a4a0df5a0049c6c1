//! A log from objects alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tierlog_tiers::nvme::{FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;

use crate::archive::{Body, Claim, Object, Run, read};
use crate::board::Board;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::error::{Error, Refusal, Result};
use crate::format::{EpochRange, OpenRecord, TailRecord};
use crate::host::{Host, Machine};
use crate::media::{Horizon, Media};
use crate::number::{Epoch, Gsn, Lane, LogId, Lsn};
use crate::open::{self, SUPERBLOCK_BYTES, Superblock};
use crate::runs::{LaneRuns, Marks, Pool, RunFrames, Sink};

/// What a restore wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The log.
    pub log: LogId,
    /// Objects read.
    pub objects: u64,
    /// Bytes of frames written.
    pub frame_bytes: u64,
    /// Per lane, where it goes on.
    pub ends: Vec<Lsn>,
}

/// Makes the log that `config.archive` holds in the empty directory `config.dir`; every frame is verified as it is
/// written. The next open goes on from there and claims the sequence: whoever wrote it before is fenced off.
///
/// Memory: one object and a run per lane. An interrupted restore leaves no log behind; remove its directory and try again.
///
/// # Errors
/// [`Error::Config`] without an archive or where the directory holds a log already; [`Refusal`]s naming the object that
/// does not belong; [`Error::Corrupt`], [`Error::Archive`], I/O errors.
pub fn restore(config: &Config) -> Result<Restored> {
    restore_on(&Arc::new(Machine::detect()), config)
}

/// As [`restore`], on another host than this machine.
///
/// # Errors
/// As for [`restore`].
pub fn restore_on<H: Host>(host: &Arc<H>, config: &Config) -> Result<Restored> {
    let objects = host.objects(&config.archive)?;
    let objects =
        objects.ok_or_else(|| Error::Config("restore needs an archive: none is configured".into()))?;
    let address = &config.archive.address;
    let first = read(&*objects, address, None, 1)?;
    let first =
        first.ok_or_else(|| Error::Config(format!("{address}: there is no archive of a log here")))?;
    let Body::Claim(claim) = &first.body else {
        let what = "the first object is not a claim".to_string();
        return Err(Refusal::Foreign { path: address.into(), what }.into());
    };
    let mut target = Target::make(host, config, first.author.log, claim)?;
    let mut number = 1;
    let mut next = Some(first);
    while let Some(object) = next {
        target.take(address, object)?;
        number += 1;
        next = read(&*objects, address, Some(target.media.log), number)?;
    }
    target.finish(&**host, config, number - 1)
}

/// The log that is being made.
struct Target {
    nvme: Arc<dyn Nvme>,
    media: Media,
    marks: Marks,
    pool: Pool,
    writers: BTreeMap<Lane, (EpochRange, LaneRuns)>,
    ranges: Vec<EpochRange>,
    gsn: Gsn,
    /// Number and author of the newest claim, and the authors since.
    claim: u64,
    authors: Vec<(Epoch, crate::number::Incarnation)>,
    frame_bytes: u64,
}

impl Target {
    fn make<H: Host>(host: &Arc<H>, config: &Config, log: LogId, claim: &Claim) -> Result<Self> {
        let geometry = claim.geometry;
        for place in config.tail_places() {
            if !matches!(host.view_tail(config, &place), Ok(None)) {
                return Err(Error::Config(format!(
                    "{}: exists: restore into an empty directory",
                    place.path.display()
                )));
            }
        }
        let path = config.nvme_path();
        let nvme = host.nvme(&Config { create: true, ..config.clone() })?;
        if !nvme.files().map_err(Error::io(path.display().to_string()))?.is_empty() {
            return Err(Error::Config(format!(
                "{}: not empty: restore into an empty directory",
                path.display()
            )));
        }
        let marks = Marks::create(&*nvme, log, geometry.lanes)?;
        let page = Page::heap(Board::words(&geometry)).map_err(|error| open::map_error(config, error))?;
        let media = Media::new(
            log,
            geometry,
            Vec::new(),
            Board::owned(page, &geometry),
            nvme.clone(),
            path,
            Catalogue::new(geometry.lanes),
            vec![Vec::new(); geometry.lanes as usize],
            Epoch(0),
            Horizon::Ended,
            host.clone(),
            false,
        );
        let pool = Pool::new(nvme.clone(), geometry.nvme_segment_bytes, 0, Vec::new(), 1);
        let (writers, ranges, authors) = (BTreeMap::new(), Vec::new(), Vec::new());
        Ok(Target {
            nvme,
            media,
            marks,
            pool,
            writers,
            ranges,
            gsn: Gsn(0),
            claim: 0,
            authors,
            frame_bytes: 0,
        })
    }

    fn take(&mut self, address: &str, object: Object) -> Result<()> {
        let author = (object.author.epoch, object.author.incarnation);
        match object.body {
            Body::Claim(claim) => {
                if claim.geometry != self.media.geometry {
                    let what = format!("claim {} names other sizes than the first", object.number);
                    return Err(Refusal::Foreign { path: address.into(), what }.into());
                }
                (self.claim, self.authors) = (object.number, vec![author]);
            }
            Body::Runs(runs) => {
                if self.authors.last() != Some(&author) {
                    return Err(Refusal::Superseded { archive: address.into(), number: object.number }.into());
                }
                runs.iter().try_for_each(|run| self.write(run))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, run: &Run) -> Result<()> {
        let Run { lane, epoch, incarnation, first, end, .. } = *run;
        let corrupt = |what: String| Error::Corrupt { lane, lsn: first, what };
        if lane.0 >= self.media.geometry.lanes {
            return Err(corrupt("an archived run of a lane that the log does not have".into()));
        }
        let same = self
            .writers
            .get(&lane)
            .is_some_and(|(range, _)| (range.epoch, range.incarnation) == (epoch, incarnation));
        if !same {
            let before = self.writers.remove(&lane).map(|(range, _)| range);
            let sequence = self.media.catalogue().of_lane(lane).len() as u64;
            if before.is_some_and(|before| before.end != first) {
                return Err(corrupt("the archive has a gap before this run".into()));
            }
            self.ranges.extend(before);
            let range = EpochRange { lane, epoch, incarnation, first, end: first };
            self.writers.insert(lane, (range, LaneRuns::new(&self.media, range, first, sequence)));
        }
        let Some((range, writer)) = self.writers.get_mut(&lane) else { return Ok(()) };
        if range.end != first {
            return Err(corrupt(format!("the archive has a gap before this run: it ended at {}", range.end)));
        }
        let mut frames = RunFrames::new(&run.frames);
        writer.write(&self.media, &self.pool, &mut frames, end, true, &mut Sink::Now)?;
        if !frames.is_done() {
            return Err(corrupt("an archived run holds more than it says".into()));
        }
        range.end = end;
        self.gsn = self.gsn.max(run.gsn);
        self.frame_bytes += run.frames.len() as u64;
        Ok(())
    }

    /// The superblock comes last: without it there is no log.
    fn finish(mut self, host: &impl Host, config: &Config, objects: u64) -> Result<Restored> {
        let geometry = self.media.geometry;
        self.ranges.extend(self.writers.values().map(|(range, _)| *range));
        self.ranges.sort_by_key(|range| (range.lane, range.epoch));
        let end =
            |lane: u32| self.ranges.iter().filter(|range| range.lane.0 == lane).map(|range| range.end).max();
        let ends: Vec<Lsn> = (0..geometry.lanes).map(|lane| end(lane).unwrap_or_default()).collect();
        let path = self.media.nvme_path.display().to_string();
        let file =
            self.nvme.create(FileName::Superblock, SUPERBLOCK_BYTES).map_err(Error::io(path.clone()))?;
        let (epoch, incarnation) = self.authors.last().copied().unwrap_or_default();
        let unmade = TailRecord { id: [0; 16], medium: 0 };
        let record = OpenRecord {
            log: self.media.log,
            epoch,
            incarnation,
            turn: 1,
            boot: host.boot_id()?,
            fingerprint: self.nvme.fingerprint().map_err(Error::io(path))?,
            closed: true,
            lanes: geometry.lanes,
            tail_segment_bytes: geometry.segment_bytes,
            tail_segments: geometry.segments,
            nvme_segment_bytes: geometry.nvme_segment_bytes,
            gsn: self.gsn,
            claim: self.claim,
            opens: self.authors,
            archive: config.archive.address.clone(),
            tails: vec![unmade; geometry.tails as usize],
            starts: ends.clone(),
            ranges: self.ranges,
        };
        Superblock { file }.write(&record)?;
        drop(self.marks);
        Ok(Restored { log: record.log, objects, frame_bytes: self.frame_bytes, ends })
    }
}

/// Checks every object of an archive by itself, and that each begins where the one before ended.
///
/// # Errors
/// As for [`restore`].
pub(crate) fn verify_objects(objects: &dyn Objects, address: &str, log: LogId) -> Result<u64> {
    let mut ends: BTreeMap<Lane, Lsn> = BTreeMap::new();
    let mut number = 1;
    while let Some(object) = read(objects, address, Some(log), number)? {
        let runs = if let Body::Runs(runs) = object.body { runs } else { Vec::new() };
        for run in runs {
            let corrupt = |what: String| Error::Corrupt {
                lane: run.lane,
                lsn: run.first,
                what: format!("object {number}: {what}"),
            };
            if ends.insert(run.lane, run.end).is_some_and(|end| end != run.first) {
                return Err(corrupt("a gap before this run".into()));
            }
            let seal = crate::frame::Seal::new(log, run.lane, run.epoch, run.incarnation);
            let mut frames = RunFrames::new(&run.frames);
            let mut at = run.first;
            while at < run.end {
                let (header, _) = crate::runs::Frames::look(&mut frames, &seal, run.lane, at)?;
                at = Lsn(at.0 + header.frame_bytes() as u64);
            }
            if at != run.end || !frames.is_done() {
                return Err(corrupt("does not hold what it says".into()));
            }
        }
        number += 1;
    }
    Ok(number - 1)
}
