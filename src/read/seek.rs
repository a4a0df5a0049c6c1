//! From a stamp, or a moment, to a place in each lane.

use std::sync::Arc;

use super::cursor::LaneCursor;
use super::cut::Cut;
use super::group::{Group, GroupReader, Stop};
use super::lane::batch_start;
use crate::error::Result;
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn, Position};

/// Behind the last batch of each lane that is stamped at or below `gsn`, of what is there now. Segments and objects are
/// chosen by their heads, then one of either is read.
pub(crate) fn seek(media: &Arc<Media>, gsn: Gsn) -> Result<Cut> {
    let mut archived = None;
    let mut cut = Cut::start();
    for lane in media.lanes() {
        let here = media.oldest(lane);
        let mut from = nearest(media, lane, gsn);
        if from.is_none() && media.oldest_anywhere(lane)? < here {
            if archived.is_none() {
                archived = media.ask_archive(|reader| reader.before(gsn))?;
            }
            from = archived.as_ref().and_then(|stands| stands.get(lane.0 as usize)).copied();
        }
        cut.set(behind(media, lane, from.unwrap_or(here), gsn)?);
    }
    Ok(cut)
}

/// Where the newest segment begins before which nothing is stamped above `gsn`. A stamp of 0 says nothing.
fn nearest(media: &Media, lane: Lane, gsn: Gsn) -> Option<Lsn> {
    let catalogue = media.catalogue();
    let headers = catalogue.of_lane(lane).iter().map(|entry| entry.header);
    let below = headers.filter(|header| header.gsn_before > Gsn(0) && header.gsn_before <= gsn);
    below.map(|header| header.first).max().filter(|first| *first >= media.oldest(lane))
}

fn behind(media: &Arc<Media>, lane: Lane, from: Lsn, gsn: Gsn) -> Result<Position> {
    let start = batch_start(media, lane, from, media.oldest_anywhere(lane)?)?;
    let mut reader = GroupReader::new(LaneCursor::new(media.clone(), lane, start));
    let mut group = Group::default();
    let limit = media.board.published(lane);
    loop {
        let at = reader.cursor.at;
        match reader.next(limit, &mut group) {
            Ok(()) if group.gsn <= gsn => {}
            Ok(()) => return Ok(Position { epoch: group.epoch, lane, lsn: group.start }),
            Err(Stop::Limit) => return Ok(media.position(lane, at)),
            Err(stop) => return Err(stop.into_error(lane, at)),
        }
    }
}
