//! Reading one lane, in its own order.

use std::sync::Arc;
use std::time::Duration;

use super::cursor::LaneCursor;
use super::group::{Group, GroupReader, Stop};
use crate::error::{Error, Result};
use crate::frame::FIRST;
use crate::media::{Horizon, Media};
use crate::number::{Gsn, LINE_BYTES, Lane, Lsn, Position};

/// How long a follower sleeps between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A record, lent by the reader until its next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The lane that it was appended to.
    pub lane: Lane,
    /// Where it lies.
    pub lsn: Lsn,
    /// Its batch's stamp.
    pub gsn: Gsn,
    /// The user's tag.
    pub stream: u32,
    /// The user's bytes.
    pub payload: &'a [u8],
}

/// Reads one lane; a lending iterator.
#[derive(Debug)]
pub struct LaneReader {
    pub(super) head: Head,
    stream: Option<u32>,
}

/// The next group of a lane, and what was taken of it.
#[derive(Debug)]
pub(super) struct Head {
    reader: GroupReader,
    pub(super) group: Group,
    pub(super) next: usize,
    /// Whether `group` holds something not yet passed.
    pub(super) loaded: bool,
    handed_out: bool,
    /// Records below were asked to be left out.
    from: Lsn,
}

impl Head {
    /// # Errors
    /// [`Error::Trimmed`], [`Error::Lost`].
    pub(super) fn new(media: &Arc<Media>, lane: Lane, from: Option<Position>) -> Result<Self> {
        media.check_lane(lane)?;
        let oldest = media.oldest_anywhere(lane)?;
        let from = match from {
            Some(position) => check(media, position, oldest)?,
            None => oldest,
        };
        let cursor = LaneCursor::new(media.clone(), lane, batch_start(media, lane, from, oldest)?);
        let reader = GroupReader::new(cursor);
        Ok(Head { reader, group: Group::default(), next: 0, loaded: false, handed_out: false, from })
    }

    pub(super) fn lane(&self) -> Lane {
        self.reader.cursor.lane
    }

    fn media(&self) -> &Arc<Media> {
        self.reader.cursor.media()
    }

    /// Loads the next group stamped at or below `closed`, if there is one.
    pub(super) fn load(&mut self, closed: Gsn) -> Result<bool> {
        let mut again = false;
        while !self.loaded {
            let limit = self.media().board.published(self.lane());
            let at = self.reader.cursor.at;
            match self.reader.next(limit, &mut self.group) {
                Ok(()) => {
                    self.next = 0;
                    self.loaded = true;
                    self.handed_out = false;
                }
                Err(Stop::Limit) if self.reader.cursor.at >= limit => return Ok(false),
                Err(stop) => {
                    if let Some(error) = self.trimmed(at) {
                        return Err(error);
                    }
                    // What was given up here meanwhile is in the archive.
                    if again || at >= self.media().oldest(self.lane()) {
                        return Err(stop.into_error(self.lane(), at));
                    }
                    again = true;
                    continue;
                }
            }
            let skip = self.group.items.partition_point(|item| item.lsn < self.from);
            self.next = skip;
            if self.next == self.group.items.len() && self.group.gsn <= closed {
                self.pass();
            }
        }
        Ok(self.group.gsn <= closed)
    }

    /// Whether what was to be read next was given up meanwhile, everywhere.
    fn trimmed(&self, at: Lsn) -> Option<Error> {
        // An archive that cannot be asked is the error that there is already.
        let oldest = self.media().oldest_anywhere(self.lane()).ok()?;
        (at < oldest).then(|| Error::Trimmed { position: self.position(), oldest })
    }

    /// Leaves the group behind; what is committed from now on comes after it.
    pub(super) fn pass(&mut self) {
        self.loaded = false;
    }

    /// Takes the next record of the loaded group; the first one taken makes the group count as read.
    pub(super) fn take(&mut self) -> Option<usize> {
        let index = (self.next < self.group.items.len()).then_some(self.next)?;
        if !self.handed_out {
            self.media().hand_out(self.lane(), self.group.end, self.group.gsn);
            self.handed_out = true;
        }
        self.next += 1;
        Some(index)
    }

