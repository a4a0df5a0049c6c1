//! A moment at which a crash may come.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use super::choose::{Choose, States};
use super::explore::Explore;
use super::state::State;
use super::unit::{Unit, units};
use crate::sim::Crash;
use crate::sim::model::Model;
use crate::sim::trace::Trace;

/// A moment at which a crash may come, and all that it may leave.
pub struct Point {
    crash: Crash,
    model: Arc<Model>,
    trace: Trace,
    at: usize,
    units: OnceCell<Arc<Vec<Unit>>>,
}

impl Point {
    pub(in crate::sim) fn new(crash: Crash, model: Arc<Model>, trace: Trace, at: usize) -> Point {
        Point { crash, model, trace, at, units: OnceCell::new() }
    }

    /// How many events came before it.
    pub fn event(&self) -> u64 {
        self.trace.first - 1 + self.at as u64
    }

    /// The notes that came before it, each with the number of its event.
    pub fn notes(&self) -> impl Iterator<Item = (u64, &str)> {
        self.trace.notes_of_first(self.at)
    }

    pub(super) fn units(&self) -> &Arc<Vec<Unit>> {
        self.units.get_or_init(|| Arc::new(units(&self.model, self.crash)))
    }

    /// In how many states the crash may leave the world: exactly, but `u128::MAX` for more than that.
    ///
    /// States count twice in two rare cases: of a line that somebody streamed and stored to without a fence between,
    /// beyond 16,384 states of it; and of a file whose length and whose sectors are both open.
    pub fn combinations(&self) -> u128 {
        self.units().iter().fold(1, |all, unit| all.saturating_mul(unit.count()))
    }

    /// In how many tiers something is under way: lines of a tail, files, objects.
    pub fn tiers(&self) -> usize {
        let mut tiers = [false; 3];
        for unit in self.units().iter() {
            tiers[unit.tier()] = true;
        }
        tiers.into_iter().filter(|under_way| *under_way).count()
    }

    /// Some or all of these states.
    pub fn states(&self, choose: Choose) -> States<'_> {
        States::new(self, choose)
    }

    /// The state with everything that was under way, or with nothing of it.
    pub fn state(&self, everything: bool) -> State {
        let full = |(at, unit): (usize, &Unit)| (at as u32, unit.full());
        let all = || self.units().iter().enumerate().map(full).filter(|(_, option)| *option > 0).collect();
        self.make(if everything { all() } else { Vec::new() })
    }

    /// Enough of these states to see all that a recovery can do, and no more: those that differ in what it reads.
    pub fn explore(&self) -> Explore<'_> {
        Explore::new(self)
    }

    pub(super) fn make(&self, choice: Vec<(u32, u128)>) -> State {
        State::new(self.crash, &self.model, self.units(), choice)
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point")
            .field("crash", &self.crash)
            .field("event", &self.event())
            .finish_non_exhaustive()
    }
}
