//! Batches, whole or not at all.
//!
//! A *group* is what one stamp covers: a stamped batch and the unstamped (`Buffered`) batches before it. It is read in
//! one piece, so its memory is bounded by the ring that it once fitted.

use super::cursor::{FrameError, LaneCursor};
use crate::error::Error;
use crate::frame::{Bad, Dep, FIRST, HEADER_BYTES, Header, Kind, LAST, decode_deps};
use crate::media::Horizon;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn};

/// A record inside a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) lsn: Lsn,
    pub(crate) stream: u32,
    at: usize,
    len: usize,
}

/// One group; reused from read to read.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) lane: Lane,
    pub(crate) epoch: Epoch,
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "asked for by `tierlog dump` alone"))]
    pub(crate) incarnation: Incarnation,
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
    pub(crate) gsn: Gsn,
    /// The frames, verbatim (a filler as one line).
    pub(crate) raw: Vec<u8>,
    /// The records that count: those of aborted batches are left out.
    pub(crate) items: Vec<Item>,
    /// The marks that count.
    pub(crate) marks: Vec<Item>,
    pub(crate) deps: Vec<Dep>,
}

impl Group {
    pub(crate) fn payload(&self, item: &Item) -> &[u8] {
        &self.raw[item.at..item.at + item.len]
    }

    /// Keeps what counts of the frame at `at` in `raw`, which came in its order; `before` its batch there were so many
    /// items and marks.
    fn keep(&mut self, header: &Header, at: usize, before: (usize, usize)) -> Result<(), &'static str> {
        let body = at + HEADER_BYTES..at + HEADER_BYTES + header.len as usize;
        match header.kind {
            Kind::Record | Kind::Mark => {
                let (lsn, stream) = (header.lsn, header.stream);
                let items = if header.kind == Kind::Mark { &mut self.marks } else { &mut self.items };
                items.push(Item { lsn, stream, at: body.start, len: body.len() });
            }
            Kind::Deps => {
                let deps = decode_deps(&self.raw[body]).ok_or("a deps frame of an unknown form")?;
                self.deps.extend(deps);
            }
            Kind::Abort => {
                self.items.truncate(before.0);
                self.marks.truncate(before.1);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why there is no further group.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The limit is reached.
    Limit,
    /// A hole in a group, or between groups, at this LSN.
    Hole(Lsn, Bad),
    /// Frames that are valid, but not in this order.
    Misplaced(Lsn, &'static str),
    /// The frame could not be had.
    Frame(FrameError),
}

/// Reads group after group of one lane.
#[derive(Debug)]
pub(crate) struct GroupReader {
    pub(crate) cursor: LaneCursor,
}

impl GroupReader {
    pub(crate) fn new(cursor: LaneCursor) -> Self {
        GroupReader { cursor }
    }

    /// Reads the next group below `limit` into `group`. On a stop the reader stands where it stood.
    pub(crate) fn next(&mut self, limit: Lsn, group: &mut Group) -> Result<(), Stop> {
        let start = self.cursor.at;
        // A follower's poll: it keeps its place. Where the owner of a view's log changes, another epoch begins here.
        if start >= limit && !matches!(self.cursor.media().horizon, Horizon::View) {
            return Err(Stop::Limit);
        }
        let result = self.read(start, limit, group);
        if result.is_err() {
            self.cursor.rewind(start);
        }
        result
    }

    fn read(&mut self, start: Lsn, limit: Lsn, group: &mut Group) -> Result<(), Stop> {
        if start >= limit {
            return Err(Stop::Limit);
        }
        let range = self.cursor.range_anywhere().map_err(Stop::Frame)?;
        let Some((range, _)) = range else { return Err(Stop::Limit) };
        let bytes_max = self.cursor.media().geometry.ring_bytes();
        *group = Group {
            lane: self.cursor.lane,
            epoch: range.epoch,
            incarnation: range.incarnation,
            start,
            raw: std::mem::take(&mut group.raw),
            items: std::mem::take(&mut group.items),
            ..Group::default()
        };
        group.raw.clear();
        group.items.clear();
        let (mut batches, mut before) = (Batches::default(), (0, 0));
        loop {
            let lsn = self.cursor.at;
            if lsn >= limit || lsn >= range.end {
                return Err(Stop::Limit);
            }
            if lsn.0 - start.0 > bytes_max {
                return Err(Stop::Misplaced(lsn, "a batch is larger than any ring"));
            }
            let at = group.raw.len();
            let header = match self.cursor.frame(&mut group.raw) {
                Ok(header) => header,
                Err(FrameError::Hole(bad)) => return Err(Stop::Hole(lsn, bad)),
                Err(error) => return Err(Stop::Frame(error)),
            };
            let misplaced = |what| Stop::Misplaced(lsn, what);
            let stamp = batches.take(&header).map_err(misplaced)?;
            if stamp.is_some_and(|gsn| self.cursor.media().is_unheard_of(range.epoch, gsn)) {
                return Err(misplaced("a stamp above all that the log knew when its epoch ended"));
            }
            if header.kind != Kind::Filler && header.is(FIRST) {
                before = (group.items.len(), group.marks.len());
            }
            group.keep(&header, at, before).map_err(misplaced)?;
            if let Some(gsn) = stamp {
                (group.end, group.gsn) = (self.cursor.at, gsn);
                return Ok(());
            }
        }
    }
}

/// The order that the frames of a group keep: which batches it has, and where it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Batches {
    open: bool,
}

impl Batches {
    /// In the middle of a batch.
    pub(crate) const OPEN: Batches = Batches { open: true };

    /// Takes one frame in; the stamp if the group is complete.
    #[inline]
    pub(crate) fn take(&mut self, header: &Header) -> Result<Option<Gsn>, &'static str> {
        if header.kind == Kind::Filler {
            return Ok(None);
        }
        if header.is(FIRST) == self.open {
            return Err(if self.open {
                "a batch begins inside another"
            } else {
                "a batch without a beginning"
            });
        }
        if !matches!(header.kind, Kind::Record | Kind::Mark | Kind::Deps | Kind::Abort) {
            return Err("a frame of a kind that this version does not write");
        }
        self.open = !header.is(LAST);
        if header.gsn > Gsn::MAX {
            return Err("a stamp that no clock gets to");
        }
        Ok((!self.open && header.gsn != Gsn(0)).then_some(header.gsn))
    }
}

impl Stop {
    /// As an error for a reader of bytes that count.
    pub(crate) fn into_error(self, lane: Lane, at: Lsn) -> Error {
        match self {
            Stop::Limit => Error::Corrupt { lane, lsn: at, what: "the lane ends inside a batch".into() },
            Stop::Hole(lsn, bad) => {
                Error::Corrupt { lane, lsn, what: format!("no valid frame in any tier ({bad:?})") }
            }
            Stop::Misplaced(lsn, what) => Error::Corrupt { lane, lsn, what: what.into() },
            Stop::Frame(FrameError::Hole(bad)) => {
                Error::Corrupt { lane, lsn: at, what: format!("no valid frame in any tier ({bad:?})") }
            }
            Stop::Frame(FrameError::Fault(fault)) => {
                Error::Corrupt { lane, lsn: at, what: fault.to_string() }
            }
            Stop::Frame(FrameError::System(error)) => error,
        }
    }
}
