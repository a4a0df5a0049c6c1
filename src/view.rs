//! A read-only view of a log, beside a live owner in this process or another, or without one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::nvme::{Directory, DirectoryOptions, FileName, Nvme};
use tierlog_tiers::page::PageView;
use tierlog_tiers::tail::{MapError, MappedView, TailRead};

use crate::archive::Archive;
use crate::board::{Board, BoardStamp};
use crate::catalogue::scan as scan_catalogue;
use crate::config::Config;
use crate::error::{Error, Refusal, Result};
use crate::format::OpenRecord;
use crate::geometry::Geometry;
use crate::host::Machine;
use crate::mark::{self, Mark};
use crate::media::{Horizon, Media};
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn, Position};
use crate::open::{self, NoTail, Superblock};
use crate::read::{Cut, LaneReader, Merged, seek};
use crate::recover::{Inputs, examine, live_ranges};
use crate::report::LaneWatermarks;
use crate::runs::{self, HeldBy, Marks};
use crate::slot::{SlotInfo, Slots};

/// How often a view that met an open in progress looks again.
const TRIES: u32 = 20;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Reads a log and writes nothing.
///
/// Beside a live owner it merges to what the owner closed a moment ago; a crash of the machine takes back nothing that it
/// was given. Without one it gives what an open would recover.
pub struct View {
    media: Arc<Media>,
    live: bool,
    nvme: Arc<Directory>,
    record: OpenRecord,
    tails: Vec<String>,
    emulated: bool,
    marks: Marks,
    slots: Slots,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("id", &self.id()).field("live", &self.live).finish_non_exhaustive()
    }
}

impl View {
    /// Opens the log in `config.dir` for reading.
    ///
    /// # Errors
    /// As for [`Log::open`](crate::Log::open), but for locks: it takes none.
    pub fn open(config: &Config) -> Result<View> {
        let mut tried = 0;
        loop {
            tried += 1;
            match Self::open_once(config) {
                // An open may be under way: its record is there and its board is not, or its slots change underneath.
                Err(Error::Corrupt { .. } | Error::Io { .. }) if tried < TRIES && owner_is_about(config) => {
                    std::thread::sleep(TRY_EVERY);
                }
                view => return view,
            }
        }
    }

    fn open_once(config: &Config) -> Result<View> {
        let path = config.nvme_path();
        let options = DirectoryOptions { create: false, read_only: true, ..DirectoryOptions::default() };
        let reading = Config { create: false, ..config.clone() };
        let nvme = Directory::open(&path, &options).map_err(|error| open::nvme_error(&reading, error))?;
        let nvme = Arc::new(nvme);
        let file = nvme.open(FileName::Superblock, false);
        let file = file.map_err(Error::io(path.join("superblock").display().to_string()))?;
        let record = Superblock { file }.read(&path.join("superblock"))?;
        let record =
            record.ok_or_else(|| Error::Config(format!("{}: there is no log here", path.display())))?;
        let geometry = open::geometry_of(&record)?;
        let mut tails: Vec<Arc<dyn TailRead>> = Vec::new();
        for (i, place) in config.tail_places().iter().enumerate() {
            tails.push(open_tail(&place.path, i, &record, &geometry)?);
        }
        if tails.len() != geometry.tails as usize {
            return Err(Error::Config(format!("the log has {} tails, name their places", geometry.tails)));
        }
        let marks = Marks::open(&*nvme, &path, record.log, geometry.lanes, false)?;
        let slots = Slots::open(nvme.clone(), &path, record.log, geometry.lanes, false)?;
        let describe = config.tail_places().iter().map(|place| place.path.display().to_string()).collect();
        let emulated = record.tails.iter().any(|tail| tail.medium == 4);
        let visible_first = record.tails.iter().any(|tail| tail.medium == 3);
        let live = live_media(config, &record, geometry, &tails, &nvme, visible_first)?;
        let (media, live) = match live {
            Some(media) => (media, true),
            None => {
                let nvme: Arc<dyn Nvme> = nvme.clone();
                let tail_paths = config.tail_places().into_iter().map(|place| place.path).collect();
                let inputs = Inputs {
                    record: &record,
                    geometry,
                    tails,
                    tail_paths,
                    nvme,
                    nvme_path: path,
                    marks: &marks,
                    env: Arc::new(Machine::detect()),
                };
                (examine(inputs)?.media, false)
            }
        };
        // Of a log that never came to archive all is here, and the store may not be there yet.
        if !record.archive.is_empty()
            && let Some(archive) = Archive::view(&Arc::new(Machine::detect()), &config.archive)?
        {
            media.read_archive(archive);
        }
        Ok(View { media, live, nvme, record, tails: describe, emulated, marks, slots })
    }

    /// The log's identity.
    pub fn id(&self) -> LogId {
        self.media.log
    }

    /// Whether another open is writing it now.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the last owner closed the log: NVMe then holds all of it.
    pub fn was_closed(&self) -> bool {
        self.record.closed
    }

    /// Whether a tail is ordinary memory served as if it were persistent.
    pub fn is_emulated(&self) -> bool {
        self.emulated
    }

    /// Reads all lanes in the order of their stamps, from a cut.
    ///
    /// # Errors
    /// As for [`Log::reader`](crate::Log::reader).
    pub fn reader(&self, from: &Cut) -> Result<Merged> {
        Merged::new(&self.media, from)
    }

    /// The place behind the last batch, in each lane, that is stamped at or below `gsn`: from there on readers give what came
    /// later. A moment is its nanoseconds since 1970. What is trimmed here is looked for in the archive, by bisection.
    ///
    /// Cost: reads a segment, or an object, per lane.
    ///
    /// # Errors
    /// As for reading.
    pub fn seek(&self, gsn: Gsn) -> Result<Cut> {
        seek(&self.media, gsn)
    }

