//! What of a lane cannot be read on NVMe: segment by segment, so that one hole hides no other.

use std::sync::Arc;

use tierlog_tiers::nvme::FileName;

use crate::catalogue::Entry;
use crate::error::{Error, Result};
use crate::format::EpochRange;
use crate::media::Media;
use crate::number::{Lane, Lsn};
use crate::read::{FrameError, LaneCursor};

/// A part of a lane that NVMe should hold and does not: a segment with a hole, or one that is not there.
#[derive(Debug, Clone)]
pub(crate) struct Damage {
    pub(crate) range: EpochRange,
    /// Where the segment begins.
    pub(crate) first: Lsn,
    /// The first frame that cannot be read.
    pub(crate) hole: Lsn,
    /// Where the next segment takes over.
    pub(crate) end: Lsn,
    /// The newest segment that should hold it; `None` where there is none.
    pub(crate) entry: Option<Entry>,
    pub(crate) what: String,
}

/// Reads a lane on NVMe from its oldest record up to `upto`; `read` is told how many bytes, and ends it with false.
pub(crate) fn look_over(
    media: &Arc<Media>,
    lane: Lane,
    upto: Lsn,
    read: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    let mut cursor = LaneCursor::new(media.clone(), lane, media.oldest(lane)).without_tail();
    let mut frame = Vec::new();
    while cursor.at < upto {
        let Some((range, _)) = cursor.range() else { break };
        frame.clear();
        match cursor.frame(&mut frame) {
            Ok(_) => {}
            Err(error) => {
                let damage = damage(media, &range, cursor.at, range.end.min(upto), error)?;
                cursor.rewind(damage.end);
                found.push(damage);
            }
        }
        if !read(frame.len() as u64) {
            break;
        }
    }
    Ok(found)
}

fn damage(media: &Media, range: &EpochRange, hole: Lsn, stop: Lsn, error: FrameError) -> Result<Damage> {
    let of_lane = media.catalogue().of_lane(range.lane).to_vec();
    let later = of_lane.iter().map(|entry| entry.header);
    let later = later.filter(|header| header.epoch == range.epoch && header.first > hole);
    let end = later.map(|header| header.first).min().map_or(stop, |first| first.min(stop));
    let holders = media.catalogue().holders(range.lane, range.epoch, hole);
    let holder = holders.into_iter().find(|(entry, _)| entry.header.incarnation == range.incarnation);
    // A segment ends at the latest where the next one begins.
    let holder = holder.map(|(entry, _)| entry).filter(|entry| !ends_before(&of_lane, entry, hole));
    let Some(entry) = holder else {
        let what = "no segment holds it".into();
        return Ok(Damage { range: *range, first: hole, hole, end, entry: None, what });
    };
    let path = media.nvme_path.join(FileName::Segment(entry.file).to_string());
    let what = match error {
        FrameError::Hole(bad) => format!("no valid frame ({bad:?})"),
        FrameError::Fault(fault) => fault.to_string(),
        // The medium refuses to read it; whatever keeps it from being opened is no damage.
        FrameError::System(error) => {
            let opened = media.nvme.open(FileName::Segment(entry.file), false);
            drop(opened.map_err(Error::io(path.display().to_string()))?);
            error.to_string()
        }
    };
    let what = format!("{}: {what}", path.display());
    Ok(Damage { range: *range, first: entry.header.first, hole, end, entry: Some(entry), what })
}

/// Whether a segment that is not there any more stood between `entry` and the hole: their sequences tell.
fn ends_before(of_lane: &[Entry], entry: &Entry, hole: Lsn) -> bool {
    let next = of_lane.iter().map(|other| other.header).filter(|header| header.epoch == entry.header.epoch);
    let next = next.filter(|header| header.first > hole).map(|header| header.sequence).min();
    next.is_some_and(|next| next > entry.header.sequence + 1)
}
