//! One lane, from its watermark to its first hole.

use std::sync::Arc;

use tierlog_tiers::nvme::FileName;

use super::table::{Hole, Verdict, judge};
use crate::error::{Error, Result};
use crate::format::{EpochRange, SEGMENT_HEADER_BYTES, Watermark};
use crate::frame::{Dep, FENCED, FIRST, HEADER_BYTES, Header, peek, verify};
use crate::media::Media;
use crate::number::{Gsn, LINE_BYTES, Lane, Lsn};
use crate::read::{FrameError, Group, GroupReader, LaneCursor, SegmentCursor, Stop};

/// Bytes of the tail looked at in one piece.
const WINDOW_BYTES: u64 = 64 << 10;

/// A group that counts only if its dependencies do.
#[derive(Debug, Clone)]
pub(crate) struct Dependent {
    pub(crate) start: Lsn,
    pub(crate) deps: Vec<Dep>,
}

/// What a lane holds.
#[derive(Debug, Clone)]
pub(crate) struct LaneScan {
    pub(crate) lane: Lane,
    /// Where the scan began: everything below is stable.
    pub(crate) from: Lsn,
    /// End of the last whole stamped group.
    pub(crate) end: Lsn,
    /// The newest stamp seen.
    pub(crate) gsn: Gsn,
    pub(crate) dependents: Vec<Dependent>,
    /// Why it ends there, for the report.
    pub(crate) why: String,
    /// Whether anything was found behind the end, and cut off.
    pub(crate) cut_at: Option<Lsn>,
}

/// Reads the lane's last epoch.
///
/// # Errors
/// [`Error::Corrupt`] where the table says that acknowledged bytes are missing; I/O errors.
pub(crate) fn scan_lane(media: &Arc<Media>, range: &EpochRange, mark: &Watermark) -> Result<LaneScan> {
    let lane = range.lane;
    let same_open = mark.epoch == range.epoch && mark.incarnation == range.incarnation;
    let from = if same_open { mark.drained.max(range.first) } else { range.first };
    let mut scan = LaneScan {
        lane,
        from,
        end: from,
        gsn: mark.gsn,
        dependents: Vec::new(),
        why: String::new(),
        cut_at: None,
    };
    let mut reader = GroupReader::new(LaneCursor::new(media.clone(), lane, from));
    let mut group = Group::default();
    let stop = loop {
        match reader.next(Lsn(u64::MAX), &mut group) {
            Ok(()) => {
                (scan.end, scan.gsn) = (group.end, scan.gsn.max(group.gsn));
                if !group.deps.is_empty() {
                    scan.dependents
                        .push(Dependent { start: group.start, deps: std::mem::take(&mut group.deps) });
                }
            }
            Err(stop) => break stop,
        }
    };
    let (at, unreadable, misplaced, what) = match stop {
        Stop::Limit => (scan.end, false, false, String::new()),
        Stop::Hole(at, bad) => (at, false, false, format!("{bad:?}")),
        Stop::Misplaced(at, what) => (at, false, true, what.to_string()),
        Stop::Frame(FrameError::Fault(fault)) => (reader.cursor.at, true, false, fault.to_string()),
        Stop::Frame(FrameError::Hole(bad)) => (reader.cursor.at, false, false, format!("{bad:?}")),
        Stop::Frame(FrameError::System(error)) => return Err(error),
    };
    let hole = Hole {
        below_watermark: at < from,
        below_tail: oldest_slot(media, lane).is_some_and(|first| at < first),
        // What a lost tail held is given up by the user's word: what vouches for it on NVMe does not count.
        fenced_beyond: media.has_tail(lane) && fenced_beyond(media, range, at)?,
        unreadable,
        misplaced,
    };
    match judge(hole) {
        Verdict::Refuse(why) => Err(Error::Corrupt { lane, lsn: at, what: format!("{why} ({what})") }),
        Verdict::Cut(why) => {
            scan.why = why.to_string();
            scan.cut_at = (at > scan.end).then_some(at);
            Ok(scan)
        }
    }
}

