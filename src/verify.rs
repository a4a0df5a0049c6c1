//! Verify: every byte that counts, in every tier that has it.

use serde::Serialize;

use std::sync::Arc;

use crate::archive::Archive;
use crate::board::Water;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::Machine;
use crate::number::{Lane, LogId, Lsn};
use crate::read::{FrameError, Group, GroupReader, LaneCursor, Stop};
use crate::repair::look_over;
use crate::restore::check_objects;
use crate::view::View;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `tail`, `nvme`, `archive`, or `log` where no tier has it.
    pub tier: &'static str,
    /// The lane, where it is one lane's.
    pub lane: Option<Lane>,
    /// Where, in that lane.
    pub lsn: Option<Lsn>,
    /// What was found.
    pub what: String,
}

/// What a verify read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The log.
    pub log: String,
    /// A tail is ordinary memory served as if it were persistent.
    pub emulated: bool,
    /// Records that count.
    pub records: u64,
    /// Bytes of their frames.
    pub frame_bytes: u64,
    /// Bytes of them read on NVMe.
    pub nvme_bytes: u64,
    /// Bytes of them read in tails.
    pub tail_bytes: u64,
    /// Objects of the archive read.
    pub objects: u64,
    /// Everything that is wrong; empty for a log that is whole.
    pub findings: Vec<Finding>,
}

/// Reads every tier of the log in `config.dir`, and its archive if one is configured. Beside a live owner it reads what is
/// stable now.
///
/// # Errors
/// What keeps it from reading at all; damage is a finding.
pub fn verify(config: &Config) -> Result<Verified> {
    let view = match View::open(config) {
        Ok(view) => view,
        Err(Error::Corrupt { lane, lsn, what }) => return Ok(unreadable(lane, lsn, what)),
        Err(error) => return Err(error),
    };
    let mut verified = Verified {
        log: view.id().to_string(),
        emulated: view.is_emulated(),
        records: 0,
        frame_bytes: 0,
        nvme_bytes: 0,
        tail_bytes: 0,
        objects: 0,
        findings: Vec::new(),
    };
    for lane in view.media().lanes() {
        verify_lane(&view, lane, &mut verified)?;
    }
    verify_archive(config, view.id(), &mut verified)?;
    Ok(verified)
}

fn unreadable(lane: Lane, lsn: Lsn, what: String) -> Verified {
    let finding = Finding { tier: "log", lane: Some(lane), lsn: Some(lsn), what };
    Verified {
        log: String::new(),
        emulated: false,
        records: 0,
        frame_bytes: 0,
        nvme_bytes: 0,
        tail_bytes: 0,
        objects: 0,
        findings: vec![finding],
    }
}

fn verify_lane(view: &View, lane: Lane, into: &mut Verified) -> Result<()> {
    let (media, live) = (view.media(), view.is_live());
    let oldest = media.oldest(lane);
    let published = media.board.published(lane);
    // All that counts, from whichever tier has it.
    let whole = walk(LaneCursor::new(media.clone(), lane, oldest), published);
    into.records += whole.records;
    into.frame_bytes += whole.bytes;
    note(into, "log", lane, whole.wrong);
    // NVMe by itself, as far as it is said to hold it.
    let on_nvme = if view.was_closed() { published } else { media.board.water(lane, Water::Drained) };
    let mut read = |bytes| {
        into.nvme_bytes += bytes;
        true
    };
    for damage in look_over(media, lane, on_nvme.min(published), &mut read)? {
        // Given up by the owner while it was read.
        if damage.end > media.oldest(lane) {
            note(into, "nvme", lane, Some((damage.hole, damage.what)));
        }
    }
    // The tail by itself, from its oldest segment.
    let slots = (0..media.board.slots()).filter_map(|slot| media.board.slot_first(lane, slot));
    if let Some(first) = slots.min() {
        let tail = walk_frames(LaneCursor::new(media.clone(), lane, first).without_nvme(), published);
        into.tail_bytes += tail.bytes;
        if !live {
            note(into, "tail", lane, tail.wrong);
        }
    }
    Ok(())
}

fn note(into: &mut Verified, tier: &'static str, lane: Lane, wrong: Option<(Lsn, String)>) {
    if let Some((lsn, what)) = wrong {
        into.findings.push(Finding { tier, lane: Some(lane), lsn: Some(lsn), what });
    }
}

#[derive(Default)]
struct Walked {
    records: u64,
    bytes: u64,
    wrong: Option<(Lsn, String)>,
}

fn walk(cursor: LaneCursor, limit: Lsn) -> Walked {
    let lane = cursor.lane;
    let mut reader = GroupReader::new(cursor);
    let mut group = Group::default();
    let mut walked = Walked::default();
    loop {
        let at = reader.cursor.at;
        match reader.next(limit, &mut group) {
            Ok(()) => {
                walked.records += group.items.len() as u64;
                walked.bytes += group.raw.len() as u64;
            }
            // A limit inside a group: the rest is in the tail only.
            Err(Stop::Limit) => return walked,
            Err(stop) => {
                let lsn = if let Stop::Hole(lsn, _) | Stop::Misplaced(lsn, _) = &stop { *lsn } else { at };
                walked.wrong = Some((lsn, stop.into_error(lane, at).to_string()));
                return walked;
            }
        }
    }
}

/// A tail segment may begin inside a batch: frame by frame.
fn walk_frames(mut cursor: LaneCursor, limit: Lsn) -> Walked {
    let mut walked = Walked::default();
    let mut frame = Vec::new();
    while cursor.at < limit {
        frame.clear();
        match cursor.frame(&mut frame) {
            Ok(_) => walked.bytes += frame.len() as u64,
            Err(error) => {
                let what = match error {
                    FrameError::Hole(bad) => format!("no valid frame ({bad:?})"),
                    FrameError::Fault(fault) => fault.to_string(),
                    FrameError::System(error) => error.to_string(),
                };
                walked.wrong = Some((cursor.at, what));
                return walked;
            }
        }
    }
    walked
}

fn verify_archive(config: &Config, log: LogId, into: &mut Verified) -> Result<()> {
    let host = Arc::new(Machine::detect());
    let Some(archive) = Archive::view(&host, &config.archive)? else { return Ok(()) };
    let finding = |what: Error| Finding { tier: "archive", lane: None, lsn: None, what: what.to_string() };
    match check_objects(&archive, log, &mut |_| true) {
        Ok(checked) => {
            into.objects = checked.objects;
            into.findings.extend(checked.harms.into_iter().map(|harm| finding(harm.what)));
        }
        // The base itself.
        Err(error @ (Error::Corrupt { .. } | Error::Refused(_))) => into.findings.push(finding(error)),
        Err(error) => return Err(error),
    }
    Ok(())
}
