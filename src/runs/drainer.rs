//! A drainer: one thread, pinned beside its tail, that moves its lanes' published frames to NVMe and gives tail segments
//! back. Parks in bounded sleeps; no commit ever has to wake it.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::nvme::RunQueue;
use tierlog_tiers::sync::atomic::Ordering;
use tierlog_tiers::tail::Tail;

use super::RunLocks;
use super::lane_runs::{LaneRuns, Sink};
use super::retire::retire_slots;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Worker};
use crate::number::{Lane, Lsn};

/// A lane with less than this waits until it is quiet.
const RUN_BYTES_MIN: u64 = 64 << 10;
/// What one lane gets before the next one's turn.
const TURN_BYTES: u64 = 4 << 20;
/// A lane that published nothing for this long is quiet: the rest of its block is written with a pad.
const QUIET: Duration = Duration::from_millis(10);
const PARK: Duration = Duration::from_millis(1);
/// Between two tries after an error.
const RETRY: Duration = Duration::from_millis(100);

/// A lane as its drainer last saw it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    lane: Lane,
    published: Lsn,
    /// Since when.
    at: Duration,
}

/// The drainer of some lanes of one tail.
pub(crate) struct Drainer<T: Tail> {
    engine: Arc<Engine<T>>,
    seen: Vec<Seen>,
    queue: Option<Box<dyn RunQueue>>,
    /// What it failed with last, while it does.
    told: Option<String>,
}

impl<T: Tail> Drainer<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, lanes: &[Lane]) -> Self {
        let at = engine.env.now();
        let seen = lanes.iter().map(|lane| Seen { lane: *lane, published: Lsn(0), at }).collect();
        Drainer { engine, seen, queue: None, told: None }
    }
}

impl<T: Tail> Worker for Drainer<T> {
    fn turn(&mut self) -> Option<Duration> {
        let engine = &self.engine;
        if engine.stop.is_signalled() {
            return None;
        }
        match pass(engine, &mut self.seen, &mut self.queue) {
            Ok(true) => {
                self.told = None;
                Some(Duration::ZERO)
            }
            Ok(false) => Some(PARK),
            Err(error) => {
                let cause = match error {
                    Error::NoRoom { why, .. } => why,
                    error => error.to_string(),
                };
                if self.told.as_ref() != Some(&cause) {
                    tracing::warn!(cause, "drain failed; trying again in a new segment");
                    self.told = Some(cause.clone());
                }
                engine.trouble(Some(cause));
                self.queue = None;
                Some(RETRY)
            }
        }
    }

    fn bell(&self) -> Arc<Bell> {
        self.engine.stop.bell.clone()
    }
}

/// One look at each lane; true if something was moved.
fn pass<T: Tail>(
    engine: &Arc<Engine<T>>,
    seen: &mut [Seen],
    queue: &mut Option<Box<dyn RunQueue>>,
) -> Result<bool> {
    let (mut moved, mut first) = (false, None);
    let now = engine.env.now();
    for seen in seen {
        let published = engine.media.board.published(seen.lane);
        if published != seen.published {
            (seen.published, seen.at) = (published, now);
        }
        let quiet = now - seen.at >= QUIET;
        let ready = match queue.as_mut() {
            Some(ready) => ready,
            None => queue.insert(engine.media.nvme.queue().map_err(Error::io("a drainer's queue"))?),
        };
        match drain_lane(engine, seen.lane, published, quiet, ready.as_mut()) {
            Ok(true) => moved = true,
            Ok(false) => {}
            // The other lanes go on, with a new queue.
            Err(error) => {
                *queue = None;
                first.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first {
        return Err(error);
    }
    if moved {
        engine.trouble(None);
    }
    Ok(moved)
}

fn drain_lane<T: Tail>(
    engine: &Arc<Engine<T>>,
    lane: Lane,
    published: Lsn,
    quiet: bool,
    queue: &mut dyn RunQueue,
) -> Result<bool> {
    if engine.lane(lane).is_poisoned() {
        return Ok(false);
    }
    let moved = engine.drain(lane, |runs| {
        let due = runs.durable() < published && (quiet || runs.behind(published) >= RUN_BYTES_MIN);
        if due {
            let result = move_run(engine, lane, published, quiet, runs, queue);
            if result.is_err() {
                runs.start_over();
            }
            result?;
        }
        Ok(due)
    })?;
    if moved && engine.visible_first() {
        let end = engine.lock_runs(lane).durable_batch().0;
        engine.make_stable(lane, end)?;
    }
    // Also where committing threads wrote the runs.
    Ok(retire(engine, lane)? || moved)
}

fn move_run<T: Tail>(
    engine: &Arc<Engine<T>>,
    lane: Lane,
    published: Lsn,
    quiet: bool,
    runs: &mut LaneRuns,
    queue: &mut dyn RunQueue,
) -> Result<()> {
    // Where records are visible before they are durable a run ends with a batch; elsewhere anywhere.
    let whole = engine.visible_first() || quiet && runs.behind(published) <= TURN_BYTES;
    let turn = Lsn(published.0 - runs.behind(published) + TURN_BYTES);
    let upto = if whole { published } else { published.min(turn) };
    engine.write_run(lane, runs, upto, whole, &mut Sink::Queue(queue))?;
    engine.settle(lane, runs, queue)
}

fn retire<T: Tail>(engine: &Arc<Engine<T>>, lane: Lane) -> Result<bool> {
    let Ok(mut runs) = engine.runs[lane.0 as usize].try_lock() else { return Ok(false) };
    let upto = runs.durable_batch();
    if engine.stable(lane) < upto.0 {
        return Ok(false);
    }
    let open = (engine.epoch, engine.incarnation);
    let read_back = engine.config.nvme.read_back;
    let retired = match retire_slots(&engine.media, &engine.marks, &mut runs, lane, open, read_back, upto) {
        Ok(retired) => retired,
        Err(error) => {
            // What was read back wrong is written again from the tail, which still has it.
            if let Error::Corrupt { .. } = error {
                runs.start_from_retired(&engine.media);
            }
            return Err(error);
        }
    };
    let counter = &engine.lane(lane).drain.segments_retired;
    counter.fetch_add(retired, Ordering::Relaxed);
    Ok(retired > 0)
}
