//! A new epoch: from locked places to an engine that takes appends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::nvme::FileName;
use tierlog_tiers::tail::{Tail, TailRead};

use super::assemble::assemble;
use super::places::{Places, geometry_of, without_nvme};
use super::record::{first_record, next_record, note_superseded, write_everywhere};
use super::room::{check_room, new_pool, sign};
use crate::archive::{Archive, Archived, Archiver, Author, Claim};
use crate::board::Water;
use crate::catalogue::Entry;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Refusal, Result};
use crate::format::{EpochRange, OpenRecord};
use crate::geometry::Geometry;
use crate::host::{Env, Host};
use crate::number::{Epoch, Incarnation, Lane, LogId, Lsn};
use crate::recover::{Examined, Inputs, examine};
use crate::runs::{Haste, Marks, Pool};
use crate::slot::Slots;

/// What an open found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// This open.
    pub epoch: Epoch,
    /// The log was made by this open.
    pub created: bool,
    /// The last owner closed the log: nothing had to be recovered.
    pub clean: bool,
    /// Per lane.
    pub lanes: Vec<LaneRecovered>,
    /// Tails that were made anew; what was only there is gone.
    pub tails_lost: Vec<PathBuf>,
    /// Reading what the last open left: from the watermarks on.
    pub scan: Pass,
    /// Moving what was accepted to NVMe, flushing it and reading it back.
    pub settle: Pass,
}

/// What a part of an open had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Bytes of frames.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Pass {
    fn of(bytes: u64, env: &dyn Env, began: Duration) -> Self {
        Pass { bytes, took: env.now() - began }
    }
}

/// What an open found in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRecovered {
    /// The lane.
    pub lane: Lane,
    /// Where it goes on.
    pub end: Lsn,
    /// The LSN up to which something was found behind the end and cut off, if any was.
    pub cut_off: Option<Lsn>,
    /// Why it ends there.
    pub why: String,
}

/// What the steps of an open hand on.
pub(super) struct Opening<H: Host> {
    pub(super) places: Places<H>,
    pub(super) geometry: Geometry,
    pub(super) record: OpenRecord,
    pub(super) marks: Marks,
    pub(super) examined: Examined,
    pub(super) pool: Pool,
    pub(super) tails: Vec<Arc<H::Tail>>,
    pub(super) slots: Slots,
    archive: Option<Archive>,
    take_back: bool,
}

/// Opens, recovers, and starts a new epoch.
pub(crate) fn begin<H: Host>(host: &Arc<H>, mut config: Config) -> Result<(Arc<Engine<H::Tail>>, Recovered)> {
    let boot = host.boot_id()?;
    let archive = Archive::open(host, &config.archive)?;
    let mut places = Places::open(host, &mut config)?;
    let fingerprint = places.nvme.fingerprint().map_err(Error::io("the superblock"))?;
    let old = known(&places)?;
    let created = old.is_none();
    let (geometry, mut record, lost) = match old {
        Some(old) => {
            let geometry = geometry_of(&old)?;
            config.agrees(&geometry)?;
            if old.fingerprint != fingerprint && !config.adopt {
                return Err(Refusal::Cloned { path: config.dir.clone() }.into());
            }
            let lost = places.check_tails(&config, &old, boot)?;
            (geometry, old, lost)
        }
        None => {
            places.check_blank()?;
            (config.geometry()?, first_record(&**host, &config.geometry()?), places.tail_paths())
        }
    };
    let marks = if created {
        new_marks(&places, record.log, geometry.lanes)?
    } else {
        Marks::open(&*places.nvme, &places.nvme_path, record.log, geometry.lanes, true)?
    };
    let slots = Slots::open(places.nvme.clone(), &places.nvme_path, record.log, geometry.lanes, true)?;
    let began = host.now();
    let examined = look(&places, &record, geometry, &marks, &lost)?;
    let scanned = examined.scans.iter().map(|scan| scan.end.0 - scan.from.0).sum();
    let scan = Pass::of(scanned, &**host, began);
    check_room(&record, &config, &examined)?;
    // A copy is never the one that takes an archive back.
    let take_back = config.adopt && !created && record.fingerprint == fingerprint;
    let archived = look_at_archive(&config, archive.as_ref(), &record, &examined, take_back)
        .inspect_err(|error| note_superseded(error, &record, &places.own_tails(&lost), &places.superblock))?;

    // From here on something is written.
    // What was read may lie in the device's cache, left there by an owner that was killed.
    places.superblock.file.flush().map_err(Error::io("the superblock"))?;
    marks.flush()?;
    slots.flush()?;
    let pool = new_pool(&places, &config, &geometry, &examined)?;
    sign(&**host, &config, &*places.nvme, &pool)?;
    let began = host.now();
    let moved = super::settle::settle(&examined, &marks, &pool)?;
    let settle = Pass::of(moved, &**host, began);
    forget_lost_checkpoints(&examined, &marks)?;
    let recovered = Recovered {
        epoch: Epoch(record.epoch.0 + 1),
        created,
        clean: created || record.closed,
        lanes: lanes_recovered(&examined),
        tails_lost: if created || record.closed { Vec::new() } else { lost.clone() },
        scan,
        settle,
    };
    // The board of an owner that was killed.
    host.drop_board(&config, record.log, record.incarnation);
    let taken = places.take_tails(&config, &geometry, &lost)?;
    next_record(&mut record, &**host, &config, boot, fingerprint, &examined, &taken, archived.as_ref());
    for (tail, place) in record.tails.iter_mut().zip(&places.tail_places) {
        tail.shutdowns = host.shutdowns(place);
    }
    let tails: Vec<Arc<H::Tail>> = taken.into_iter().map(|(tail, _)| tail).collect();
    if tails.iter().all(|tail| tail.medium().power_safe()) {
        pool.is_drained_to();
    }
    let mut opening =
        Opening { places, geometry, record, marks, examined, pool, tails, slots, archive, take_back };
    opening.write_record()?;
    if created {
        // A tail that knows only the first turn is of a log that never began: making it was interrupted.
        opening.record.turn += 1;
        opening.write_record()?;
    }
    opening.drop_dead_segments();
    opening.pool.recovered();
    opening.prepare_segments();
    let archiver = opening.claim(&config, archived).inspect_err(|error| {
        note_superseded(error, &opening.record, &opening.tails, &opening.places.superblock)
    })?;
    Ok((assemble(opening, config, boot, archiver)?, recovered))
}

