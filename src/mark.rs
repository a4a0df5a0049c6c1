//! Marks: names that the user writes into the log, each for everything that was committed before it.
//!
//! A mark is a frame of its own kind whose payload is the name. It stands for the batches stamped at or below its own, so
//! it never cuts through one.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn, Position};
use crate::read::{Group, GroupReader, LaneCursor, Stop};

const NAME_BYTES_MAX: usize = 255;

/// A mark that was found in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Its name; the newest of a name counts.
    pub name: String,
    /// It stands for every batch stamped at or below.
    pub gsn: Gsn,
    /// Where it lies.
    pub at: Position,
}

/// # Errors
/// [`Error::Config`] for a name that no mark can have.
pub(crate) fn check(name: &str) -> Result<()> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "{name:?} cannot be a mark: 1 to {NAME_BYTES_MAX} bytes, no control characters"
    )))
}

/// All that count, by stamp.
pub(crate) fn marks(media: &Arc<Media>) -> Result<Vec<Mark>> {
    let mut found = Vec::new();
    for lane in media.lanes() {
        each_group(media, lane, |group| {
            for item in &group.marks {
                let name = String::from_utf8_lossy(group.payload(item)).into_owned();
                let at = Position { epoch: group.epoch, lane, lsn: item.lsn };
                found.push(Mark { name, gsn: group.gsn, at });
            }
            true
        })?;
    }
    found.sort_by_key(|mark| (mark.gsn, mark.at));
    Ok(found)
}

/// A lane's groups from the oldest on, as far as they are stable, until `take` has enough.
fn each_group(media: &Arc<Media>, lane: Lane, mut take: impl FnMut(&Group) -> bool) -> Result<()> {
    let limit: Lsn = media.stable(lane);
    let mut reader = GroupReader::new(LaneCursor::new(media.clone(), lane, media.oldest(lane)));
    let mut group = Group::default();
    loop {
        let at = reader.cursor.at;
        match reader.next(limit, &mut group) {
            Ok(()) if take(&group) => {}
            Ok(()) | Err(Stop::Limit) => return Ok(()),
            Err(stop) => return Err(stop.into_error(lane, at)),
        }
    }
}
