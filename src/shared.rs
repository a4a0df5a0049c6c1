//! A lane for threads that have none of their own.

use std::sync::Arc;

use tierlog_tiers::tail::{Mapped, Tail};

use crate::durability::{Commit, Durability};
use crate::engine::Engine;
use crate::error::Result;
use crate::number::Lane;
use crate::writer::Writer;

/// A lane that threads share by taking turns.
#[derive(Debug)]
pub struct Shared<T: Tail = Mapped> {
    engine: Arc<Engine<T>>,
    lane: Lane,
}

impl<T: Tail> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared { engine: self.engine.clone(), lane: self.lane }
    }
}

impl<T: Tail> Shared<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, lane: Lane) -> Self {
        Shared { engine, lane }
    }

    /// Waits for this thread's turn; dropping the writer ends it.
    pub fn turn(&self) -> Writer<T> {
        Writer::new(self.engine.clone(), self.engine.seats.take_in_turn(self.lane))
    }

    /// One batch in a turn, at `durability`: `fill` appends it, and is undone if it fails. The turn ends before the wait for
    /// the disk or the archive begins, so that threads that commit at the same time share one run, and its cost.
    ///
    /// # Errors
    /// `fill`'s; as for [`Writer::commit`].
    pub fn commit(
        &self,
        durability: Durability,
        fill: impl FnOnce(&mut Writer<T>) -> Result<()>,
    ) -> Result<Commit> {
        let mut writer = self.turn();
        fill(&mut writer)?;
        writer.publish(durability)?;
        let commit = writer.committed();
        drop(writer);
        if durability > commit.reached { self.engine.reach(commit, durability) } else { Ok(commit) }
    }
}
