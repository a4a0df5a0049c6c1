//! What the archive gives up: objects at the front of the sequence that nobody needs and retention does not keep.

use std::time::Duration;

use tierlog_tiers::tail::Tail;

use super::archiver::Archiver;
use super::object::Body;
use super::sequence::Archive;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::number::{Gsn, LogId, Lsn};
use crate::runs::{self, Retention};

/// Between two looks at the front: two requests.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// At a time, so that cuts need not wait long.
const OBJECTS_MAX: u64 = 32;

/// Deletes what earlier opens gave up and left there, then looks at the front now and then, where retention is configured.
#[derive(Debug, Default)]
pub(super) struct Retirer {
    /// When it looks again.
    at: Duration,
    /// Whether everything below the base is gone.
    swept: bool,
    /// This store cannot give anything up.
    ended: bool,
}

impl Retirer {
    /// Gives up what may go of the numbers below `next`, which go as far as `ends`. Nothing waits for that: what cannot be
    /// done now is tried later.
    pub(super) fn look<T: Tail>(&mut self, engine: &Engine<T>, archiver: &Archiver, next: u64, ends: &[Lsn]) {
        let now = engine.env.now();
        if self.ended || now < self.at {
            return;
        }
        if !self.swept {
            return self.sweep(archiver);
        }
        self.at = now + LOOK_EVERY;
        let Some(retention) = engine.config.archive.retain else { return };
        let needed: Vec<Lsn> =
            engine.media.lanes().map(|lane| runs::needed(&engine.marks, &engine.slots, lane).0).collect();
        let keep = Keep { retention, needed, now: Gsn(engine.order.clock().now_ns()) };
        let alone = archiver.alone();
        let retired = archiver.archive.retire(archiver.author.log, next, ends, &keep);
        drop(alone);
        match retired {
            Ok(0) => {}
            Ok(objects) => {
                engine.media.look_at_archive_again();
                tracing::info!(objects, "objects of the archive given up: nobody needs them");
                // Perhaps there are more.
                self.at = now;
            }
            Err(error) => {
                self.ended = matches!(error, Error::Config(_));
                tracing::warn!(%error, "the archive keeps what might go");
            }
        }
    }

    /// Looks at the next occasion.
    pub(super) fn hurry(&mut self) {
        self.at = Duration::ZERO;
    }

    /// Deletes some of what lies below the base.
    pub(super) fn sweep(&mut self, archiver: &Archiver) {
        let (archive, _alone) = (&archiver.archive, archiver.alone());
        let swept = archive.base(Some(archiver.author.log)).and_then(|base| {
            let deleted = archive.sweep(&base, OBJECTS_MAX)?;
            Ok((deleted, base.number <= base.swept.saturating_add(OBJECTS_MAX)))
        });
        match swept {
            Ok((objects, done)) => {
                self.swept = done;
                if objects > 0 {
                    tracing::info!(objects, "objects deleted that an earlier open had given up");
                }
            }
            Err(error) => {
                self.at = archive.env.now() + LOOK_EVERY;
                tracing::warn!(%error, "objects that an earlier open had given up stay");
            }
        }
    }
}

/// What is to stay.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) retention: Retention,
    /// Per lane, from where on somebody needs it.
    pub(super) needed: Vec<Lsn>,
    pub(super) now: Gsn,
}

impl Archive {
    /// Gives up objects at the front, the newest never. Returns how many went, their data objects among them.
    pub(super) fn retire(&self, log: LogId, next: u64, ends: &[Lsn], keep: &Keep) -> Result<u64> {
        let base = self.base(Some(log))?;
        let mut starts = base.starts.clone();
        let mut number = base.number;
        while number + 1 < next.min(base.number + OBJECTS_MAX) {
            let head = self.head(Some(log), number)?.ok_or_else(|| self.missing(number))?;
            if starts.is_empty() {
                // Nothing was given up yet: a claim, which says where the lanes began.
                starts.clone_from(&head.ends);
            }
            let age_ms = keep.now.0.saturating_sub(head.gsn.0) / 1_000_000;
            let free = head.ends.iter().zip(&keep.needed).all(|(end, needed)| end <= needed);
            let goes = free && keep.retention.gives_up(held_bytes(&starts, ends), age_ms);
            if matches!(head.body, Body::Cut(_)) && !goes {
                break;
            }
            starts = head.ends;
            number += 1;
        }
        self.trim(&base, log, number)
    }
}

/// LSNs between two places, in all lanes: about the bytes of the frames.
pub(super) fn held_bytes(starts: &[Lsn], ends: &[Lsn]) -> u64 {
    starts.iter().zip(ends).map(|(start, end)| end.0.saturating_sub(start.0)).sum()
}
