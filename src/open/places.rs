//! Directories and files of a log, found and locked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tierlog_tiers::nvme::{DirectoryError, FileName, Nvme};
use tierlog_tiers::tail::{MapError, TailRead};

use super::shutdown::{Judged, judge};
use super::superblock::{SUPERBLOCK_BYTES, Superblock, read_tail, read_tail_id};
use crate::config::{Config, Medium, TailPlace};
use crate::error::{Error, Refusal, Result};
use crate::format::OpenRecord;
use crate::geometry::Geometry;
use crate::host::Host;
use crate::media::RINGS_AT;
use crate::number::{Incarnation, LogId};

/// `TailMedium::Emulated` in an open record.
const EMULATED: u32 = 4;
/// `TailMedium::File` there.
const FILE: u32 = 3;

/// A tail that is there.
#[derive(Debug)]
pub(crate) struct OpenTail<T> {
    pub(crate) tail: Arc<T>,
    pub(crate) id: Option<[u8; 16]>,
    pub(crate) record: Option<OpenRecord>,
    /// A slot of its superblock is damaged.
    pub(crate) damaged: bool,
}

/// A tail in use, and its identity.
pub(super) type Taken<T> = (Arc<T>, [u8; 16]);

/// The local tiers, locked by this process.
#[derive(Debug)]
pub(crate) struct Places<H: Host> {
    pub(crate) host: Arc<H>,
    pub(crate) nvme: Arc<dyn Nvme>,
    pub(crate) nvme_path: PathBuf,
    pub(crate) superblock: Superblock,
    pub(crate) tail_places: Vec<TailPlace>,
    pub(crate) tails: Vec<Option<OpenTail<H::Tail>>>,
    /// The newest record of any tier; `None` for a log that is yet to be made.
    pub(crate) record: Option<OpenRecord>,
    /// NVMe's own newest turn, to tell an older tail.
    pub(crate) nvme_turn: u64,
}

