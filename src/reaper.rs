//! The reaper: completes the tickets of `submit`, in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_tiers::sync::{Mutex, MutexGuard};
use tierlog_tiers::tail::Tail;

use crate::durability::{Commit, Durability};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Env, Worker};
use crate::ticket::{Completer, Ticket};

/// A commit to be completed.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) commit: Commit,
    durability: Durability,
    pub(crate) completer: Completer,
}

/// Between two looks; the bell comes sooner.
const REST: Duration = Duration::from_secs(1);

/// The queue of a log's tickets.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    queue: Mutex<Queue>,
    pub(crate) bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Queue {
    errands: VecDeque<Errand>,
    ended: bool,
}

impl Errands {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a commit to be completed.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end.
    pub(crate) fn put(&self, env: &Arc<dyn Env>, commit: Commit, durability: Durability) -> Result<Ticket> {
        let (completer, ticket) = Ticket::pair(env);
        let mut queue = self.queue();
        if queue.ended {
            return Err(Error::Closed);
        }
        queue.errands.push_back(Errand { commit, durability, completer });
        drop(queue);
        self.bell.ring();
        Ok(ticket)
    }

    /// Does the oldest errand with `run`: a reaper's turn.
    pub(crate) fn turn(&self, run: impl FnOnce(Errand)) -> Option<Duration> {
        let mut queue = self.queue();
        let Some(errand) = queue.errands.pop_front() else { return (!queue.ended).then_some(REST) };
        drop(queue);
        run(errand);
        Some(Duration::ZERO)
    }

    /// Takes nothing in any more, and lets the reaper end behind what is queued.
    pub(crate) fn end(&self) {
        self.queue().ended = true;
        self.bell.ring();
    }
}

impl<T: Tail> Engine<T> {
    /// Waits until a published batch has reached `durability`.
    pub(crate) fn reach(&self, mut commit: Commit, durability: Durability) -> Result<Commit> {
        let (lane, end) = (commit.stamp.end.lane, commit.at);
        if self.visible_first() {
            self.make_stable_in_time(lane, end)?;
        }
        commit.reached = Durability::Power;
        if durability == Durability::Machine {
            self.require_archive()?.wait(lane, end)?;
            commit.reached = Durability::Machine;
        }
        Ok(commit)
    }
}

/// Works until the queue ends. What waits for the archive is completed by the archiver, so that it delays nobody
/// else; ended here where that takes too long, since the archiver may itself be waiting for an answer.
pub(crate) struct Reaper<T: Tail>(pub(crate) Arc<Engine<T>>);

impl<T: Tail> Worker for Reaper<T> {
    fn turn(&mut self) -> Option<Duration> {
        let rest = self.0.errands.turn(|errand| self.run(errand))?;
        let next = self.0.archiver.as_ref().and_then(|archiver| archiver.expire_tickets());
        Some(next.map_or(rest, |next| next.min(rest)))
    }

    fn bell(&self) -> Arc<Bell> {
        self.0.errands.bell.clone()
    }
}

impl<T: Tail> Reaper<T> {
    fn run(&self, Errand { mut commit, durability, completer }: Errand) {
        match self.0.reach(commit, Durability::Power) {
            Ok(reached) if durability == Durability::Machine => match self.0.require_archive() {
                Ok(archive) => {
                    commit.reached = Durability::Machine;
                    archive.complete_later(reached.stamp.end.lane, commit, completer);
                }
                Err(error) => completer.complete(Err(error)),
            },
            result => completer.complete(result),
        }
    }
}
