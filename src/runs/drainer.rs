//! A drainer: one thread, pinned beside its tail, that moves its lanes' published frames to NVMe and gives tail segments
//! back. Parks in bounded sleeps; no commit ever has to wake it.
//!
//! What is on NVMe is read back before tail segments are given back, when its lanes are quiet or half of a ring is taken: a
//! burst meets no reads. Where it alone writes a lane's runs (power-safe tails), its queue reads them back, beside the next
//! ones where there are such; elsewhere a cursor does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::nvme::RunQueue;
use tierlog_tiers::sync::atomic::Ordering;
use tierlog_tiers::tail::Tail;

use super::RunLocks;
use super::lane_runs::{LaneRuns, Sink};
use super::retire::{prove, retire_slots, unproved};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Worker};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn};
use crate::read::LaneCursor;

/// A lane with less than this waits until it is quiet.
const RUN_BYTES_MIN: u64 = 64 << 10;
/// What one lane gets before the next one's turn.
const TURN_BYTES: u64 = 8 << 20;
/// A lane that published nothing for this long is quiet: the rest of its block is written with a pad.
const QUIET: Duration = Duration::from_millis(10);
/// So many settles of its queue are read back beside the next one: it catches up.
const PROVED_AT_ONCE: usize = 2;
/// Settles that wait to be read back at most: a bound to memory.
const UNPROVED_MAX: usize = 4096;
const PARK: Duration = Duration::from_millis(1);
/// Between two tries after an error.
const RETRY: Duration = Duration::from_millis(100);

/// A lane as its drainer last saw it.
#[derive(Debug)]
struct Seen {
    lane: Lane,
    published: Lsn,
    /// Since when.
    at: Duration,
    /// The end and the stamp of the last stamped batch that was read back.
    proved: (Lsn, Gsn),
    /// What it was being read back with was given up: it is to be written again, from the tail, which still has it.
    again: bool,
    /// How far what committing threads wrote was read back.
    read: Option<LaneCursor>,
}

impl Seen {
    /// Everything behind what was given back is written again, and proved again.
    fn start_from_retired<T: Tail>(&mut self, engine: &Engine<T>, runs: &mut LaneRuns) {
        (self.proved, self.read) = ((Lsn(0), Gsn(0)), None);
        runs.start_from_retired(&engine.media);
    }
}

/// The drainer of some lanes of one tail.
pub(crate) struct Drainer<T: Tail> {
    engine: Arc<Engine<T>>,
    lanes: Lanes,
    /// What it failed with last, while it does.
    told: Option<String>,
}

impl<T: Tail> Drainer<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, lanes: &[Lane]) -> Self {
        let at = engine.env.now();
        let nothing = (Lsn(0), Gsn(0));
        let seen = |lane: &Lane| Seen {
            lane: *lane,
            published: Lsn(0),
            at,
            proved: nothing,
            again: false,
            read: None,
        };
        let lanes = Lanes { seen: lanes.iter().map(seen).collect(), ..Lanes::default() };
        Drainer { engine, lanes, told: None }
    }
}

impl<T: Tail> Worker for Drainer<T> {
    fn turn(&mut self) -> Option<Duration> {
        if self.engine.stop.is_signalled() {
            return None;
        }
        match self.lanes.pass(&self.engine) {
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
                self.engine.trouble(Some(cause));
                self.lanes.give_up_queue(&self.engine);
                Some(RETRY)
            }
        }
    }

    fn bell(&self) -> Arc<Bell> {
        self.engine.stop.bell.clone()
    }
}

/// Its lanes, and its queue.
#[derive(Default)]
struct Lanes {
    seen: Vec<Seen>,
    queue: Option<Box<dyn RunQueue>>,
    /// What was settled and not read back, oldest first: of which lane, and how far that is proved then.
    unproved: VecDeque<(usize, (Lsn, Gsn))>,
    /// How many of them are being read back.
    proving: usize,
}

