//! Who writes a lane's next run, and who waits for it.
//!
//! Nobody leads: whoever comes while no run is under way writes one, with all that is published by then; commits that come
//! meanwhile share the next. Invariants: one run of committing threads under way a lane; a thread sleeps only while one
//! is; a run that ends wakes those it carried and one of those it did not, and whoever is woken in vain wakes another.
//! Models: `tests/loom/run_locks.rs`.

use std::sync::PoisonError;
use std::time::Duration;

use tierlog_tiers::sync::{Condvar, Mutex, MutexGuard};

use crate::number::Lsn;

/// The commits at one lane.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    state: Mutex<State>,
    /// Those who wait for the run under way, and those who wait for the one behind it, in turns.
    landed: [Condvar; 2],
}

#[derive(Debug, Default)]
struct State {
    /// A run is under way.
    flying: bool,
    /// Runs that have ended.
    turn: usize,
    /// How many wait for either.
    parked: [usize; 2],
    /// What the run under way carries; whatever is published while it is not known.
    upto: Option<Lsn>,
    /// Commits that shared a run lately.
    usual: usize,
    /// What the last run took.
    took: Duration,
}

impl Sharing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a commit that was published up to `end`: waits while others write it, or until it is this thread's turn to write
    /// a run. `None`: it is durable.
    pub(crate) fn enter(&self, end: Lsn, durable: impl Fn() -> Lsn) -> Option<Flight<'_>> {
        let mut state = self.state();
        loop {
            if durable() >= end {
                if !state.flying {
                    self.wake_one(state);
                }
                return None;
            }
            if !state.flying {
                break;
            }
            let behind = state.upto.is_some_and(|upto| end > upto);
            let turn = state.turn + usize::from(behind);
            state.parked[turn % 2] += 1;
            state = self.landed[turn % 2].wait(state).unwrap_or_else(PoisonError::into_inner);
            if state.turn <= turn {
                state.parked[turn % 2] -= 1;
            }
        }
        state.flying = true;
        state.upto = None;
        let (turn, usual, patience) = (state.turn, state.usual, state.took / 2);
        Some(Flight { sharing: self, turn, usual, patience, took: Duration::ZERO })
    }

    /// Wakes one of those who no run has carried. Not under the lock, which whoever is woken takes first.
    fn wake_one(&self, state: MutexGuard<'_, State>) {
        let turn = state.turn % 2;
        let waits = state.parked[turn] > 0;
        drop(state);
        if waits {
            self.landed[turn].notify_one();
        }
    }
}

/// The right to write a lane's next run; its end wakes the others.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    sharing: &'a Sharing,
    turn: usize,
    usual: usize,
    /// How long it is worth waiting for others to come along.
    pub(crate) patience: Duration,
    /// What the run took, to be told.
    pub(crate) took: Duration,
}

impl Flight<'_> {
    /// As many commits as lately shared a run are there, this one included: none is worth waiting for. True at once for a
    /// thread that commits alone.
    pub(crate) fn is_full(&self) -> bool {
        self.usual <= 1 || self.sharing.state().parked[self.turn % 2] + 1 >= self.usual
    }

    /// The run carries what `published` says now: whoever comes from here on shares the next.
    pub(crate) fn close(&self, published: impl FnOnce() -> Lsn) -> Lsn {
        let mut state = self.sharing.state();
        // Whoever waits for this run has published before.
        let upto = published();
        state.upto = Some(upto);
        upto
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.sharing.state();
        let carried = std::mem::take(&mut state.parked[self.turn % 2]);
        let here = 1 + carried + state.parked[(self.turn + 1) % 2];
        state.usual = here.max(state.usual * 7 / 8);
        state.took = self.took;
        state.flying = false;
        state.turn += 1;
        self.sharing.wake_one(state);
        if carried > 0 {
            self.sharing.landed[self.turn % 2].notify_all();
        }
    }
}
