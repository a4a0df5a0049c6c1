//! The run locks: who brings a lane to durable and to stable. Whoever needs a run writes it, one thread at a time; a
//! drainer passes by a lane at which a committing thread is.
//!
//! Invariants: what is said to be durable was written before; what is acknowledged is stable, never merely durable;
//! nobody waits for another lane under a run lock. Models: `tests/loom/run_locks.rs`.

use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

use tierlog_tiers::sync::{Mutex, MutexGuard, thread};

use super::{Sharing, Stability};
use crate::board::{Board, Water};
use crate::error::{Error, Result};
use crate::number::{Lane, Lsn};

/// Longest wait for commits that usually share a run; half of what a run takes, if that is less.
const LINGER_MAX: Duration = Duration::from_millis(1);

/// What the locks guard, and how it is written.
pub(crate) trait RunLocks {
    /// A lane's place on NVMe.
    type Runs;

    fn board(&self) -> &Board;
    fn stability(&self) -> &Stability;
    fn run_lock(&self, lane: Lane) -> &Mutex<Self::Runs>;
    fn sharing(&self, lane: Lane) -> &Sharing;
    /// Time since some moment.
    fn now(&self) -> Duration;
    /// Frames below are durable on NVMe.
    fn durable(runs: &Self::Runs) -> Lsn;
    /// Writes what was published up to `upto`; durable on return.
    fn write_now(&self, lane: Lane, runs: &mut Self::Runs, upto: Lsn) -> Result<()>;
    /// Whether the lane still keeps its promises.
    fn check(&self, lane: Lane) -> Result<()>;
    /// `lane` depends on what failed in `of`.
    fn depends_on_poison(&self, lane: Lane, of: Lane, error: Error) -> Error;

    fn lock_runs(&self, lane: Lane) -> MutexGuard<'_, Self::Runs> {
        self.run_lock(lane).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: a committing thread writes the lane's run itself.
    fn try_lock_runs(&self, lane: Lane) -> Option<MutexGuard<'_, Self::Runs>> {
        match self.run_lock(lane).try_lock() {
            Ok(runs) => Some(runs),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        }
    }

    /// Everything published in `lane` up to `end` is on NVMe, by this thread if nobody else did it.
    fn make_durable(&self, lane: Lane, end: Lsn) -> Result<()> {
        let board = self.board();
        let durable = || board.water(lane, Water::Durable);
        if durable() >= end {
            return Ok(());
        }
        let Some(mut flight) = self.sharing(lane).enter(end, durable) else { return Ok(()) };
        if !flight.is_full() {
            let began = self.now();
            while self.now() - began < flight.patience.min(LINGER_MAX) && !flight.is_full() {
                thread::yield_now();
            }
        }
        let mut runs = self.lock_runs(lane);
        self.check(lane)?;
        if Self::durable(&runs) >= end {
            return Ok(());
        }
        // What was published meanwhile goes along.
        let upto = flight.close(|| board.published(lane)).max(end);
        let began = self.now();
        self.write_now(lane, &mut runs, upto)?;
        flight.took = self.now() - began;
        board.raise_water(lane, Water::Durable, Self::durable(&runs));
        drop(runs);
        self.stability().raise(board, lane);
        Ok(())
    }

    /// Everything in `lane` up to `end` is stable: durable, with all that it depends on. An idle lane delays nobody: its
    /// run is written by the thread that needs it.
    fn make_stable(&self, lane: Lane, end: Lsn) -> Result<()> {
        let board = self.board();
        // Mostly nothing is needed but the lane itself, and nothing allocated.
        let (mut first, mut needs) = (Some((lane, end)), Vec::new());
        while let Some((of, upto)) = first.take().or_else(|| needs.pop()) {
            let stable = || board.water(of, Water::Stable) >= upto;
            if stable() {
                continue;
            }
            if let Err(error) = self.make_durable(of, upto) {
                return Err(if of == lane { error } else { self.depends_on_poison(lane, of, error) });
            }
            // Whoever wrote the run raised it, unless there are dependencies.
            if stable() {
                continue;
            }
            let missing = self.stability().missing(board, of, upto);
            if missing.is_empty() {
                self.stability().raise(board, of);
                continue;
            }
            // Dependencies point to lower stamps, so this ends.
            needs.push((of, upto));
            needs.extend(missing.iter().map(|dep| (dep.lane, dep.end)));
        }
        self.check(lane)
    }

    /// As a drainer: lets `write` make a run durable, unless a committing thread is at the lane. True if it says so.
    fn drain(&self, lane: Lane, write: impl FnOnce(&mut Self::Runs) -> Result<bool>) -> Result<bool> {
        let Some(mut runs) = self.try_lock_runs(lane) else { return Ok(false) };
        let moved = write(&mut runs)?;
        if moved {
            self.board().raise_water(lane, Water::Durable, Self::durable(&runs));
            drop(runs);
            self.stability().raise(self.board(), lane);
        }
        Ok(moved)
    }
}
