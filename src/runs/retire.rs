//! Giving tail slots back, once their frames are proved on NVMe.
//!
//! Without the lane's run lock: no commit waits while a drainer reads back or notes how far it is.

use std::sync::Arc;

use super::Marks;
use crate::board::Water;
use crate::error::{Error, Result};
use crate::media::Media;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn};
use crate::read::{FrameError, LaneCursor};

/// Gives back the tail slots that lie wholly below `upto`, the end of a stamped batch that is stable on NVMe. In this
/// order: the frames are read back by `prove`, the watermark is made durable, the slot is freed. Returns how many.
pub(crate) fn retire_slots(
    media: &Media,
    marks: &Marks,
    lane: Lane,
    open: (Epoch, Incarnation),
    (upto, gsn): (Lsn, Gsn),
    prove: impl FnOnce() -> Result<()>,
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
    prove()?;
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

/// Before what was not given back: to be read from NVMe, as it was written last.
pub(crate) fn unproved(media: &Arc<Media>, lane: Lane) -> LaneCursor {
    LaneCursor::new(media.clone(), lane, media.board.water(lane, Water::Drained)).newest_on_nvme()
}

/// A drive may acknowledge a write and lose it: reads back every frame up to `upto`, while the tail still has them.
///
/// # Errors
/// [`Error::Corrupt`] naming the first that is not there; what the system says where it cannot be read.
pub(crate) fn prove(cursor: &mut LaneCursor, upto: Lsn) -> Result<()> {
    let mut frame = Vec::new();
    while cursor.at < upto {
        frame.clear();
        match cursor.frame(&mut frame) {
            Ok(_) => {}
            Err(FrameError::System(error)) => return Err(error),
            Err(error) => {
                let what = format!("what was written to NVMe reads back otherwise ({error:?})");
                return Err(Error::Corrupt { lane: cursor.lane, lsn: cursor.at, what });
            }
        }
    }
    Ok(())
}
