//! The keeper: one thread that keeps what others rely on near: segment files ready, the clock slewed, the closed stamp of
//! views fresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tierlog_tiers::tail::Tail;

use crate::engine::Engine;
use crate::number::{Gsn, Lsn};

const LOOK_EVERY: Duration = Duration::from_millis(1);
const SLEW_EVERY: Duration = Duration::from_secs(1);

/// A stamp that was closed, and how far every lane was published then: a view may merge to it once that is stable.
struct Candidate {
    gsn: Gsn,
    ends: Vec<Lsn>,
}

/// Runs until the engine stops.
pub(crate) fn run_keeper<T: Tail>(engine: &Arc<Engine<T>>) {
    let mut candidate: Option<Candidate> = None;
    let mut closed_ends: Vec<Lsn> = Vec::new();
    let mut slewed = Instant::now();
    while !engine.stop.sleep(LOOK_EVERY) {
        refresh_closed(engine, &mut candidate, &mut closed_ends);
        if slewed.elapsed() >= SLEW_EVERY {
            engine.order.clock().slew();
            slewed = Instant::now();
        }
        if let Err(error) = engine.pool.prepare() {
            engine.trouble(Some(format!("no segment file could be made ahead: {error}")));
            engine.stop.sleep(SLEW_EVERY);
        }
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
