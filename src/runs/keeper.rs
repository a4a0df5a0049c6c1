//! The keeper: one thread that keeps what others rely on near: segment files ready, the clock slewed, the closed stamp of
//! views fresh.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::tail::Tail;

use crate::engine::Engine;
use crate::host::{Bell, Worker};
use crate::number::{Gsn, Lsn};

const LOOK_EVERY: Duration = Duration::from_millis(1);
const SLEW_EVERY: Duration = Duration::from_secs(1);

/// A stamp that was closed, and how far every lane was published then: a view may merge to it once that is stable.
struct Candidate {
    gsn: Gsn,
    ends: Vec<Lsn>,
}

/// The keeper of one open.
pub(crate) struct Keeper<T: Tail> {
    engine: Arc<Engine<T>>,
    candidate: Option<Candidate>,
    closed_ends: Vec<Lsn>,
    slewed: Duration,
}

impl<T: Tail> Keeper<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>) -> Self {
        let slewed = engine.env.now();
        Keeper { engine, candidate: None, closed_ends: Vec::new(), slewed }
    }
}

impl<T: Tail> Worker for Keeper<T> {
    fn turn(&mut self) -> Option<Duration> {
        let engine = &self.engine;
        if engine.stop.is_signalled() {
            return None;
        }
        refresh_closed(engine, &mut self.candidate, &mut self.closed_ends);
        let now = engine.env.now();
        if now - self.slewed >= SLEW_EVERY {
            engine.order.clock().slew();
            self.slewed = now;
        }
        match engine.pool.prepare() {
            Ok(_) => Some(LOOK_EVERY),
            Err(error) => {
                engine.trouble(Some(format!("no segment file could be made ahead: {error}")));
                Some(SLEW_EVERY)
            }
        }
    }

    fn bell(&self) -> Arc<Bell> {
        self.engine.stop.bell.clone()
    }
}

fn refresh_closed<T: Tail>(
    engine: &Arc<Engine<T>>,
    candidate: &mut Option<Candidate>,
    closed_ends: &mut Vec<Lsn>,
) {
    let board = &engine.media.board;
    if candidate.is_none() {
        let ends: Vec<Lsn> = board.lanes().map(|lane| board.published(lane)).collect();
        if ends != *closed_ends {
            let gsn = engine.order.close(board);
            let ends = board.lanes().map(|lane| board.published(lane)).collect();
            *candidate = Some(Candidate { gsn, ends });
        }
    }
    let stable =
        |wanted: &Candidate| board.lanes().zip(&wanted.ends).all(|(lane, end)| engine.stable(lane) >= *end);
    if let Some(reached) = candidate.take_if(|wanted| stable(wanted)) {
        board.raise_closed(reached.gsn);
        *closed_ends = reached.ends;
    }
}
