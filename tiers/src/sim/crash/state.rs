//! One state that a crash may leave.

use std::fmt;
use std::sync::Arc;

use super::unit::Unit;
use super::{hash, survive};
use crate::sim::model::Model;
use crate::sim::{Crash, World};

/// One state that a crash may leave, made.
#[derive(Clone)]
pub struct State {
    units: Arc<Vec<Unit>>,
    /// The options that are not 0, by unit.
    choice: Vec<(u32, u128)>,
    model: Arc<Model>,
}

impl State {
    pub(super) fn new(
        crash: Crash,
        model: &Model,
        units: &Arc<Vec<Unit>>,
        choice: Vec<(u32, u128)>,
    ) -> State {
        let model = survive::survive(crash, model, units, &choice);
        State { units: units.clone(), choice, model: Arc::new(model) }
    }

    /// A hash of what a recovery sees: the content of every tail, file and object, names, lengths, late I/O, the boot
    /// id. States with the same hash are the same but for the time, and for how often a line or a sector that is not
    /// durable has changed. 128 bits: that two others share it may be neglected.
    pub fn hash(&self) -> u128 {
        hash::hash(&self.model)
    }

    /// A world of its own that begins in this state, with nobody in it, no plan of faults and an empty trace. Its clock
    /// goes on from the crash.
    pub fn world(&self) -> World {
        World::of(self.model.clone())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.choice.is_empty() {
            return f.write_str("nothing that was under way");
        }
        for (at, (unit, option)) in self.choice.iter().enumerate() {
            let sep = if at == 0 { "" } else { ", " };
            let unit = &self.units[*unit as usize];
            write!(f, "{sep}{unit}: {option} of {}", unit.count() - 1)?;
        }
        Ok(())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({self})")
    }
}