    pub(super) fn record(&self, index: usize) -> Record<'_> {
        let item = &self.group.items[index];
        let (lsn, stream) = (item.lsn, item.stream);
        Record { lane: self.group.lane, lsn, gsn: self.group.gsn, stream, payload: self.group.payload(item) }
    }

    /// Where reading goes on.
    pub(super) fn position(&self) -> Position {
        let at = match self.loaded {
            true if self.next < self.group.items.len() => self.group.items[self.next].lsn,
            true => self.group.end,
            false => self.reader.cursor.at.max(self.from),
        };
        self.media().position(self.lane(), at)
    }
}

fn check(media: &Media, position: Position, oldest: Lsn) -> Result<Lsn> {
    if !position.lsn.0.is_multiple_of(LINE_BYTES) {
        return Err(Error::Config(format!(
            "{}: no record begins there: LSNs are multiples of {LINE_BYTES}",
            position.lsn
        )));
    }
    if position.lsn < oldest {
        return Err(Error::Trimmed { position, oldest });
    }
    if media.is_lost(position) { Err(Error::Lost { position }) } else { Ok(position.lsn) }
}

/// Where to begin so as to read on from `from`, which may lie inside a batch: the start of a batch at or before it.
/// Looks from the nearest segment start backwards.
pub(crate) fn batch_start(media: &Arc<Media>, lane: Lane, from: Lsn, oldest: Lsn) -> Result<Lsn> {
    if from < media.oldest(lane)
        && let Some(piece) = media.ask_archive(|reader| reader.piece(lane, from))?
    {
        // A run in the archive begins with a batch.
        return Ok(piece.run.first);
    }
    let Some(range) = media.range_of(lane, from) else { return Ok(from) };
    let lowest = range.first.max(oldest).max(media.oldest(lane));
    if from <= lowest || from >= media.board.published(lane) {
        return Ok(from);
    }
    let mut starts: Vec<Lsn> =
        media.catalogue().of_lane(lane).iter().map(|entry| entry.header.first).collect();
    starts.extend((0..media.board.slots()).filter_map(|slot| media.board.slot_first(lane, slot)));
    starts.retain(|start| *start <= from && *start > lowest);
    starts.extend([lowest, from]);
    starts.sort_unstable_by(|a, b| b.cmp(a));
    for start in starts {
        let mut cursor = LaneCursor::new(media.clone(), lane, start);
        let mut first = None;
        let mut frame = Vec::new();
        while cursor.at <= from {
            let at = cursor.at;
            frame.clear();
            match cursor.frame(&mut frame) {
                Ok(header) if header.is(FIRST) => first = Some(at),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        if let Some(first) = first.filter(|_| cursor.at > from) {
            return Ok(first);
        }
    }
    Err(Error::Corrupt { lane, lsn: from, what: "no batch begins before this position".into() })
}

impl LaneReader {
    pub(crate) fn new(media: &Arc<Media>, lane: Lane, from: Option<Position>) -> Result<Self> {
        Ok(LaneReader { head: Head::new(media, lane, from)?, stream: None })
    }

    /// Leaves out all records but one stream's.
    #[must_use]
    pub fn stream(mut self, stream: u32) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The next record that is published now, or `None`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where bytes that count are damaged in every tier; I/O errors.
    #[expect(clippy::should_implement_trait, reason = "a record is lent, which Iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        Ok(self.advance()?.map(|index| self.head.record(index)))
    }

    /// The next record, waiting up to `wait` for one to be published.
    ///
    /// # Errors
    /// As for [`next`](LaneReader::next).
    pub fn follow(&mut self, wait: Duration) -> Result<Option<Record<'_>>> {
        let env = self.head.media().env.clone();
        let until = env.now() + wait;
        loop {
            if let Some(index) = self.advance()? {
                return Ok(Some(self.head.record(index)));
            }
            if env.now() >= until {
                return Ok(None);
            }
            env.sleep(LOOK_EVERY);
        }
    }

    /// Moves behind the next record and tells which of the loaded group it is.
    fn advance(&mut self) -> Result<Option<usize>> {
        let closed = match self.head.media().horizon {
            Horizon::View => self.head.media().closed(),
            Horizon::Owner(_) | Horizon::Ended => Gsn(u64::MAX),
        };
        while self.head.load(closed)? {
            while let Some(index) = self.head.take() {
                if self.stream.is_none_or(|stream| self.head.group.items[index].stream == stream) {
                    return Ok(Some(index));
                }
            }
            self.head.pass();
        }
        Ok(None)
    }

    /// Where reading goes on: give it to a later reader.
    pub fn position(&self) -> Position {
        self.head.position()
    }
}
