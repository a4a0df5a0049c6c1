//! `repair`: mends a log that nobody has open, and its archive, from whatever other tier has the bytes; what is replaced is
//! put aside.
//!
//! Nothing is written before everything that will be is told.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, Nvme};
use tierlog_tiers::object::Name;

use super::object::{ObjectMender, Rebuilt};
use super::source::Source;
use super::{Damage, look_over, mend, quarantine};
use crate::archive::Archive;
use crate::board::Water;
use crate::catalogue::{Entry, scan};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::SegmentHeader;
use crate::frame::{HEADER_BYTES, Header};
use crate::host::{Host, Machine};
use crate::media::Media;
use crate::number::{Epoch, Gsn, Lane, Lsn};
use crate::read::SegmentCursor;
use crate::restore::Harm;
use crate::runs::{Pool, PoolLimits};
use crate::view::View;

/// One thing that a repair does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Mended {
    /// A segment is written anew; the old file goes to `quarantine`.
    Segment {
        /// The lane.
        lane: Lane,
        /// Its epoch.
        epoch: Epoch,
        /// Where the segment begins.
        first: Lsn,
        /// Where it ends.
        end: Lsn,
        /// What was wrong.
        what: String,
        /// The tiers that its frames are taken from.
        from: Vec<&'static str>,
    },
    /// No tier has all of it: left as it is, so that what lies around it can be read.
    Lost {
        /// The lane.
        lane: Lane,
        /// Its epoch.
        epoch: Epoch,
        /// The first frame that no tier has.
        lsn: Lsn,
        /// What was wrong.
        what: String,
    },
    /// An object of the archive is made anew; what was there goes to `quarantine`.
    Object {
        /// Its name below the archive's address.
        object: String,
        /// What was wrong.
        what: String,
        /// The tiers that its frames are taken from.
        from: Vec<&'static str>,
    },
    /// No other tier has what it held, or nobody can make it: left as it is, so that what lies around it can be read.
    LostObject {
        /// Its name below the archive's address.
        object: String,
        /// Why.
        why: String,
        /// What was wrong.
        what: String,
    },
    /// A file that holds nothing that counts and cannot be used: it goes to `quarantine`.
    Aside {
        /// The file.
        file: String,
    },
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// The log.
    pub log: String,
    /// Nothing was written.
    pub dry_run: bool,
    /// In this order.
    pub actions: Vec<Mended>,
    /// Where this report was written to.
    pub report: Option<PathBuf>,
}

impl Repaired {
    /// Whether something is damaged still.
    pub fn is_lost(&self) -> bool {
        let lost = |action: &Mended| matches!(action, Mended::Lost { .. } | Mended::LostObject { .. });
        self.actions.iter().any(lost)
    }
}

/// Mends the NVMe tier of the log in `config.dir` from its tail and its archive, then its archive, if one is configured, from
/// the NVMe tier and the tail. `tell` hears of everything before anything is written; with `dry_run` nothing is, and it
/// works beside a live owner. Reads all of both.
///
/// Memory: a segment, or what an object of the sequence stands for.
///
/// # Errors
/// [`Error::Locked`] while the log is open for writing, unless `dry_run`; [`Error::Corrupt`] where recovery itself refuses the
/// log: restore it then. I/O errors, after which repairing again goes on.
pub fn repair(config: &Config, dry_run: bool, tell: &mut dyn FnMut(&Mended)) -> Result<Repaired> {
    let config = Config { create: false, ..config.clone() };
    let host = Arc::new(Machine::detect());
    let nvme = if dry_run { None } else { Some(own(&host, &config)?) };
    let view = View::open(&config)?;
    let found = Found::new(&view)?;
    let archive = Archive::view(&host, &config.archive)?;
    let mender = archive.as_ref().map(|archive| {
        let (media, config, newest) = (view.media(), &config.archive, view.opened());
        ObjectMender { media, archive, config, newest }
    });
    let harms = mender.as_ref().map_or(Ok(Vec::new()), ObjectMender::harms)?;
    let mut actions = found.actions()?;
    if let Some(mender) = &mender {
        for harm in &harms {
            actions.push(of_object(harm, mender.plan(harm)?));
        }
    }
    actions.iter().for_each(tell);
    let mut repaired = Repaired { log: view.id().to_string(), dry_run, actions, report: None };
    if let Some((nvme, _superblock)) = &nvme
        && !repaired.actions.is_empty()
    {
        found.carry_out(nvme, &config)?;
        if let Some(mender) = &mender {
            for harm in &harms {
                if let Ok(rebuilt) = mender.plan(harm)? {
                    mender.carry_out(&rebuilt, &quarantine::of(&config))?;
                }
            }
        }
        repaired.report = Some(write_report(&config, &repaired)?);
    }
    Ok(repaired)
}