impl<H: Host> Places<H> {
    /// Finds, opens and locks; makes directories and a blank superblock where there is nothing.
    pub(crate) fn open(host: &Arc<H>, config: &mut Config) -> Result<Self> {
        let nvme_path = config.nvme_path();
        refuse_orphans(&**host, config, &nvme_path)?;
        let nvme = host.nvme(config)?;
        let path = nvme_path.join("superblock");
        if config.create {
            remove_unfinished(&*nvme, &path)?;
        }
        let file = match nvme.open(FileName::Superblock, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && config.create => {
                nvme.create(FileName::Superblock, SUPERBLOCK_BYTES)
            }
            opened => opened,
        };
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                Error::Locked { path: config.dir.clone(), owner: host.owner(config) }
            }
            _ => Error::io(path.display().to_string())(error),
        })?;
        let superblock = Superblock { file };
        let mut record = superblock.read(&path)?;
        let nvme_turn = record.as_ref().map_or(0, |record| record.turn);
        let emulated = |record: &OpenRecord| record.tails.iter().any(|tail| tail.medium == EMULATED);
        if config.tail.medium == Medium::Auto && record.as_ref().is_some_and(emulated) {
            // Asked for once, by name: the log keeps it.
            config.tail.medium = Medium::Emulated;
        }
        let tail_places = config.tail_places();
        let tails: Vec<_> =
            tail_places.iter().map(|place| open_tail(&**host, config, place)).collect::<Result<_>>()?;
        for tail in tails.iter().flatten() {
            let newer = |found: &OpenRecord| record.as_ref().is_none_or(|known| known.turn < found.turn);
            if let Some(found) = tail.record.as_ref().filter(|found| newer(found)) {
                record = Some(found.clone());
            }
        }
        let host = host.clone();
        Ok(Places { host, nvme, nvme_path, superblock, tail_places, tails, record, nvme_turn })
    }

    pub(crate) fn tail_paths(&self) -> Vec<PathBuf> {
        self.tail_places.iter().map(|place| place.path.clone()).collect()
    }

    /// A log is to be made: whatever lies where its tails go must be blank, or a tail that was never finished.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] for anything else, which is left alone.
    pub(crate) fn check_blank(&self) -> Result<()> {
        for (place, tail) in self.tail_places.iter().zip(&self.tails) {
            if tail.as_ref().is_some_and(|tail| tail.id.is_none() && tail.damaged) {
                let what = "not a tail, and not empty".to_string();
                return Err(Refusal::Foreign { path: place.path.clone(), what }.into());
            }
        }
        Ok(())
    }

    /// Whether each tail is the one that wrote `record` last. A log that was closed needs nothing of its tails.
    pub(crate) fn check_tails(
        &self,
        config: &Config,
        record: &OpenRecord,
        boot: [u8; 16],
    ) -> Result<Vec<PathBuf>> {
        let mut lost = Vec::new();
        for (i, place) in self.tail_places.iter().enumerate() {
            self.check_own(i, record)?;
            let Some(what) = self.tail_trouble(i, record, boot) else { continue };
            if !record.closed && !config.accept_loss && !super::owed_nothing(record, i, boot) {
                return Err(Refusal::TailLost { path: place.path.clone(), what }.into());
            }
            tracing::warn!(path = %place.path.display(), what, "a tail is made anew");
            lost.push(place.path.clone());
        }
        Ok(lost)
    }

    /// What is not this log's is never replaced, whatever the user allows; only a tail that was never finished is.
    fn check_own(&self, i: usize, record: &OpenRecord) -> Result<()> {
        let Some(tail) = self.tails[i].as_ref() else { return Ok(()) };
        let path = &self.tail_places[i].path;
        let foreign = super::is_foreign_tail(path, &*tail.tail, record.tails.get(i))?;
        if foreign { Err(super::foreign_tail(path)) } else { Ok(()) }
    }

    fn tail_trouble(&self, i: usize, record: &OpenRecord, boot: [u8; 16]) -> Option<String> {
        let Some(tail) = self.tails[i].as_ref() else { return Some("missing".into()) };
        let known = record.tails.get(i)?;
        let len = geometry_of(record).map(|geometry| tail_bytes(&geometry)).ok()?;
        if tail.tail.len() < len {
            return Some("truncated".into());
        }
        // Memory that keeps what was fenced, as far as its DIMMs do.
        let kept = !matches!(known.medium, FILE | EMULATED);
        let now = self.host.shutdowns(&self.tail_places[i]);
        if let Judged::Suspect(what) = judge(known.shutdowns.filter(|_| kept), now, record.closed) {
            return Some(what);
        }
        let path = &self.tail_places[i].path;
        match super::tail_trouble(path, &*tail.tail, known.id, self.nvme_turn) {
            Ok(Some(what)) => return Some(what.into()),
            Ok(None) => {}
            Err(error) => return Some(error.to_string()),
        }
        let rebooted = known.medium == EMULATED && record.boot != boot;
        rebooted.then(|| "emulated, and the machine was started anew since".into())
    }

    /// Those of this log that are not `lost`.
    pub(crate) fn own_tails(&self, lost: &[PathBuf]) -> Vec<Arc<H::Tail>> {
        let tails = self.tail_places.iter().zip(&self.tails);
        tails
            .filter(|(place, _)| !lost.contains(&place.path))
            .filter_map(|(_, tail)| tail.as_ref().map(|tail| tail.tail.clone()))
            .collect()
    }

    /// Opens the tails that are good and makes those that are not there, or lost.
    pub(crate) fn take_tails(
        &mut self,
        config: &Config,
        geometry: &Geometry,
        lost: &[PathBuf],
    ) -> Result<Vec<Taken<H::Tail>>> {
        let mut taken = Vec::new();
        for (place, tail) in self.tail_places.iter().zip(std::mem::take(&mut self.tails)) {
            match tail {
                Some(OpenTail { tail, id: Some(id), .. }) if !lost.contains(&place.path) => {
                    taken.push((tail, id))
                }
                old => {
                    drop(old);
                    taken.push(make_tail(&*self.host, config, place, geometry)?);
                }
            }
        }
        Ok(taken)
    }
}

/// Segments without a superblock, a tail without its NVMe tier: nothing is made in the place of what is missing.
fn refuse_orphans<H: Host>(host: &H, config: &Config, nvme_path: &Path) -> Result<()> {
    let files = host.nvme_files(config)?;
    if files.contains(&FileName::Superblock) {
        return Ok(());
    }
    if let Some(name) = files.iter().find(|name| matches!(name, FileName::Segment(_))) {
        let path = nvme_path.join(name.to_string());
        let what = "a segment of a log whose superblock is not here (put it back)".to_string();
        return Err(Refusal::Foreign { path, what }.into());
    }
    for place in config.tail_places() {
        // What cannot be read is no tail: the open that comes next says what it is.
        let Ok(Some(tail)) = host.view_tail(config, &place) else { continue };
        if tail.len() < RINGS_AT {
            continue;
        }
        if let Some(record) = read_tail(&place.path, &*tail)?.0.filter(|record| record.turn > 1) {
            return Err(without_nvme(nvme_path, &record));
        }
    }
    Ok(())
}

