//! The reaper: completes the tickets of `submit`, in the order in which they came.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tierlog_tiers::tail::Tail;

use crate::durability::{Commit, Durability};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::ticket::{Completer, Ticket};

/// A commit to be completed.
#[derive(Debug)]
pub(crate) struct Errand {
    commit: Commit,
    durability: Durability,
    completer: Completer,
}

/// The queue of a log's tickets; gone once the log is closed.
#[derive(Debug)]
pub(crate) struct Errands(Mutex<Option<Sender<Errand>>>);

impl Errands {
    pub(crate) fn new() -> (Self, Receiver<Errand>) {
        let (sender, receiver) = mpsc::channel();
        (Errands(Mutex::new(Some(sender))), receiver)
    }

    /// Lets the reaper end behind what is queued.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<T: Tail> Engine<T> {
    pub(crate) fn submit(&self, commit: Commit, durability: Durability) -> Result<Ticket> {
        let (completer, ticket) = Ticket::pair();
        let errands = self.errands.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = errands.as_ref().ok_or(Error::Closed)?;
        sender.send(Errand { commit, durability, completer }).map_err(|_| Error::Closed)?;
        Ok(ticket)
    }

    /// Waits until a published batch has reached `durability`.
    pub(crate) fn reach(&self, mut commit: Commit, durability: Durability) -> Result<Commit> {
        let (lane, end) = (commit.stamp.end.lane, commit.at);
        if self.visible_first() {
            self.make_stable(lane, end)?;
        }
        commit.reached = Durability::Power;
        if durability == Durability::Machine {
            self.require_archive()?.wait(lane, end)?;
            commit.reached = Durability::Machine;
        }
        Ok(commit)
    }
}

/// Runs until the queue ends. What waits for the archive is completed by the archiver, so that it delays nobody else.
pub(crate) fn run_reaper<T: Tail>(engine: &Arc<Engine<T>>, errands: &Receiver<Errand>) {
    for Errand { mut commit, durability, completer } in errands {
        match engine.reach(commit, Durability::Power) {
            Ok(reached) if durability == Durability::Machine => match engine.require_archive() {
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
