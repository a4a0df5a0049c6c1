//! A new epoch: from locked places to an engine that takes appends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crossbeam_utils::CachePadded;
use tierlog_tiers::clock::{Clock, WallClock};
use tierlog_tiers::nvme::Nvme;
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::tail::{Mapped, Tail, TailMedium, TailRead};

use super::places::{Places, board_paths, geometry_of, map_error};
use super::superblock::write_tail;
use super::{boot_id, owner_line, random};
use crate::archive::{Archived, Archiver, Author, Claim, Claimed, claim, open_objects, read_from};
use crate::board::{Board, BoardStamp, Water};
use crate::catalogue::Entry;
use crate::config::{Config, Geometry};
use crate::engine::{Engine, Stop};
use crate::error::{Error, Refusal, Result};
use crate::format::{EpochRange, OpenRecord, SegmentHeader, TailRecord};
use crate::lane::{Core, LaneState, Ring, Seat};
use crate::media::{Horizon, Media};
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};
use crate::order::Order;
use crate::reaper::{Errand, Errands};
use crate::recover::{Examined, Inputs, examine, live_ranges};
use crate::runs::{LaneRuns, Marks, Pool, Stability};

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
struct Opening {
    places: Places,
    geometry: Geometry,
    record: OpenRecord,
    marks: Marks,
    examined: Examined,
    pool: Pool,
    tails: Vec<Arc<Mapped>>,
    objects: Option<Arc<dyn Objects>>,
}

/// Opens, recovers, and starts a new epoch. The receiver is the reaper's.
pub(crate) fn begin(
    config: Config,
) -> Result<(Arc<Engine<Mapped>>, Recovered, std::sync::mpsc::Receiver<Errand>)> {
    let boot = boot_id()?;
    let objects = open_objects(&config.archive)?;
    let mut places = Places::open(&config)?;
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
        None => (config.geometry()?, first_record(&config.geometry()?), Vec::new()),
    };
    let marks = if created {
        new_marks(&places, record.log, geometry.lanes)?
    } else {
        Marks::open(&*places.nvme, &places.nvme_path, record.log, geometry.lanes, true)?
    };
    let examined = look(&places, &record, geometry, &marks, &lost)?;
    let archived = look_at_archive(&config, objects.as_deref(), &record, &examined)?;

    // From here on something is written.
    std::fs::write(config.dir.join("owner"), owner_line()).map_err(Error::io("the file owner"))?;
    let pool = new_pool(&places, &config, &geometry, &examined)?;
    super::settle::settle(&examined, &marks, &pool)?;
    let recovered = Recovered {
        epoch: Epoch(record.epoch.0 + 1),
        created,
        clean: created || record.closed,
        lanes: lanes_recovered(&examined),
        tails_lost: lost.clone(),
    };
    // The board of an owner that was killed.
    for path in board_paths(&config, record.log, record.incarnation) {
        drop(std::fs::remove_file(path));
    }
    let taken = places.take_tails(&config, &geometry, &lost)?;
    next_record(&mut record, &config, boot, fingerprint, &examined, &taken, archived.as_ref());
    let tails: Vec<Arc<Mapped>> = taken.into_iter().map(|(tail, _)| tail).collect();
    let mut opening = Opening { places, geometry, record, marks, examined, pool, tails, objects };
    opening.write_record()?;
    opening.drop_dead_segments();
    let archiver = opening.claim(&config, archived)?;
    let (engine, errands) = opening.yield_engine(config, boot, archiver)?;
    Ok((engine, recovered, errands))
}

/// The record to go on from; `None` where a log is to be made, or making one was interrupted.
fn known(places: &Places) -> Result<Option<OpenRecord>> {
    match &places.record {
        Some(record) if places.nvme_turn == 0 && record.turn > 1 => {
            let path = places.nvme_path.clone();
            let what = format!("empty, but the tail belongs to log {}: put that log's NVMe directory here", record.log);
            Err(Refusal::Foreign { path, what }.into())
        }
        Some(record) if places.nvme_turn > 0 => Ok(Some(record.clone())),
        _ => Ok(None),
    }
}

