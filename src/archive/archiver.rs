//! What the log's threads share with the archive: how far each lane is in it, and who waits for that.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tierlog_tiers::object::Objects;

use super::object::{Author, Run};
use super::sequence::Claimed;
use crate::durability::Commit;
use crate::error::{Error, Result};
use crate::number::{Lane, Lsn};
use crate::ticket::Completer;

/// What the log's threads share with the archiver.
#[derive(Debug)]
pub(crate) struct Archiver {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) author: Author,
    pub(super) claimed: Claimed,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) archived: Vec<Lsn>,
    /// How many wait for `Machine` now: the next cut is made at once.
    waiting: usize,
    tickets: Vec<(Lane, Commit, Completer)>,
    /// No further object will be written.
    ended: Option<Error>,
    /// The last error of the store, while it lasts.
    pub(super) trouble: Option<String>,
    objects_written: u64,
    bytes_written: u64,
}

impl Archiver {
    pub(crate) fn new(
        objects: Arc<dyn Objects>,
        author: Author,
        claimed: Claimed,
        archived: Vec<Lsn>,
    ) -> Self {
        let state = Mutex::new(State { archived, ..State::default() });
        Archiver { objects, author, claimed, state, changed: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// Objects and bytes written, and what the store suffers from.
    pub(crate) fn report(&self) -> (u64, u64, Option<String>) {
        let state = self.state();
        (state.objects_written, state.bytes_written, state.trouble.clone())
    }

    /// Waits until `lane` is archived up to `end`.
    pub(crate) fn wait(&self, lane: Lane, end: Lsn) -> Result<()> {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        let result = loop {
            if state.archived[lane.0 as usize] >= end {
                break Ok(());
            }
            if let Some(error) = &state.ended {
                break Err(error.clone());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.waiting -= 1;
        result
    }

    /// Completes a ticket once `lane` is archived up to its commit.
    pub(crate) fn complete_later(&self, lane: Lane, commit: Commit, completer: Completer) {
        self.state().tickets.push((lane, commit, completer));
        self.changed.notify_all();
        self.complete_tickets();
    }

    fn complete_tickets(&self) {
        let mut state = self.state();
        let ended = state.ended.clone();
        let archived = state.archived.clone();
        let done = |lane: Lane, commit: &Commit| archived[lane.0 as usize] >= commit.at;
        let (ready, waiting) = std::mem::take(&mut state.tickets)
            .into_iter()
            .partition(|(lane, commit, _)| ended.is_some() || done(*lane, commit));
        state.tickets = waiting;
        drop(state);
        let ready: Vec<(Lane, Commit, Completer)> = ready;
        for (lane, commit, completer) in ready {
            let result = match &ended {
                Some(error) if !done(lane, &commit) => Err(error.clone()),
                _ => Ok(commit),
            };
            completer.complete(result);
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        let state = self.state();
        state.waiting > 0 || !state.tickets.is_empty()
    }

    /// Sleeps a little, less if somebody waits.
    pub(super) fn rest(&self, how_long: Duration) {
        let state = self.state();
        if state.waiting == 0 && state.tickets.is_empty() {
            drop(self.changed.wait_timeout(state, how_long));
        }
    }

    /// Everything that waits gets `error`.
    pub(crate) fn end(&self, error: Error) {
        self.state().ended.get_or_insert(error);
        self.changed.notify_all();
        self.complete_tickets();
    }

    pub(super) fn advance(&self, runs: &[Run], bytes: usize) {
        let mut state = self.state();
        for run in runs {
            let end = &mut state.archived[run.lane.0 as usize];
            *end = run.end.max(*end);
        }
        state.objects_written += 1;
        state.bytes_written += bytes as u64;
        state.trouble = None;
        drop(state);
        self.changed.notify_all();
        self.complete_tickets();
    }
}
