//! What an open finds: locked, read, and refused where it cannot be gone on with. No epoch is begun here.

use std::path::PathBuf;
use std::sync::Arc;

use tierlog_tiers::nvme::FileName;
use tierlog_tiers::tail::TailRead;

use super::claim::look_at_archive;
use super::places::{Places, geometry_of, without_nvme};
use super::record::{first_record, note_superseded};
use super::recovered::Pass;
use super::room::check_room;
use crate::archive::{Archive, Archived};
use crate::config::Config;
use crate::error::{Error, Refusal, Result};
use crate::format::OpenRecord;
use crate::geometry::Geometry;
use crate::host::Host;
use crate::number::LogId;
use crate::recover::{Examined, Inputs, examine};
use crate::runs::Marks;
use crate::slot::Slots;

/// Of a log that may be gone on with.
pub(super) struct Found<H: Host> {
    pub(super) places: Places<H>,
    pub(super) fingerprint: u64,
    /// It is to be made.
    pub(super) created: bool,
    pub(super) geometry: Geometry,
    /// The last owner's, or the first.
    pub(super) record: OpenRecord,
    /// Tails that are to be made anew.
    pub(super) lost: Vec<PathBuf>,
    pub(super) marks: Marks,
    pub(super) slots: Slots,
    pub(super) examined: Examined,
    /// What that took.
    pub(super) scan: Pass,
    pub(super) archive: Option<Archive>,
    pub(super) archived: Option<Archived>,
    /// The archive may be taken back from another owner.
    pub(super) take_back: bool,
}

/// Locks what is there, reads it, and refuses what cannot be gone on with.
pub(super) fn find<H: Host>(host: &Arc<H>, config: &mut Config, boot: [u8; 16]) -> Result<Found<H>> {
    let archive = Archive::open(host, &config.archive)?;
    let places = Places::open(host, config)?;
    let fingerprint = places.nvme.fingerprint().map_err(Error::io("the superblock"))?;
    let old = known(&places)?;
    let created = old.is_none();
    let (geometry, record, lost) = match old {
        Some(old) => {
            let geometry = geometry_of(&old)?;
            config.agrees(&geometry)?;
            if old.fingerprint != fingerprint && !config.adopt {
                return Err(Refusal::Cloned { path: config.dir.clone() }.into());
            }
            let lost = places.check_tails(config, &old, boot)?;
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
    check_room(&record, config, &examined)?;
    // A copy is never the one that takes an archive back.
    let take_back = config.adopt && !created && record.fingerprint == fingerprint;
    let archived = look_at_archive(config, archive.as_ref(), &record, &examined, take_back)
        .inspect_err(|error| note_superseded(error, &record, &places.own_tails(&lost), &places.superblock))?;
    Ok(Found {
        places,
        fingerprint,
        created,
        geometry,
        record,
        lost,
        marks,
        slots,
        examined,
        scan,
        archive,
        archived,
        take_back,
    })
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
