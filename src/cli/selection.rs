//! Which records are read: all lanes in merged order or one lane, one stream, from a cut, up to a number.

use std::time::Duration;

use super::ending::Failure;
use crate::number::{Gsn, Lane};
use crate::read::{Cut, LaneReader, Merged, Record};
use crate::view::View;

/// The flags that select records.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// One lane only, in its own order
    #[arg(long, value_name = "L", value_parser = lane)]
    lane: Option<Lane>,
    /// One stream only
    #[arg(long, value_name = "S")]
    stream: Option<u32>,
    /// From a cut on: `lane:epoch@lsn`, separated by commas; lanes that are not named from their oldest record
    #[arg(long, value_name = "CUT", default_value = "")]
    from: Cut,
    /// This many records at most
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
}

pub(super) fn lane(text: &str) -> Result<Lane, std::num::ParseIntError> {
    text.parse().map(Lane)
}

pub(super) fn gsn(text: &str) -> Result<Gsn, std::num::ParseIntError> {
    text.parse().map(Gsn)
}

impl Selection {
    /// A reader from where the flags say.
    pub(super) fn reader(&self, view: &View) -> Result<Reader, Failure> {
        self.reader_from(view, &self.from)
    }

    /// A reader that goes on at `from`.
    pub(super) fn reader_from(&self, view: &View, from: &Cut) -> Result<Reader, Failure> {
        let Some(lane) = self.lane else {
            let reader = view.reader(from)?;
            return Ok(Reader::Merged(match self.stream {
                Some(stream) => reader.stream(stream),
                None => reader,
            }));
        };
        let lanes = view.watermarks().len();
        if lane.0 as usize >= lanes {
            return Err(Failure::Usage(format!("there is no lane {lane}: the log has 0 to {}", lanes - 1)));
        }
        let reader = view.lane(lane, from.lane(lane))?;
        Ok(Reader::Lane(Box::new(match self.stream {
            Some(stream) => reader.stream(stream),
            None => reader,
        })))
    }
}

/// Reads what was selected.
#[derive(Debug)]
pub(super) enum Reader {
    Merged(Merged),
    Lane(Box<LaneReader>),
}

impl Reader {
    /// The next record there is now.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Failure> {
        Ok(match self {
            Reader::Merged(reader) => reader.next()?,
            Reader::Lane(reader) => reader.next()?,
        })
    }

    /// The next record, waiting up to `wait` for it.
    pub(super) fn follow(&mut self, wait: Duration) -> Result<Option<Record<'_>>, Failure> {
        Ok(match self {
            Reader::Merged(reader) => reader.follow(wait)?,
            Reader::Lane(reader) => reader.follow(wait)?,
        })
    }

    /// Where reading goes on.
    pub(super) fn position(&self) -> Cut {
        match self {
            Reader::Merged(reader) => reader.position(),
            Reader::Lane(reader) => vec![reader.position()].into(),
        }
    }
}
