//! Stable: the largest LSN of each lane below which every frame is durable and every dependency is below its own lane's
//! stable. For tails that are not power-safe; on the others whatever is published is stable.
//!
//! Model: `mode_n_ok.py` of the design (acknowledging against `durable` instead loses acknowledged records).

use std::collections::VecDeque;
use std::sync::PoisonError;

use tierlog_tiers::sync::{Mutex, MutexGuard};

use crate::board::{Board, Water};
use crate::frame::Dep;
use crate::number::{Lane, Lsn};

/// A published group that waits for its dependencies.
#[derive(Debug)]
struct Waiting {
    start: Lsn,
    deps: Vec<Dep>,
}

/// Groups with dependencies, per lane, oldest first.
#[derive(Debug)]
pub(crate) struct Stability {
    waiting: Mutex<Vec<VecDeque<Waiting>>>,
}

impl Stability {
    pub(crate) fn new(lanes: u32) -> Self {
        Stability { waiting: Mutex::new((0..lanes).map(|_| VecDeque::new()).collect()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<VecDeque<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the group is published.
    pub(crate) fn depends(&self, lane: Lane, start: Lsn, deps: &[Dep]) {
        self.waiting()[lane.0 as usize].push_back(Waiting { start, deps: deps.to_vec() });
    }

    /// Raises `stable` as far as what is durable now allows: of `lane`, and of every lane that waits for it.
    pub(crate) fn raise(&self, board: &Board, lane: Lane) {
        let mut waiting = self.waiting();
        if waiting.iter().all(VecDeque::is_empty) {
            board.raise_water(lane, Water::Stable, board.water(lane, Water::Durable));
            return;
        }
        while board.lanes().any(|lane| raise_lane(&mut waiting, board, lane)) {}
    }

    /// What `lane` up to `end` still waits for, beside its own durability.
    pub(crate) fn missing(&self, board: &Board, lane: Lane, end: Lsn) -> Vec<Dep> {
        let waiting = self.waiting();
        let below = waiting[lane.0 as usize].iter().take_while(|group| group.start < end);
        below
            .flat_map(|group| group.deps.iter())
            .filter(|dep| board.water(dep.lane, Water::Stable) < dep.end)
            .copied()
            .collect()
    }
}

/// True if that may be what another lane waits for.
fn raise_lane(waiting: &mut [VecDeque<Waiting>], board: &Board, lane: Lane) -> bool {
    let queue = &mut waiting[lane.0 as usize];
    let stable = |dep: &Dep| board.water(dep.lane, Water::Stable) >= dep.end;
    let mut changed = false;
    while queue.front().is_some_and(|group| group.deps.iter().all(stable)) {
        queue.pop_front();
        changed = true;
    }
    let durable = board.water(lane, Water::Durable);
    let limit = queue.front().map_or(durable, |group| durable.min(group.start));
    if limit > board.water(lane, Water::Stable) {
        board.raise_water(lane, Water::Stable, limit);
        changed = true;
    }
    changed
}