/// Start of the oldest segment of a ring of which every segment is in use: only then was the one before it given up. In a
/// ring on its first lap nothing says that what comes before was ever fenced.
fn oldest_slot(media: &Media, lane: Lane) -> Option<Lsn> {
    let slots = media.board.slots();
    let firsts: Vec<Lsn> = (0..slots).filter_map(|slot| media.board.slot_first(lane, slot)).collect();
    if firsts.len() == slots { firsts.into_iter().min() } else { None }
}

/// Whether a valid frame beyond the hole says that everything before it was stable.
fn fenced_beyond(media: &Arc<Media>, range: &EpochRange, hole: Lsn) -> Result<bool> {
    Ok(fenced_in_tail(media, range, hole) || fenced_on_nvme(media, range, hole)?)
}

fn fenced_in_tail(media: &Media, range: &EpochRange, hole: Lsn) -> bool {
    let lane = range.lane;
    let (tail, ring) = media.ring(lane);
    let (segment_bytes, slot_bytes) = (media.geometry.segment_bytes, media.geometry.slot_bytes());
    let mut window = Vec::new();
    let slots = (0..media.board.slots()).filter_map(|slot| Some((slot, media.board.slot_first(lane, slot)?)));
    for (slot, first) in slots.filter(|(_, first)| first.0 + slot_bytes > hole.0) {
        let base = ring + slot as u64 * segment_bytes + SEGMENT_HEADER_BYTES as u64;
        let mut from = hole.0.saturating_sub(first.0).next_multiple_of(LINE_BYTES);
        while from < slot_bytes {
            let mut len = (slot_bytes - from).min(WINDOW_BYTES);
            window.resize(len as usize, 0);
            let mut readable = media.tails[tail].read(base + from, &mut window).is_ok();
            if !readable {
                // Memory that cannot be read proves nothing; what lies behind it may.
                len = LINE_BYTES;
                window.resize(len as usize, 0);
                readable = media.tails[tail].read(base + from, &mut window).is_ok();
            }
            let claims = window.chunks_exact(LINE_BYTES as usize).enumerate().filter(|_| readable);
            for (line, bytes) in claims {
                let at = from + line as u64 * LINE_BYTES;
                if claims_fence(bytes, Lsn(first.0 + at), hole)
                    && is_fenced(media, range, tail, base + at, bytes, slot_bytes - at)
                {
                    return true;
                }
            }
            from += len;
        }
    }
    false
}

/// A cheap look first: nearly every line fails it.
fn claims_fence(line: &[u8], lsn: Lsn, hole: Lsn) -> bool {
    line.first_chunk().and_then(Header::decode).is_some_and(|header| {
        header.lsn == lsn && lsn > hole && header.flags & (FIRST | FENCED) == FIRST | FENCED
    })
}

fn is_fenced(media: &Media, range: &EpochRange, tail: usize, at: u64, line: &[u8], room: u64) -> bool {
    let Some(head) = line.first_chunk::<HEADER_BYTES>() else { return false };
    let seal = media.seal(range);
    let lsn = Header::decode(head).map_or(Lsn(0), |header| header.lsn);
    let Ok(header) = peek(&seal, lsn, head, room) else { return false };
    let mut frame = vec![0; header.frame_bytes()];
    media.tails[tail].read(at, &mut frame).is_ok() && verify(&seal, &header, &frame).is_ok()
}

fn fenced_on_nvme(media: &Arc<Media>, range: &EpochRange, hole: Lsn) -> Result<bool> {
    let entries: Vec<_> = {
        let catalogue = media.catalogue();
        let of_lane = catalogue.of_lane(range.lane);
        // The segment that should hold the hole, and everything written behind it.
        let holder =
            catalogue.find(range.lane, range.epoch, hole).map_or(0, |(entry, _)| entry.header.sequence);
        let of_epoch = |entry: &&crate::catalogue::Entry| {
            (entry.header.epoch, entry.header.incarnation) == (range.epoch, range.incarnation)
                && entry.header.sequence >= holder
        };
        of_lane.iter().filter(of_epoch).copied().collect()
    };
    for entry in entries {
        let what = format!("segment {:08}", entry.file);
        let file = media.nvme.open(FileName::Segment(entry.file), false).map_err(Error::io(what.clone()))?;
        if SegmentCursor::new(entry, file).evidence_beyond(hole).map_err(Error::io(what))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