fn first_record(geometry: &Geometry) -> OpenRecord {
    OpenRecord {
        log: LogId(random()),
        epoch: Epoch(0),
        incarnation: Incarnation(0),
        turn: 0,
        boot: [0; 16],
        fingerprint: 0,
        closed: true,
        lanes: geometry.lanes,
        tail_segment_bytes: geometry.segment_bytes,
        tail_segments: geometry.segments,
        nvme_segment_bytes: geometry.nvme_segment_bytes,
        gsn: Gsn(0),
        claim: 0,
        opens: Vec::new(),
        archive: String::new(),
        tails: Vec::new(),
        starts: vec![Lsn(0); geometry.lanes as usize],
        ranges: Vec::new(),
    }
}

fn new_marks(places: &Places, log: LogId, lanes: u32) -> Result<Marks> {
    use tierlog_tiers::nvme::FileName;
    // Left by a creation that was interrupted: there is no record, so nothing counts.
    let path = places.nvme_path.display().to_string();
    for name in places.nvme.files().map_err(Error::io(path.clone()))? {
        match name {
            FileName::Superblock => {}
            FileName::Watermarks => places.nvme.remove(name).map_err(Error::io(path.clone()))?,
            FileName::Segment(number) => {
                let path = places.nvme_path.join(format!("{number:08}.seg"));
                let what = "a segment where there is no log".to_string();
                return Err(Refusal::Foreign { path, what }.into());
            }
        }
    }
    Marks::create(&*places.nvme, log, lanes)
}

fn look(
    places: &Places,
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
    let nvme: Arc<dyn Nvme> = places.nvme.clone();
    let (tails, nvme_path) = (tails.collect(), places.nvme_path.clone());
    examine(Inputs { record, geometry, tails, nvme, nvme_path, marks })
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
    objects: Option<&dyn Objects>,
    record: &OpenRecord,
    examined: &Examined,
) -> Result<Option<Archived>> {
    let address = &config.archive.address;
    let Some(objects) = objects else {
        if !record.archive.is_empty() {
            tracing::warn!(archive = record.archive, "this open does not archive, earlier ones did");
        }
        return Ok(None);
    };
    let same = record.archive == *address;
    let ours = |epoch, incarnation| {
        (epoch, incarnation) == (record.epoch, record.incarnation) || record.opens.contains(&(epoch, incarnation))
    };
    let from = if same { record.claim } else { 0 };
    let archived = read_from(objects, address, record.log, record.lanes, from, ours)?;
    for (lane, end) in archived.ends.iter().enumerate() {
        let local = examined.media.board.published(Lane(lane as u32));
        if *end > local {
            let (archive, lane) = (address.clone(), Lane(lane as u32));
            return Err(Refusal::ArchiveAhead { archive, lane, archived: *end, local }.into());
        }
    }
    Ok(Some(archived))
}