    /// Reads one lane, from a position or from its oldest record.
    ///
    /// # Errors
    /// As for [`Log::reader`](crate::Log::reader).
    pub fn lane(&self, lane: Lane, from: Option<Position>) -> Result<LaneReader> {
        LaneReader::new(&self.media, lane, from)
    }

    /// The marks that are still there, by stamp; [`seek`](Self::seek) tells where what one stands for ends. Reads the whole log.
    ///
    /// # Errors
    /// As for reading.
    pub fn marks(&self) -> Result<Vec<Mark>> {
        mark::marks(&self.media)
    }

    /// How far each lane is in each tier, as far as the owner has said.
    pub fn watermarks(&self) -> Vec<LaneWatermarks> {
        crate::report::watermarks(&self.media)
    }

    /// Whether what is durable on NVMe is known to survive power loss.
    pub fn nvme_is_power_safe(&self) -> bool {
        self.nvme.power_safe()
    }

    /// The slots, as they were when this view was opened.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.slots.all().iter().map(|slot| SlotInfo::of(slot, &self.media)).collect()
    }

    /// Per lane, below what it may be trimmed, and what keeps the rest; checkpoints and slots as they were when this view
    /// was opened. How far the archive is only its owner knows: of a log that nobody has open it holds nothing back here.
    pub fn holds(&self) -> Vec<(Lane, Lsn, HeldBy)> {
        let archives = self.live && !self.record.archive.is_empty();
        let hold = |lane| runs::hold(&self.media, &self.marks, &self.slots, archives, lane);
        let one = |lane| {
            let (lsn, held_by) = hold(lane);
            (lane, lsn, held_by)
        };
        self.media.lanes().map(one).collect()
    }

    /// The NVMe tier in a line, and the tails' files.
    pub fn places(&self) -> (String, Vec<String>) {
        (self.nvme.describe(), self.tails.clone())
    }

    /// NVMe segments per lane.
    pub fn segments(&self) -> Vec<(Lane, usize)> {
        let catalogue = self.media.catalogue();
        self.media.lanes().map(|lane| (lane, catalogue.of_lane(lane).len())).collect()
    }

    /// The newest open of this directory.
    pub(crate) fn opened(&self) -> (Epoch, Incarnation) {
        (self.record.epoch, self.record.incarnation)
    }

    pub(crate) fn media(&self) -> &Arc<Media> {
        &self.media
    }
}

fn owner_is_about(config: &Config) -> bool {
    config.dir.join("owner").exists()
}

fn open_tail(path: &Path, i: usize, record: &OpenRecord, geometry: &Geometry) -> Result<Arc<dyn TailRead>> {
    match MappedView::open(path) {
        // A log that was closed needs nothing of its tails, but one that is not its own is in the way.
        Ok(tail) if record.closed => match (open::is_foreign_tail(path, &tail, record.tails.get(i))?, path) {
            (false, _) => Ok(Arc::new(NoTail)),
            (true, path) => Err(open::foreign_tail(path)),
        },
        Ok(tail) => {
            let what = match record.tails.get(i) {
                _ if tail.len() < open::tail_bytes(geometry) => Some("truncated"),
                Some(known) => open::tail_trouble(path, &tail, known.id, record.turn)?,
                None => None,
            };
            match what {
                Some(what) => Err(Refusal::TailLost { path: path.into(), what: what.into() }.into()),
                None => Ok(Arc::new(tail)),
            }
        }
        Err(MapError::Missing { .. }) if record.closed || open::owed_nothing(record, i, open::boot_id()?) => {
            Ok(Arc::new(NoTail))
        }
        Err(MapError::Missing { .. }) => {
            let what = "missing".into();
            Err(Refusal::TailLost { path: path.into(), what }.into())
        }
        Err(error) => Err(Error::io("a tail")(std::io::Error::other(error.to_string()))),
    }
}

/// The media of a live owner, by the board that it signed.
fn live_media(
    config: &Config,
    record: &OpenRecord,
    geometry: Geometry,
    tails: &[Arc<dyn TailRead>],
    nvme: &Arc<Directory>,
    visible_first: bool,
) -> Result<Option<Arc<Media>>> {
    if record.closed {
        return Ok(None);
    }
    let stamp = BoardStamp {
        boot: open::boot_id()?,
        log: record.log.0,
        epoch: record.epoch.0,
        incarnation: record.incarnation.0,
    };
    for path in open::board_paths(config, record.log, record.incarnation) {
        let Ok(page) = PageView::open(&path) else { continue };
        if page.len() < Board::words(&geometry) {
            continue;
        }
        let board = Board::viewed(page, &geometry);
        if !board.signed_by(&stamp) || !owner_is_alive(config) {
            continue;
        }
        let found = scan_catalogue(&**nvme, &config.nvme_path(), record.log, geometry.lanes)?;
        let (tails, path) = (tails.to_vec(), config.nvme_path());
        let media = Media::new(
            record.log,
            geometry,
            tails,
            board,
            nvme.clone(),
            path,
            found.catalogue,
            live_ranges(record, &geometry),
            (record.epoch, record.gsn),
            Horizon::View,
            Arc::new(Machine::detect()),
            visible_first,
        );
        return Ok(Some(Arc::new(media)));
    }
    Ok(None)
}

/// A killed owner leaves its board behind; a live one holds the lock.
fn owner_is_alive(config: &Config) -> bool {
    let text = std::fs::read_to_string(config.dir.join("owner")).unwrap_or_default();
    let process = text.split_whitespace().nth(1).and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|process| Path::new(&format!("/proc/{process}")).exists())
}
