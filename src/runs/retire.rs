//! Giving tail slots back, once their frames are proved on NVMe.

use std::sync::Arc;

use super::{LaneRuns, Marks};
use crate::board::Water;
use crate::error::Result;
use crate::media::Media;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn};

/// Gives back the tail slots that lie wholly below `upto`, the end of a stamped batch that is stable on NVMe. In this
/// order: the frames are read back, the watermark is made durable, the slot is freed. Returns how many.
pub(crate) fn retire_slots(
    media: &Arc<Media>,
    marks: &Marks,
    runs: &mut LaneRuns,
    lane: Lane,
    open: (Epoch, Incarnation),
    read_back: bool,
    (upto, gsn): (Lsn, Gsn),
) -> Result<u64> {
    let slot_bytes = media.geometry.slot_bytes();
    let ripe: Vec<usize> = (0..media.board.slots())
        .filter(|slot| {
            media.board.slot_first(lane, *slot).is_some_and(|first| first.0 + slot_bytes <= upto.0)
        })
        .collect();
    if ripe.is_empty() {
        return Ok(0);
    }
    if read_back {
        runs.prove(media, media.board.water(lane, Water::Drained), upto)?;
    }
    marks.set(lane, |mark| {
        (mark.epoch, mark.incarnation) = open;
        mark.drained = mark.drained.max(upto);
        mark.gsn = mark.gsn.max(gsn);
    })?;
    media.board.raise_water(lane, Water::Drained, upto);
    for slot in &ripe {
        media.board.free_slot(lane, *slot);
    }
    Ok(ripe.len() as u64)
}