/// A checkpoint beyond the end was about records that are gone, not about those that come in their place.
fn forget_lost_checkpoints(examined: &Examined, marks: &Marks) -> Result<()> {
    for lane in examined.media.lanes() {
        let end = examined.media.board.published(lane);
        if marks.of(lane).checkpoint > end {
            marks.set(lane, |mark| mark.checkpoint = end)?;
        }
    }
    Ok(())
}

/// The record to go on from; `None` where a log is to be made, or making one was interrupted.
fn known<H: Host>(places: &Places<H>) -> Result<Option<OpenRecord>> {
    match &places.record {
        Some(record) if places.nvme_turn == 0 && record.turn > 1 => {
            Err(without_nvme(&places.nvme_path, record))
        }
        Some(record) if places.nvme_turn > 0 => Ok(Some(record.clone())),
        _ => Ok(None),
    }
}

fn new_marks<H: Host>(places: &Places<H>, log: LogId, lanes: u32) -> Result<Marks> {
    // Left by a creation that was interrupted: there is no record, so nothing counts.
    let path = places.nvme_path.display().to_string();
    for name in places.nvme.files().map_err(Error::io(path.clone()))? {
        match name {
            FileName::Superblock => {}
            FileName::Watermarks | FileName::Slots | FileName::Reserve => {
                places.nvme.remove(name).map_err(Error::io(path.clone()))?
            }
            FileName::Segment(number) => {
                let path = places.nvme_path.join(format!("{number:08}.seg"));
                let what = "a segment where there is no log".to_string();
                return Err(Refusal::Foreign { path, what }.into());
            }
        }
    }
    Marks::create(&*places.nvme, log, lanes)
}

fn look<H: Host>(
    places: &Places<H>,
    record: &OpenRecord,
    geometry: Geometry,
    marks: &Marks,
    lost: &[PathBuf],
) -> Result<Examined> {
    let blank = || Arc::new(NoTail) as Arc<dyn TailRead>;
    let tails = places.tail_places.iter().zip(&places.tails).map(|(place, tail)| match tail {
        Some(tail) if !lost.contains(&place.path) => tail.tail.clone() as Arc<dyn TailRead>,
        _ => blank(),
    });
    let (tails, tail_paths) = (tails.collect(), places.tail_paths());
    let (nvme, nvme_path, env) = (places.nvme.clone(), places.nvme_path.clone(), places.host.clone());
    examine(Inputs { record, geometry, tails, tail_paths, nvme, nvme_path, marks, env })
}

/// Stands for a tail that is gone.
#[derive(Debug)]
pub(crate) struct NoTail;

impl TailRead for NoTail {
    fn len(&self) -> u64 {
        0
    }

    fn read(&self, at: u64, _: &mut [u8]) -> Result<(), tierlog_tiers::tail::Fault> {
        Err(tierlog_tiers::tail::Fault { path: "a tail that is gone".into(), at })
    }
}

