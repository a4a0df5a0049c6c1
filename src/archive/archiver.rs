//! What the log's threads share with the archive: how far each lane is in it, and who waits for that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tierlog_tiers::object::Objects;

use super::object::{Author, Run};
use super::sequence::Claimed;
use crate::durability::Commit;
use crate::error::{Error, Result};
use crate::host::{Bell, Env};
use crate::number::{Lane, Lsn};
use crate::ticket::Completer;

/// Between two looks; the bell comes sooner.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the log's threads share with the archiver.
#[derive(Debug)]
pub(crate) struct Archiver {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) author: Author,
    pub(super) claimed: Claimed,
    state: Mutex<State>,
    env: Arc<dyn Env>,
    /// Rings when something is archived, or nothing will be any more.
    changed: Bell,
    /// Rings when somebody waits, or the log ends.
    pub(crate) wanted: Arc<Bell>,
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
        env: Arc<dyn Env>,
        objects: Arc<dyn Objects>,
        author: Author,
        claimed: Claimed,
        archived: Vec<Lsn>,
    ) -> Self {
        let state = Mutex::new(State { archived, ..State::default() });
        let (changed, wanted) = (Bell::default(), Arc::default());
        Archiver { objects, author, claimed, state, env, changed, wanted }
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
        self.state().waiting += 1;
        self.wanted.ring();
        let result = loop {
            let heard = self.changed.rung();
            let state = self.state();
            if state.archived[lane.0 as usize] >= end {
                break Ok(());
            }
            if let Some(error) = &state.ended {
                break Err(error.clone());
            }
            drop(state);
            self.env.listen(&self.changed, heard, LOOK_EVERY);
        };
        self.state().waiting -= 1;
        result
    }

    /// Completes a ticket once `lane` is archived up to its commit.
    pub(crate) fn complete_later(&self, lane: Lane, commit: Commit, completer: Completer) {
        self.state().tickets.push((lane, commit, completer));
        self.wanted.ring();
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

    /// Everything that waits gets `error`.
    pub(crate) fn end(&self, error: Error) {
        self.state().ended.get_or_insert(error);
        self.changed.ring();
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
        self.changed.ring();
        self.complete_tickets();
    }
}
