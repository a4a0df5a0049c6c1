//! The keeper: one thread that keeps what others rely on near: segment files ready, the clock slewed, the closed stamp of
//! views fresh, slots and retention within their limits.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::tail::Tail;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Worker};
use crate::number::{Gsn, Lsn};
use crate::runs::{Haste, is_full};

const LOOK_EVERY: Duration = Duration::from_millis(1);
const SLEW_EVERY: Duration = Duration::from_secs(1);
/// How often slots are held to their limits, and retention to its own.
const TEND_EVERY: Duration = Duration::from_millis(200);

/// A stamp that was closed: a view may merge to it once all that it may cover is stable.
struct Candidate {
    gsn: Gsn,
    /// How far every lane was published before it was closed: all of that is at or below it.
    below: Vec<Lsn>,
    /// And after: nothing behind that is at or below it.
    ends: Vec<Lsn>,
}

/// The keeper of one open.
pub(crate) struct Keeper<T: Tail> {
    engine: Arc<Engine<T>>,
    candidate: Option<Candidate>,
    /// Known to be at or below the stamp that views merge to.
    closed: Vec<Lsn>,
    slewed: Duration,
    tended: Duration,
}

impl<T: Tail> Keeper<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>) -> Self {
        let slewed = engine.env.now();
        Keeper { engine, candidate: None, closed: Vec::new(), slewed, tended: slewed }
    }
}

impl<T: Tail> Worker for Keeper<T> {
    fn turn(&mut self) -> Option<Duration> {
        let engine = &self.engine;
        if engine.stop.is_signalled() {
            return None;
        }
        refresh_closed(engine, &mut self.candidate, &mut self.closed);
        let now = engine.env.now();
        if now - self.slewed >= SLEW_EVERY {
            engine.order.clock().slew();
            self.slewed = now;
        }
        if now - self.tended >= TEND_EVERY {
            self.tended = now;
            if let Err(error) = tend(engine) {
                tracing::warn!(%error, "slots and retention could not be seen to; trying again");
            }
        }
        let removed = engine.pool.remove_surplus(now);
        match removed.and_then(|()| engine.prepare_segment(Haste::Beside)) {
            Ok(_) => Some(LOOK_EVERY),
            Err(error) => {
                engine.trouble(Some(format!("segment files could not be kept ready: {error}")));
                Some(SLEW_EVERY)
            }
        }
    }

    fn bell(&self) -> Arc<Bell> {
        self.engine.stop.bell.clone()
    }
}

/// Breaks slots that hold back too much, gives up what is kept no longer, and sets the reserve aside again.
fn tend<T: Tail>(engine: &Arc<Engine<T>>) -> Result<()> {
    let ends: Vec<Lsn> = engine.media.lanes().map(|lane| engine.stable(lane)).collect();
    let now = Gsn(engine.order.clock().now_ns());
    let broken = engine.slots.break_overdue(&ends, now)?;
    for slot in &broken {
        tracing::error!(slot, "slot broken by its limit: what it held back may go");
    }
    if !broken.is_empty() || engine.config.nvme.retain.keeps() {
        engine.trim()?;
    }
    match engine.pool.refill_reserve() {
        Err(error) if !is_full(&error) => Err(Error::io("the reserve of the NVMe tier")(error)),
        _ => Ok(()),
    }
}

fn refresh_closed<T: Tail>(
    engine: &Arc<Engine<T>>,
    candidate: &mut Option<Candidate>,
    closed: &mut Vec<Lsn>,
) {
    let board = &engine.media.board;
    let published = || -> Vec<Lsn> { board.lanes().map(|lane| board.published(lane)).collect() };
    if candidate.is_none() {
        let below = published();
        if below != *closed {
            let gsn = engine.order.close(board);
            *candidate = Some(Candidate { gsn, below, ends: published() });
        }
    }
    let stable =
        |wanted: &Candidate| board.lanes().zip(&wanted.ends).all(|(lane, end)| engine.stable(lane) >= *end);
    if let Some(reached) = candidate.take_if(|wanted| stable(wanted)) {
        board.raise_closed(reached.gsn);
        *closed = reached.below;
    }
}
