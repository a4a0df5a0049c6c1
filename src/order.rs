//! Order across lanes: stamps, and the floor that closes a prefix of them.
//!
//! Owns the drawing of GSNs and the raising of the floor (shared/models `cut.py` of the design: plain watermarks and
//! plain stamps do not close a prefix, a floor with marks does). A writer marks its line, reads the floor, draws a stamp
//! above it, publishes, unmarks. Whoever raises the floor to G and then waits until no mark is older knows that every
//! batch stamped at or below G is published.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_tiers::clock::Clock;
use tierlog_tiers::membarrier::Membarrier;
use tierlog_tiers::sync::atomic::{Ordering, fence};
use tierlog_tiers::sync::{Mutex, hint};

use crate::board::{Board, SHUT};
use crate::host::Env;
use crate::number::Gsn;

/// How often the floor is raised at most.
const RAISE_EVERY: Duration = Duration::from_micros(100);

#[derive(Debug)]
pub(crate) struct Order {
    clock: Arc<dyn Clock>,
    env: Arc<dyn Env>,
    membarrier: Option<Membarrier>,
    raiser: Mutex<Raised>,
}

#[derive(Debug)]
struct Raised {
    /// When the floor was last raised.
    begun: Option<Duration>,
    gsn: Gsn,
}

impl Order {
    pub(crate) fn new(clock: Arc<dyn Clock>, env: Arc<dyn Env>) -> Self {
        let membarrier = Membarrier::register();
        Order { clock, env, membarrier, raiser: Mutex::new(Raised { begun: None, gsn: Gsn(0) }) }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    #[inline]
    pub(crate) fn has_membarrier(&self) -> bool {
        self.membarrier.is_some()
    }

    /// A stamp above `last`, the floor and, if it can be trusted, UTC. `None` when the log is shut, or no stamp is left.
    /// One that leads UTC raises the floor, so that whoever closes the order closes it above.
    #[inline]
    pub(crate) fn draw(&self, board: &Board, last: Gsn) -> Option<Gsn> {
        let (floor, now) = (board.floor(), self.clock.now_ns());
        let gsn = now.max(last.0 + 1).max(floor.saturating_add(1));
        if gsn > Gsn::MAX.0 {
            return None;
        }
        if gsn > now {
            board.raise_floor(gsn);
        }
        Some(Gsn(gsn))
    }

    /// What was handed out with this stamp comes before whatever is committed from now on.
    pub(crate) fn saw(&self, board: &Board, gsn: Gsn) {
        // Also where they are equal: the next stamp may be drawn from the very same time.
        if gsn.0 >= self.clock.now_ns() {
            board.raise_floor(gsn.0.min(SHUT - 1));
        }
    }

    /// A stamp such that every batch at or below it is published, among them all that were when this was called. Costs a
    /// `membarrier`, at most every 100 us: a call that comes sooner waits, and takes what another raised meanwhile.
    pub(crate) fn close(&self, board: &Board) -> Gsn {
        let called = self.env.now();
        loop {
            let mut raised = self.raiser.lock().unwrap_or_else(PoisonError::into_inner);
            if board.floor() == SHUT || raised.begun.is_some_and(|begun| begun > called) {
                return raised.gsn;
            }
            let begun = self.env.now();
            let early = raised.begun.and_then(|last| (last + RAISE_EVERY).checked_sub(begun));
            if let Some(early) = early.filter(|early| !early.is_zero()) {
                drop(raised);
                self.env.sleep(early);
                continue;
            }
            let gsn = self.clock.now_ns().max(board.floor()).max(raised.gsn.0);
            board.raise_floor(gsn);
            self.wait_for_marks(board);
            *raised = Raised { begun: Some(begun), gsn: Gsn(gsn) };
            return raised.gsn;
        }
    }

    /// Lets no further commit be published, and waits for those on their way: everything is closed then. Returns a stamp
    /// of this moment; a commit that was on its way may have one that leads it.
    pub(crate) fn shut(&self, board: &Board) -> Gsn {
        let mut raised = self.raiser.lock().unwrap_or_else(PoisonError::into_inner);
        let before = board.floor();
        board.raise_floor(SHUT);
        self.wait_for_marks(board);
        raised.gsn = Gsn(SHUT - 1);
        Gsn(self.clock.now_ns().max(if before == SHUT { 0 } else { before }))
    }

    fn wait_for_marks(&self, board: &Board) {
        match &self.membarrier {
            Some(membarrier) => membarrier.all_threads(),
            None => fence(Ordering::SeqCst),
        }
        for lane in board.lanes() {
            let turn = board.marked(lane);
            let mut spins = 0_u32;
            while turn % 2 == 1 && board.marked(lane) == turn {
                spins += 1;
                if spins < 64 { hint::spin_loop() } else { self.env.sleep(Duration::from_micros(20)) }
            }
        }
    }
}