fn of_object(harm: &Harm, planned: std::result::Result<Rebuilt, String>) -> Mended {
    let (object, what) = (Name::Number(harm.number).to_string(), harm.what.to_string());
    match planned {
        Ok(rebuilt) => Mended::Object { object, what, from: rebuilt.from },
        Err(why) => Mended::LostObject { object, why, what },
    }
}

/// Whoever has the superblock open for writing owns the log.
fn own(
    host: &Arc<Machine>,
    config: &Config,
) -> Result<(Arc<dyn Nvme>, Arc<dyn tierlog_tiers::nvme::NvmeFile>)> {
    let nvme = host.nvme(config)?;
    let superblock = nvme.open(FileName::Superblock, true).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            Error::Locked { path: config.dir.clone(), owner: host.owner(config) }
        }
        _ => Error::io(config.nvme_path().join("superblock").display().to_string())(error),
    })?;
    Ok((nvme, superblock))
}

/// What is wrong with a log.
struct Found<'a> {
    media: &'a Arc<Media>,
    upto: Vec<Lsn>,
    /// Files whose header is damaged, and whose frames count.
    headerless: Vec<u32>,
    /// Files whose header is damaged, and that hold nothing that counts.
    orphans: Vec<u32>,
    free: Vec<u32>,
}

impl<'a> Found<'a> {
    fn new(view: &'a View) -> Result<Self> {
        let media = view.media();
        let found = scan(&*media.nvme, &media.nvme_path, media.log, media.geometry.lanes)?;
        let upto = |lane| match view.was_closed() {
            true => media.board.published(lane),
            false => media.board.water(lane, Water::Drained),
        };
        let upto = media.lanes().map(upto).collect();
        let (mut headerless, mut orphans) = (Vec::new(), Vec::new());
        for file in found.damaged {
            match entry_of(media, file)? {
                Some(entry) => {
                    media.catalogue_mut().insert(entry);
                    headerless.push(file);
                }
                None => orphans.push(file),
            }
        }
        Ok(Found { media, upto, headerless, orphans, free: found.free })
    }

    fn damages(&self) -> Result<Vec<Damage>> {
        let mut damages = Vec::new();
        for lane in self.media.lanes() {
            damages.extend(look_over(self.media, lane, self.upto[lane.0 as usize], &mut |_| true)?);
            let entries = self.media.catalogue().of_lane(lane).to_vec();
            for entry in entries.into_iter().filter(|entry| self.headerless.contains(&entry.file)) {
                let known = damages
                    .iter()
                    .any(|damage: &Damage| damage.entry.is_some_and(|of| of.file == entry.file));
                damages.extend((!known).then(|| self.headerless(entry)).flatten());
            }
        }
        Ok(damages)
    }

    fn headerless(&self, entry: Entry) -> Option<Damage> {
        let (lane, first) = (entry.header.lane, entry.header.first);
        let range = self.media.range_of(lane, first)?;
        let holders = self.media.catalogue().holders(lane, range.epoch, first);
        let next = holders.into_iter().find(|(of, _)| of.file == entry.file)?.1;
        let end = range.end.min(self.upto[lane.0 as usize]);
        let end = next.map_or(end, |next| next.min(end));
        let what = format!("{}: its header is damaged", FileName::Segment(entry.file));
        (end > first).then_some(Damage { range, first, hole: first, end, entry: Some(entry), what })
    }