/// The tail belongs to a log whose NVMe tier is not here.
pub(super) fn without_nvme(nvme_path: &Path, record: &OpenRecord) -> Error {
    let what =
        format!("missing or empty, but the tail belongs to log {}: put its NVMe directory here", record.log);
    Refusal::Foreign { path: nvme_path.into(), what }.into()
}

/// A superblock cut short by a crash while it was made: nothing else is there yet.
fn remove_unfinished(nvme: &dyn Nvme, path: &Path) -> Result<()> {
    let io = || Error::io(path.display().to_string());
    let alone = nvme.files().map_err(io())? == [FileName::Superblock];
    if alone && nvme.open(FileName::Superblock, false).map_err(io())?.len() < SUPERBLOCK_BYTES {
        nvme.remove(FileName::Superblock).map_err(io())?;
    }
    Ok(())
}

pub(crate) fn tail_bytes(geometry: &Geometry) -> u64 {
    (RINGS_AT + u64::from(geometry.lanes_per_tail()) * geometry.ring_bytes()).next_multiple_of(2 << 20)
}

/// The sizes that a record names: media are input.
pub(crate) fn geometry_of(record: &OpenRecord) -> Result<Geometry> {
    let geometry = Geometry {
        tails: record.tails.len() as u32,
        lanes: record.lanes,
        segment_bytes: record.tail_segment_bytes,
        segments: record.tail_segments,
        nvme_segment_bytes: record.nvme_segment_bytes,
    };
    geometry.check()?;
    Ok(geometry)
}

fn open_tail<H: Host>(host: &H, config: &Config, place: &TailPlace) -> Result<Option<OpenTail<H::Tail>>> {
    let Some(tail) = host.tail(config, place)? else { return Ok(None) };
    if tail.len() < RINGS_AT {
        let what = "too short for a tail".into();
        return Err(Refusal::Foreign { path: place.path.clone(), what }.into());
    }
    match (read_tail(&place.path, &*tail), read_tail_id(&*tail)) {
        // Memory that fails: whoever looks at it again is told, and may give the tail up.
        (Err(Error::Io { .. }), _) | (_, Err(Error::Io { .. })) => {
            Ok(Some(OpenTail { tail, id: None, record: None, damaged: true }))
        }
        (slots, id) => {
            let ((record, damaged), id) = (slots?, id?);
            Ok(Some(OpenTail { tail, id, record, damaged }))
        }
    }
}

/// A new tail in the place of one that is gone, lost or was never finished. Without its identity it is no tail: a crash
/// here leaves what the open that comes next makes anew.
fn make_tail<H: Host>(
    host: &H,
    config: &Config,
    place: &TailPlace,
    geometry: &Geometry,
) -> Result<Taken<H::Tail>> {
    let tail = host.new_tail(config, place, tail_bytes(geometry))?;
    let id = super::random(host);
    super::superblock::write_tail_id(&*tail, id)?;
    Ok((tail, id))
}

/// Where a live owner's board may lie: in memory, so that no write-back stalls a commit, or beside the log.
/// Each open has its own: a log and its restored twin may be open on one machine.
pub(crate) fn board_paths(config: &Config, log: LogId, open: Incarnation) -> [PathBuf; 2] {
    let name = format!("tierlog-{log}-{:016x}.board", open.0);
    [Path::new("/dev/shm").join(name), config.dir.join("board")]
}

fn held(config: &Config) -> Error {
    Error::Locked { path: config.dir.clone(), owner: super::owner_of(config) }
}

pub(crate) fn map_error(config: &Config, error: MapError) -> Error {
    match error {
        MapError::Held { .. } => held(config),
        MapError::Foreign { path, why } => Refusal::Foreign { path: path.into(), what: why.into() }.into(),
        MapError::Unfit { .. } => Error::Config(error.to_string()),
        error => {
            let kind = match &error {
                MapError::Denied { source, .. }
                | MapError::Full { source, .. }
                | MapError::Io { source, .. } => source.kind(),
                _ => io::ErrorKind::Other,
            };
            Error::io("a tail")(io::Error::new(kind, error))
        }
    }
}

pub(crate) fn nvme_error(config: &Config, error: DirectoryError) -> Error {
    match error {
        DirectoryError::Held { .. } => held(config),
        DirectoryError::Missing { .. } if !config.create => {
            Error::Config(format!("{}: there is no log here", config.dir.display()))
        }
        error => Error::io("the NVMe tier")(error.into()),
    }
}
