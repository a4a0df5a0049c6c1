//! One lane, from its watermark to its first hole.

use std::sync::Arc;

use tierlog_tiers::nvme::FileName;

use super::stretch::{Ahead, Passed};
use super::table::{Hole, Verdict, judge};
use crate::error::{Error, Result};
use crate::format::{EpochRange, SEGMENT_HEADER_BYTES, Watermark};
use crate::frame::{Dep, HEADER_BYTES, Kind, decode_deps};
use crate::media::Media;
use crate::number::{Gsn, LINE_BYTES, Lane, Lsn};
use crate::read::{Batches, Evidence, FrameError, GLIDE_BYTES, LaneCursor, SegmentCursor, Stop};

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

/// Where a lane's scan begins: everything below is stable.
pub(super) fn beginning(range: &EpochRange, mark: &Watermark) -> Lsn {
    let same_open = mark.epoch == range.epoch && mark.incarnation == range.incarnation;
    if same_open { mark.drained.max(range.first) } else { range.first }
}

/// Reads the lane's last epoch, of which so much is known `ahead`.
///
/// # Errors
/// [`Error::Corrupt`] where the table says that acknowledged bytes are missing; I/O errors.
pub(super) fn scan_lane(
    media: &Arc<Media>,
    range: &EpochRange,
    mark: &Watermark,
    ahead: &Ahead,
) -> Result<LaneScan> {
    let (lane, from) = (range.lane, beginning(range, mark));
    let mut scan = LaneScan {
        lane,
        from,
        end: from,
        gsn: mark.gsn,
        dependents: Vec::new(),
        why: String::new(),
        cut_at: None,
    };
    let mut cursor = LaneCursor::new(media.clone(), lane, from);
    let stop = walk(&mut cursor, &mut scan, ahead);
    let (at, unreadable, misplaced, what) = match stop {
        Stop::Limit => (scan.end, false, false, String::new()),
        Stop::Hole(at, bad) => (at, may_be_unreadable(media, lane, at), false, format!("{bad:?}")),
        Stop::Misplaced(at, what) => (at, false, true, what.to_string()),
        Stop::Frame(FrameError::Fault(fault)) => (scan.end, true, false, fault.to_string()),
        Stop::Frame(FrameError::Hole(bad)) => (scan.end, false, false, format!("{bad:?}")),
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

/// Passes over group after group to the first thing that is none.
fn walk(cursor: &mut LaneCursor, scan: &mut LaneScan, ahead: &Ahead) -> Stop {
    let media = cursor.media().clone();
    let mut passed = Passed::new(scan.end, scan.gsn, Batches::default());
    let (mut deps, mut frame, mut glide_from) = (Vec::new(), Vec::new(), Lsn(0));
    loop {
        // Nearly everything: frames that lie whole in the tail, and no question about them.
        if deps.is_empty() {
            passed.join(cursor, ahead);
            // Some page ahead cannot be read: frame by frame, then, to where it ends or NVMe has it.
            if cursor.at >= glide_from && passed.glide(cursor).is_err() {
                glide_from = Lsn(cursor.at.0 + GLIDE_BYTES);
            }
        }
        let (start, at) = (passed.end, cursor.at);
        (scan.end, scan.gsn) = (passed.end, passed.gsn);
        if cursor.range().is_none_or(|(range, _)| at >= range.end) {
            return Stop::Limit;
        }
        if passed.is_too_large(at, &media) {
            return Stop::Misplaced(at, "a batch is larger than any ring");
        }
        frame.clear();
        let ended = match cursor.frame(&mut frame) {
            Ok(header) => passed.take(&header).and_then(|ended| {
                if header.kind == Kind::Deps {
                    let body = &frame[HEADER_BYTES..HEADER_BYTES + header.len as usize];
                    deps.extend(decode_deps(body).ok_or("a deps frame of an unknown form")?);
                }
                Ok(ended)
            }),
            Err(FrameError::Hole(bad)) => return Stop::Hole(at, bad),
            Err(error) => return Stop::Frame(error),
        };
        match ended {
            Ok(true) if !deps.is_empty() => {
                scan.dependents.push(Dependent { start, deps: std::mem::take(&mut deps) });
            }
            Ok(_) => {}
            Err(what) => return Stop::Misplaced(at, what),
        }
    }
}

/// Whether what comes at `at`, in no segment that is known, may lie in one whose header the memory refuses.
fn may_be_unreadable(media: &Media, lane: Lane, at: Lsn) -> bool {
    let (board, geometry) = (&media.board, &media.geometry);
    if !media.has_tail(lane) || board.slot_of(lane, at, geometry.slot_bytes()).is_some() {
        return false;
    }
    let (tail, ring) = media.ring(lane);
    let unknown = (0..board.slots()).filter(|slot| board.slot_first(lane, *slot).is_none());
    let mut header = [0; SEGMENT_HEADER_BYTES];
    unknown
        .map(|slot| ring + slot as u64 * geometry.segment_bytes)
        .any(|place| media.tails[tail].read(place, &mut header).is_err())
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
        let mut evidence = Evidence::new(media.seal(range), hole);
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
            if !readable {
                evidence.unreadable();
            }
            let lines = window.chunks_exact(LINE_BYTES as usize).zip((from..).step_by(LINE_BYTES as usize));
            for (line, at) in lines.filter(|_| readable) {
                if evidence.line(line, Some(Lsn(first.0 + at)), slot_bytes - at).is_some() {
                    return true;
                }
            }
            from += len;
        }
    }
    false
}

fn fenced_on_nvme(media: &Arc<Media>, range: &EpochRange, hole: Lsn) -> Result<bool> {
    let entries: Vec<_> = {
        let catalogue = media.catalogue();
        let of_lane = catalogue.of_lane(range.lane);
        // The segment that should hold the hole, and everything written behind it.
        let holder = catalogue
            .holders(range.lane, range.epoch, hole)
            .first()
            .map_or(0, |(entry, _)| entry.header.sequence);
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