fn look_at_archive(
    config: &Config,
    archive: Option<&Archive>,
    record: &OpenRecord,
    examined: &Examined,
    take_back: bool,
) -> Result<Option<Archived>> {
    if record.superseded && !take_back && !config.fork {
        let (archive, number) = (record.archive.clone(), record.claim);
        return Err(Refusal::Superseded { archive, number }.into());
    }
    let Some(archive) = archive else {
        if !record.archive.is_empty() {
            tracing::warn!(archive = record.archive, "this open does not archive, earlier ones did");
        }
        return Ok(None);
    };
    let address = archive.address.clone();
    let same = record.archive == address;
    if !same {
        if !record.archive.is_empty() && !config.fork {
            let known = record.archive.clone();
            return Err(Refusal::OtherArchive { archive: address, known }.into());
        }
        if !config.archive.accept_unfenced && !archive.fences()? {
            return Err(Refusal::Unfenced { archive: address }.into());
        }
    }
    let claim = if same { record.claim } else { 0 };
    let mut archived = archive.look(record.log, record.lanes, claim, ours(record))?;
    let board = &examined.media.board;
    let local = |lane: usize| board.published(Lane(lane as u32));
    if let Some((number, ends)) = archived.foreign.take() {
        if !take_back {
            return Err(Refusal::Superseded { archive: address, number }.into());
        }
        tracing::warn!(number, "the archive is taken back: what another owner wrote is void");
        archived.ends = ends;
    }
    if archived.claim == 0 {
        // Nothing is there yet: it begins with what this directory still holds.
        archived.ends = examined.media.lanes().map(|lane| examined.media.oldest(lane)).collect();
    }
    for (lane, end) in archived.ends.iter_mut().enumerate() {
        let local = local(lane);
        if *end > local && !(record.voids || take_back) {
            let (archive, lane, archived) = (address, Lane(lane as u32), *end);
            return Err(Refusal::ArchiveAhead { archive, lane, archived, local }.into());
        }
        *end = local.min(*end);
    }
    Ok(Some(archived))
}

/// Whose objects are this directory's own: those of the newest open, and of those since the last claim known.
fn ours(record: &OpenRecord) -> impl Fn(Epoch, Incarnation) -> bool {
    let mut opens = record.opens.clone();
    opens.push((record.epoch, record.incarnation));
    move |epoch, incarnation| opens.contains(&(epoch, incarnation))
}

fn lanes_recovered(examined: &Examined) -> Vec<LaneRecovered> {
    let closed = |lane: Lane| LaneRecovered {
        lane,
        end: examined.media.board.published(lane),
        cut_off: None,
        why: "closed".into(),
    };
    let scanned = |lane: Lane| examined.scans.iter().find(|scan| scan.lane == lane);
    let one = |lane| match scanned(lane) {
        Some(scan) => LaneRecovered { lane, end: scan.end, cut_off: scan.cut_at, why: scan.why.clone() },
        None => closed(lane),
    };
    examined.media.lanes().map(one).collect()
}

impl<H: Host> Opening<H> {
    /// Tails first, then NVMe.
    fn write_record(&self) -> Result<()> {
        write_everywhere(&self.tails, &self.places.superblock, &self.record)
    }

    /// The first commits need not wait for their segment files. What cannot be made now is tried again later, and said.
    fn prepare_segments(&self) {
        if let Err(error) = self.pool.refill_reserve() {
            tracing::warn!(%error, "no room for the reserve: a recovery on a full disk may not be possible");
        }
        let made = std::iter::repeat_with(|| self.pool.prepare(0, Haste::Now))
            .take_while(|made| matches!(made, Ok(true)))
            .count();
        tracing::debug!(made, ready = self.pool.free(), "segment files made ahead");
    }

    /// Segments that hold only what was cut off, or trimmed, are free: the record that says so is durable.
    fn drop_dead_segments(&self) {
        let dead = |entry: &Entry| {
            let range =
                |range: &&EpochRange| (range.epoch, range.lane) == (entry.header.epoch, entry.header.lane);
            self.record.ranges.iter().find(range).is_none_or(|range| entry.header.first >= range.end)
        };
        let media = &self.examined.media;
        let mut gone = media.catalogue_mut().take_if(dead);
        for lane in media.lanes() {
            // A crash may have come between the watermark and the next use of the files.
            let trimmed = media.board.water(lane, Water::Trimmed);
            gone.extend(media.catalogue_mut().take_below(lane, trimmed));
        }
        gone.iter().for_each(|entry| self.pool.give_back(entry.file));
    }

    fn author(&self) -> Author {
        Author { log: self.record.log, epoch: self.record.epoch, incarnation: self.record.incarnation }
    }

    /// Claims the next number; the record then names the claim.
    fn claim(&mut self, config: &Config, archived: Option<Archived>) -> Result<Option<Archiver>> {
        let (Some(archive), Some(mut archived)) = (self.archive.clone(), archived) else { return Ok(None) };
        let claimed = loop {
            let claim = Claim { geometry: self.geometry, ranges: self.record.ranges.clone() };
            match archive.claim(self.author(), &archived, claim, ours(&self.record))? {
                Some(claimed) => break claimed,
                // An earlier open's request arrived late: it is settled, and the next number is tried.
                None => {
                    let found = look_at_archive(
                        config,
                        Some(&archive),
                        &self.record,
                        &self.examined,
                        self.take_back,
                    )?;
                    archived = found.unwrap_or(archived);
                }
            }
        };
        self.record.claim = claimed.number;
        self.record.opens.clear();
        (self.record.voids, self.record.superseded) = (false, false);
        self.record.turn += 1;
        self.write_record()?;
        let board = &self.examined.media.board;
        for (lane, end) in archived.ends.iter().enumerate() {
            board.raise_water(Lane(lane as u32), Water::Archived, *end);
        }
        Ok(Some(Archiver::new(archive, self.author(), claimed, archived.ends, config)))
    }
}
