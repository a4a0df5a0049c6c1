//! Making what was accepted Power-durable: it may still sit in caches, and a second crash must not take back what was
//! built on it. Everything above NVMe's own end moves from the tail to fresh NVMe segments headed by the old epoch, which
//! empties the rings (docs/decisions/0004).

use std::sync::Arc;

use tierlog_tiers::nvme::FileName;

use crate::board::Water;
use crate::error::{Error, Result};
use crate::media::Media;
use crate::number::{Epoch, Lane, Lsn};
use crate::read::{FrameError, LaneCursor};
use crate::recover::Examined;
use crate::runs::{LaneRuns, Marks, MediaFrames, Pool, Sink};

/// Moves and flushes; afterwards NVMe alone holds everything that counts. Returns the bytes of frames moved.
pub(crate) fn settle(examined: &Examined, marks: &Marks, pool: &Pool) -> Result<u64> {
    let media = &examined.media;
    let mut moved = 0;
    for scan in &examined.scans {
        let lane = scan.lane;
        let Some(range) = examined.ranges[lane.0 as usize].last() else { continue };
        flush_segments(media, lane, range.epoch)?;
        let nvme_end = end_on_nvme(media, lane, scan.from, scan.end)?;
        if nvme_end >= scan.end {
            continue;
        }
        let sequence =
            media.catalogue().of_lane(lane).iter().map(|entry| entry.header.sequence).max().unwrap_or(0);
        let mut runs = LaneRuns::new(media, *range, nvme_end, sequence);
        let mut frames = MediaFrames::new(LaneCursor::new(media.clone(), lane, nvme_end));
        runs.write(media, pool, &mut frames, scan.end, true, &mut Sink::Now)?;
        runs.prove(media, nvme_end, scan.end)?;
        marks.set(lane, |mark| {
            (mark.epoch, mark.incarnation) = (range.epoch, range.incarnation);
            (mark.drained, mark.gsn) = (scan.end, scan.gsn);
        })?;
        media.board.raise_water(lane, Water::Durable, scan.end);
        moved += scan.end.0 - nvme_end.0;
    }
    Ok(moved)
}

/// How far NVMe alone goes, frame by frame, from the oldest LSN that the tail could still mend.
fn end_on_nvme(media: &Arc<Media>, lane: Lane, from: Lsn, end: Lsn) -> Result<Lsn> {
    let in_tail = (0..media.board.slots()).filter_map(|slot| media.board.slot_first(lane, slot)).min();
    let from = in_tail.map_or(from, |first| first.min(from));
    let mut cursor = LaneCursor::new(media.clone(), lane, from).without_tail();
    let mut frame = Vec::new();
    while cursor.at < end {
        frame.clear();
        match cursor.frame(&mut frame) {
            Ok(_) => {}
            Err(FrameError::System(error)) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(cursor.at)
}

/// What a killed process wrote may still be in the drive's cache.
fn flush_segments(media: &Media, lane: Lane, epoch: Epoch) -> Result<()> {
    let files: Vec<u32> = {
        let catalogue = media.catalogue();
        catalogue
            .of_lane(lane)
            .iter()
            .filter(|entry| entry.header.epoch == epoch)
            .map(|entry| entry.file)
            .collect()
    };
    for number in files {
        let what = format!("segment {number:08}");
        let file = media.nvme.open(FileName::Segment(number), true).map_err(Error::io(what.clone()))?;
        file.flush().map_err(Error::io(what))?;
    }
    Ok(())
}