impl Lanes {
    /// One look at each lane; true if something was moved.
    fn pass<T: Tail>(&mut self, engine: &Engine<T>) -> Result<bool> {
        let (mut moved, mut first) = (false, None);
        let now = engine.env.now();
        for seen in &mut self.seen {
            let published = engine.media.board.published(seen.lane);
            if published != seen.published {
                (seen.published, seen.at) = (published, now);
            }
        }
        for index in 0..self.seen.len() {
            match self.drain_lane(engine, index, now) {
                Ok(done) => moved |= done,
                // The other lanes go on, with a new queue.
                Err(error) => {
                    self.give_up_queue(engine);
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first {
            return Err(error);
        }
        if !moved && !self.unproved.is_empty() && (self.are_quiet(now) || self.is_proof_due(engine)) {
            self.begin_proof(engine)?;
            self.prove(engine)?;
            moved = true;
        }
        if moved {
            engine.trouble(None);
        }
        Ok(moved)
    }

    fn drain_lane<T: Tail>(&mut self, engine: &Engine<T>, index: usize, now: Duration) -> Result<bool> {
        let Seen { lane, published, at, .. } = self.seen[index];
        if engine.lane(lane).is_poisoned() {
            return Ok(false);
        }
        let quiet = now - at >= QUIET;
        let moved = engine.drain(lane, |runs| {
            if std::mem::take(&mut self.seen[index].again) {
                self.seen[index].start_from_retired(engine, runs);
            }
            let due = runs.durable() < published && (quiet || runs.behind(published) >= RUN_BYTES_MIN);
            if due {
                let result = self.move_run(engine, index, quiet, runs);
                if result.is_err() {
                    self.seen[index].read = None;
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
        Ok(self.retire(engine, index, now)? || moved)
    }

    fn move_run<T: Tail>(
        &mut self,
        engine: &Engine<T>,
        index: usize,
        quiet: bool,
        runs: &mut LaneRuns,
    ) -> Result<()> {
        let Seen { lane, published, .. } = self.seen[index];
        // Where records are visible before they are durable a run ends with a batch; elsewhere anywhere.
        let whole = engine.visible_first() || quiet && runs.behind(published) <= TURN_BYTES;
        let turn = Lsn(published.0 - runs.behind(published) + TURN_BYTES);
        let upto = if whole { published } else { published.min(turn) };
        engine.write_run(lane, runs, upto, whole, &mut Sink::Queue(self.queue(engine)?.as_mut()))?;
        self.prove(engine)?;
        engine.settle(lane, runs, self.queue(engine)?.as_mut())?;
        if ReadBack::of(engine) == ReadBack::Queue {
            self.unproved.push_back((index, runs.durable_batch()));
            if self.is_proof_due(engine) {
                self.begin_proof(engine)?;
            }
        }
        Ok(())
    }

    fn queue<T: Tail>(&mut self, engine: &Engine<T>) -> Result<&mut Box<dyn RunQueue>> {
        if self.queue.is_none() {
            let mut queue = engine.media.nvme.queue().map_err(Error::io("a drainer's queue"))?;
            if ReadBack::of(engine) == ReadBack::Queue {
                queue.read_back();
            }
            self.queue = Some(queue);
        }
        Ok(self.queue.as_mut().expect("made above"))
    }

    /// After an error: what cannot be read back now is not believed.
    fn give_up_queue<T: Tail>(&mut self, engine: &Engine<T>) {
        while !self.unproved.is_empty() {
            // Whoever gives it up tells why.
            if self.begin_proof(engine).and_then(|()| self.prove(engine)).is_err() {
                break;
            }
        }
        (self.queue, self.proving) = (None, 0);
        for (index, _) in self.unproved.drain(..) {
            self.seen[index].again = true;
        }
    }

    /// Whether reading back can be put off no longer.
    fn is_proof_due<T: Tail>(&self, engine: &Engine<T>) -> bool {
        let full = || self.seen.iter().any(|seen| !has_room(&engine.media, seen.lane));
        self.unproved.len() >= UNPROVED_MAX || full()
    }

    fn are_quiet(&self, now: Duration) -> bool {
        self.seen.iter().all(|seen| now - seen.at >= QUIET)
    }

    fn begin_proof<T: Tail>(&mut self, engine: &Engine<T>) -> Result<()> {
        while self.proving < self.unproved.len().min(PROVED_AT_ONCE) {
            self.queue(engine)?.begin_proof();
            self.proving += 1;
        }
        Ok(())
    }

    /// Waits for what is being read back.
    fn prove<T: Tail>(&mut self, engine: &Engine<T>) -> Result<()> {
        if self.proving > 0 {
            self.queue(engine)?.prove().map_err(Error::io("what was drained to the NVMe tier"))?;
        }
        for (index, proved) in self.unproved.drain(..std::mem::take(&mut self.proving)) {
            self.seen[index].proved = proved;
        }
        Ok(())
    }

    fn retire<T: Tail>(&mut self, engine: &Engine<T>, index: usize, now: Duration) -> Result<bool> {
        let quiet = self.are_quiet(now);
        let seen = &mut self.seen[index];
        let (lane, by) = (seen.lane, ReadBack::of(engine));
        let upto = match by {
            ReadBack::Queue => seen.proved,
            ReadBack::Cursor if !quiet && has_room(&engine.media, lane) => return Ok(false),
            ReadBack::Cursor | ReadBack::Nobody => {
                let Some(runs) = engine.try_lock_runs(lane) else { return Ok(false) };
                runs.durable_batch()
            }
        };
        if engine.stable(lane) < upto.0 {
            return Ok(false);
        }
        let read = || {
            if by != ReadBack::Cursor {
                return Ok(());
            }
            let cursor = seen.read.get_or_insert_with(|| unproved(&engine.media, lane));
            prove(cursor, upto.0)?;
            // Some of it is of runs that were under way.
            cursor.forget_ahead();
            Ok(())
        };
        let open = (engine.epoch, engine.incarnation);
        let result = retire_slots(&engine.media, &engine.marks, lane, open, upto, read);
        // What was read back wrong is written again from the tail, which still has it.
        if let Err(Error::Corrupt { .. }) = result {
            seen.start_from_retired(engine, &mut engine.lock_runs(lane));
        }
        let retired = result?;
        let counter = &engine.lane(lane).drain.segments_retired;
        counter.fetch_add(retired, Ordering::Relaxed);
        Ok(retired > 0)
    }
}

/// Whether more than half of the lane's ring is free.
fn has_room(media: &Media, lane: Lane) -> bool {
    let slots = media.board.slots();
    let taken = (0..slots).filter(|slot| media.board.slot_first(lane, *slot).is_some()).count();
    2 * taken < slots
}

/// Who reads back what is on NVMe before the tail gives it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadBack {
    /// The queue that wrote it.
    Queue,
    /// [`prove`]: committing threads wrote it.
    Cursor,
    Nobody,
}

impl ReadBack {
    fn of<T: Tail>(engine: &Engine<T>) -> Self {
        match (engine.config.nvme.read_back, engine.visible_first()) {
            (true, false) => ReadBack::Queue,
            (true, true) => ReadBack::Cursor,
            (false, _) => ReadBack::Nobody,
        }
    }
}