    fn actions(&self) -> Result<Vec<Mended>> {
        let mut actions = Vec::new();
        for damage in self.damages()? {
            let (lane, epoch, what) = (damage.range.lane, damage.range.epoch, damage.what.clone());
            let mut source = Source::new(self.media, damage.range.lane, damage.first);
            actions.push(match mend::plan(self.media, &damage, &mut source)? {
                Ok(plan) => Mended::Segment {
                    lane,
                    epoch,
                    first: damage.first,
                    end: plan.end,
                    what,
                    from: source.from,
                },
                Err(lsn) => Mended::Lost { lane, epoch, lsn, what },
            });
        }
        let aside =
            self.orphans.iter().map(|file| Mended::Aside { file: FileName::Segment(*file).to_string() });
        actions.extend(aside);
        Ok(actions)
    }

    fn carry_out(&self, nvme: &Arc<dyn Nvme>, config: &Config) -> Result<()> {
        let files = nvme.files().map_err(Error::io(self.media.nvme_path.display().to_string()))?;
        let limits = PoolLimits::plain(self.media.geometry.nvme_segment_bytes);
        let pool = Pool::new(nvme.clone(), limits, &files, self.free.clone());
        let mut aside = self.orphans.clone();
        // What one segment does not take is found again, behind it.
        loop {
            let mut mended = 0;
            for damage in self.damages()? {
                let mut source = Source::new(self.media, damage.range.lane, damage.first);
                let Ok(plan) = mend::plan(self.media, &damage, &mut source)? else { continue };
                mend::carry_out(self.media, &pool, &plan)?;
                aside.extend(damage.entry.map(|entry| entry.file));
                mended += 1;
            }
            if mended == 0 {
                break;
            }
        }
        let path = |file| config.nvme_path().join(FileName::Segment(file).to_string());
        aside.into_iter().try_for_each(|file| quarantine::move_there(&quarantine::of(config), &path(file)))
    }
}

/// What a segment without a header belongs to, by its first frame.
fn entry_of(media: &Arc<Media>, file: u32) -> Result<Option<Entry>> {
    let name = FileName::Segment(file);
    let what = || Error::io(media.nvme_path.join(name.to_string()).display().to_string());
    let opened = media.nvme.open(name, false).map_err(what())?;
    if opened.len() < 2 * BLOCK_BYTES as u64 {
        return Ok(None);
    }
    let mut block = Block::zeroed(BLOCK_BYTES);
    if opened.read(0, &mut block).is_ok() && mend::is_aside(&block) {
        return Ok(None);
    }
    if opened.read(BLOCK_BYTES as u64, &mut block).is_err() {
        return Ok(None);
    }
    let Some(first) = block.first_chunk::<HEADER_BYTES>().and_then(Header::decode).map(|header| header.lsn)
    else {
        return Ok(None);
    };
    for lane in media.lanes() {
        let Some(range) = media.range_of(lane, first) else { continue };
        let before = media.catalogue().holders(lane, range.epoch, first).first().map(|(of, _)| of.header);
        let held = before.is_some_and(|header| header.first == first);
        let header = SegmentHeader {
            log: media.log,
            lane,
            epoch: range.epoch,
            incarnation: range.incarnation,
            sequence: before.map_or(0, |header| header.sequence) + 1,
            first,
            gsn_before: Gsn(0),
        };
        let entry = Entry { file, header };
        let valid = SegmentCursor::new(entry, opened.clone()).frame(&mut Vec::new());
        if !held && matches!(valid, Ok(Ok(_))) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

fn write_report(config: &Config, repaired: &Repaired) -> Result<PathBuf> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let path = config.dir.join(format!("repair-{}.txt", since.as_millis()));
    let mut text = format!("log {}\n", repaired.log);
    repaired.actions.iter().for_each(|action| text += &format!("{action}\n"));
    quarantine::write_new(&path, text.as_bytes())?;
    Ok(path)
}

impl std::fmt::Display for Mended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mended::Segment { lane, epoch, first, end, what, from } => {
                let from = from.join(", ");
                write!(f, "mend lane {lane} epoch {epoch} {first}..{end} from {from} ({what})")
            }
            Mended::Lost { lane, epoch, lsn, what } => {
                write!(f, "cannot mend lane {lane} epoch {epoch} at {lsn}: no tier has it ({what})")
            }
            Mended::Object { object, what, from } => {
                write!(f, "mend object {object} from {} ({what})", from.join(", "))
            }
            Mended::LostObject { object, why, what } => {
                write!(f, "cannot mend object {object}: {why} ({what})")
            }
            Mended::Aside { file } => write!(f, "put {file} aside: it holds nothing that counts"),
        }
    }
}