fn new_pool(places: &Places, config: &Config, geometry: &Geometry, examined: &Examined) -> Result<Pool> {
    use tierlog_tiers::nvme::FileName;
    let files = places.nvme.files().map_err(Error::io(places.nvme_path.display().to_string()))?;
    let number = |name: &FileName| if let FileName::Segment(number) = name { Some(*number) } else { None };
    let next = files.iter().filter_map(number).max().map_or(1, |number| number + 1);
    let (nvme, spare, free) = (places.nvme.clone(), config.nvme.spare_segments, examined.free.clone());
    Ok(Pool::new(nvme, geometry.nvme_segment_bytes, spare, free, next))
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

fn next_record(
    record: &mut OpenRecord,
    config: &Config,
    boot: [u8; 16],
    fingerprint: u64,
    examined: &Examined,
    tails: &[(Arc<Mapped>, [u8; 16])],
    archived: Option<&Archived>,
) {
    if record.epoch > Epoch(0) {
        record.opens.push((record.epoch, record.incarnation));
    }
    record.epoch = Epoch(1 + record.epoch.max(archived.map_or(Epoch(0), |archived| archived.epoch)).0);
    record.incarnation = Incarnation(u64::from_le_bytes(random()));
    record.turn += 1;
    (record.boot, record.fingerprint, record.closed) = (boot, fingerprint, false);
    record.gsn = examined.gsn;
    record.tails =
        tails.iter().map(|(tail, id)| TailRecord { id: *id, medium: medium_number(tail.medium()) }).collect();
    record.ranges = still_there(examined);
    record.starts = examined.media.lanes().map(|lane| examined.media.board.published(lane)).collect();
    if record.archive != config.archive.address {
        record.claim = 0;
        record.archive = config.archive.address.clone();
    }
}

/// What is still there of ended epochs.
fn still_there(examined: &Examined) -> Vec<EpochRange> {
    let board = &examined.media.board;
    let live = |range: &&EpochRange| range.first < range.end && range.end > board.water(range.lane, Water::Trimmed);
    examined.ranges.iter().flatten().filter(live).copied().collect()
}

pub(crate) fn medium_number(medium: TailMedium) -> u32 {
    match medium {
        TailMedium::FsDax { .. } => 1,
        TailMedium::Page => 2,
        TailMedium::File => 3,
        TailMedium::Emulated => 4,
    }
}

impl Opening {
    /// Tails first, then NVMe.
    fn write_record(&self) -> Result<()> {
        write_everywhere(&self.tails, &self.places.superblock, &self.record)
    }

    /// Segments that hold only what was cut off, or trimmed, are free: the record that says so is durable.
    fn drop_dead_segments(&self) {
        let dead = |entry: &Entry| {
            let range = |range: &&EpochRange| (range.epoch, range.lane) == (entry.header.epoch, entry.header.lane);
            self.record.ranges.iter().find(range).is_none_or(|range| entry.header.first >= range.end)
        };
        for entry in self.examined.media.catalogue_mut().take_if(dead) {
            self.pool.give_back(entry.file);
        }
    }

    fn author(&self) -> Author {
        Author { log: self.record.log, epoch: self.record.epoch, incarnation: self.record.incarnation }
    }

    /// Claims the next number; the record then names the claim.
    fn claim(&mut self, config: &Config, archived: Option<Archived>) -> Result<Option<Archiver>> {
        let (Some(objects), Some(archived)) = (self.objects.clone(), archived) else { return Ok(None) };
        let board = &self.examined.media.board;
        let body = Claim {
            geometry: self.geometry,
            ranges: self.record.ranges.clone(),
            archived: archived.ends.clone(),
        };
        let claimed: Claimed = claim(&*objects, &config.archive.address, self.author(), archived.next, body)?;
        self.record.claim = claimed.number;
        self.record.opens.clear();
        self.record.turn += 1;
        self.write_record()?;
        for (lane, end) in archived.ends.iter().enumerate() {
            board.raise_water(Lane(lane as u32), Water::Archived, *end);
        }
        Ok(Some(Archiver::new(objects, self.author(), claimed, archived.ends)))
    }

    fn yield_engine(
        self,
        config: Config,
        boot: [u8; 16],
        archiver: Option<Archiver>,
    ) -> Result<(Arc<Engine<Mapped>>, std::sync::mpsc::Receiver<Errand>)> {
        let Opening { places, geometry, record, marks, examined, pool, tails, .. } = self;
        let clock: Arc<dyn Clock> = WallClock::shared();
        let order = Arc::new(Order::new(clock));
        let stamp =
            BoardStamp { boot, log: record.log.0, epoch: record.epoch.0, incarnation: record.incarnation.0 };
        let (board, board_path) = new_board(&config, &geometry, &record)?;
        let ranges = live_ranges(&record, &geometry);
        let visible_first = tails.iter().any(|tail| !tail.medium().power_safe());
        for lane in (0..geometry.lanes).map(Lane) {
            let end = examined.media.board.published(lane);
            board.publish(lane, end);
            for water in [Water::Durable, Water::Stable, Water::Drained] {
                board.raise_water(lane, water, end);
            }
            for water in [Water::Trimmed, Water::Archived] {
                board.raise_water(lane, water, examined.media.board.water(lane, water));
            }
        }
        board.raise_floor(record.gsn.0);
        board.sign(&stamp);
        let catalogue = std::mem::take(&mut *examined.media.catalogue_mut());
        let media = Arc::new(Media::new(
            record.log,
            geometry,
            tails.iter().map(|tail| tail.clone() as Arc<dyn TailRead>).collect(),
            board,
            places.nvme.clone(),
            places.nvme_path.clone(),
            catalogue,
            ranges,
            Horizon::Owner(order.clone()),
            visible_first,
        ));
        let seats = new_seats(&media, &record, &tails)?;
        let runs = media.lanes().filter_map(|lane| {
            let range = *media.ranges(lane).last()?;
            let sequences = media.catalogue().of_lane(lane).iter().map(|entry| entry.header.sequence).max();
            Some(Mutex::new(LaneRuns::new(&media, range, range.first, sequences.unwrap_or(0))))
        });
        let runs = runs.collect();
        let (errands, receiver) = Errands::new();
        let engine = Engine {
            config,
            media,
            order,
            epoch: record.epoch,
            incarnation: record.incarnation,
            tails,
            lanes: (0..geometry.lanes).map(|_| CachePadded::new(LaneState::default())).collect(),
            seats,
            runs,
            pool,
            marks,
            stability: Stability::new(geometry.lanes),
            archiver,
            errands,
            drain_trouble: Mutex::new(None),
            stop: Stop::default(),
            board_path,
            record: Mutex::new(record),
            superblock: places.superblock,
            process: std::process::id(),
        };
        Ok((Arc::new(engine), receiver))
    }
}

fn write_everywhere(
    tails: &[Arc<Mapped>],
    superblock: &super::Superblock,
    record: &OpenRecord,
) -> Result<()> {
    tails.iter().try_for_each(|tail| write_tail(&**tail, record))?;
    superblock.write(record)
}

/// In memory, where no write-back stalls a commit; beside the log where there is no such place.
fn new_board(config: &Config, geometry: &Geometry, record: &OpenRecord) -> Result<(Board, Option<PathBuf>)> {
    let [memory, beside] = board_paths(config, record.log, record.incarnation);
    let words = Board::words(geometry);
    let (page, path) = match Page::create(&memory, words) {
        Ok(page) => (page, memory),
        Err(error) => {
            tracing::warn!(%error, "the board lies beside the log: write-back may stall commits");
            (Page::create(&beside, words).map_err(|error| map_error(config, error))?, beside)
        }
    };
    Ok((Board::owned(page, geometry), Some(path)))
}

fn new_seats(media: &Media, record: &OpenRecord, tails: &[Arc<Mapped>]) -> Result<Vec<Seat<Core<<Mapped as Tail>::Lane>>>> {
    let seat = |lane: Lane| {
        let (tail, at) = media.ring(lane);
        let memory = tails[tail]
            .lane(at, media.geometry.ring_bytes())
            .map_err(|taken| Error::Config(format!("lane {lane}: {taken}")))?;
        let header = SegmentHeader {
            log: record.log,
            lane,
            epoch: record.epoch,
            incarnation: record.incarnation,
            sequence: 0,
            first: media.board.published(lane),
            gsn_before: record.gsn,
        };
        let ring = Ring::new(memory, &media.geometry, header);
        let core = Core::new(ring, lane, header.seal(), record.gsn, &media.geometry, media.visible_first);
        Ok(Seat::new(core))
    };
    media.lanes().map(seat).collect()
}

/// Close: every lane's end, everything being Power-durable on NVMe.
pub(crate) fn write_closed(engine: &Engine<Mapped>, gsn: Gsn) -> Result<()> {
    let mut record = engine.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut next = record.clone();
    next.turn += 1;
    next.closed = true;
    next.gsn = next.gsn.max(gsn);
    for lane in engine.media.lanes() {
        let Some(mut range) = engine.media.ranges(lane).last().copied() else { continue };
        range.end = engine.media.board.published(lane);
        if range.first < range.end {
            next.ranges.push(range);
        }
    }
    write_everywhere(&engine.tails, &engine.superblock, &next)?;
    *record = next;
    Ok(())
}
