//! Frames that lie whole in the tail, and no question about them, passed where they lie: each segment by itself, so that
//! even one lane's are by as many threads as there are. A segment's stretch ends at its first frame of dependencies, and at
//! a frame larger than a look (1 MiB).

use std::collections::BTreeMap;
use std::sync::Arc;

use tierlog_tiers::tail::Fault;

use super::scan::beginning;
use crate::format::EpochRange;
use crate::frame::{Header, Kind};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn};
use crate::read::{Batches, LaneCursor};
use crate::runs::Marks;
use crate::side_by_side::side_by_side;

/// What has been passed of a lane: whole groups up to `end`, and a part of the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) end: Lsn,
    pub(super) gsn: Gsn,
    batches: Batches,
}

impl Passed {
    pub(super) fn new(end: Lsn, gsn: Gsn, batches: Batches) -> Self {
        Passed { end, gsn, batches }
    }

    /// Takes the next frame in; true if it ends a group.
    pub(super) fn take(&mut self, header: &Header) -> Result<bool, &'static str> {
        let Some(gsn) = self.batches.take(header)? else { return Ok(false) };
        self.gsn = self.gsn.max(gsn);
        self.end = Lsn(header.lsn.0 + header.frame_bytes() as u64);
        Ok(true)
    }

    /// Whether a group that goes on to `at` is larger than any ring, so that it cannot have been written.
    pub(super) fn is_too_large(&self, at: Lsn, media: &Media) -> bool {
        at.0 - self.end.0 > media.geometry.ring_bytes()
    }

    /// Moves over frames, of one segment at most, to the first that needs another look.
    ///
    /// # Errors
    /// [`Fault`]: nothing was passed.
    pub(super) fn glide(&mut self, cursor: &mut LaneCursor) -> Result<(), Fault> {
        let media = cursor.media().clone();
        let mut further = *self;
        cursor.glide(|header| {
            let mut next = further;
            let plain = header.kind != Kind::Deps
                && !further.is_too_large(header.lsn, &media)
                && next.take(header).is_ok();
            if plain {
                further = next;
            }
            plain
        })?;
        *self = further;
        Ok(())
    }

    /// Moves over stretches that were passed before, as far as they continue this.
    pub(super) fn join(&mut self, cursor: &mut LaneCursor, ahead: &Ahead) {
        while let Some(stretch) = ahead.0.get(&(cursor.lane, cursor.at))
            && stretch.before == self.batches
            && !self.is_too_large(stretch.to, cursor.media())
        {
            let Passed { end, gsn, batches } = stretch.passed;
            *self =
                Passed { end: if end > cursor.at { end } else { self.end }, gsn: self.gsn.max(gsn), batches };
            cursor.at = stretch.to;
        }
    }
}

/// What was passed of a segment ahead of the frames before it.
#[derive(Debug)]
pub(super) struct Stretch {
    to: Lsn,
    /// What comes before has to end so.
    before: Batches,
    /// Its end is where the stretch begins, if no group ends there.
    passed: Passed,
}

/// The stretches of an open's lanes, by where they begin.
#[derive(Debug, Default)]
pub(super) struct Ahead(pub(super) BTreeMap<(Lane, Lsn), Stretch>);

impl Ahead {
    /// Looks at every segment of the tail that holds something of `open`, behind the watermarks.
    pub(super) fn look(media: &Arc<Media>, open: &[EpochRange], marks: &Marks) -> Self {
        let (board, slot_bytes) = (&media.board, media.geometry.slot_bytes());
        let of_lane = |range: &EpochRange| {
            let (lane, from) = (range.lane, beginning(range, &marks.of(range.lane)));
            let firsts = (0..board.slots()).filter_map(move |slot| board.slot_first(lane, slot));
            let ahead = firsts.filter(move |first| first.0 + slot_bytes > from.0);
            ahead.map(move |first| (lane, first.max(from), Lsn(first.0 + slot_bytes)))
        };
        let segments: Vec<_> = open.iter().flat_map(of_lane).collect();
        let found = side_by_side(segments, media.env.threads(), |(lane, at, end)| {
            let stretch = |before| Stretch::of(LaneCursor::new(media.clone(), lane, at), end, before);
            let mut found = [Batches::default(), Batches::OPEN].into_iter().map(stretch);
            found.find(|stretch| stretch.to > at).map(|stretch| ((lane, at), stretch))
        });
        Ahead(found.into_iter().flatten().collect())
    }
}

impl Stretch {
    /// From where the cursor stands to the end of the segment, if what comes `before` ends like that.
    fn of(mut cursor: LaneCursor, end: Lsn, before: Batches) -> Self {
        let mut passed = Passed::new(cursor.at, Gsn(0), before);
        loop {
            let from = cursor.at;
            if from >= end || passed.glide(&mut cursor).is_err() || cursor.at == from {
                return Stretch { to: cursor.at, before, passed };
            }
        }
    }
}
