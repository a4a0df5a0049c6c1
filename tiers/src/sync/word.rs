//! A word of loom's page.
//!
//! loom 0.7 compares a store with the last access of its word only: where that was a load by the same thread, it misses
//! that an earlier load by another could come later. Where [`in_turn`] is asked for, each access first takes a number of
//! its word, so that all of them depend on each other and every order is tried. The numbers may synchronise threads that
//! fence, so a model runs both ways.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU64;

thread_local! {
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the accesses of each word are told apart by their order from now on, in models that this thread runs.
pub fn in_turn(yes: bool) {
    IN_TURN.set(yes);
}

/// See the module.
#[derive(Debug, Default)]
pub struct Word {
    value: AtomicU64,
    turn: AtomicU64,
}

impl Word {
    fn take_turn(&self) {
        if IN_TURN.get() {
            self.turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As std's.
    pub fn load(&self, order: Ordering) -> u64 {
        self.take_turn();
        self.value.load(order)
    }

    /// As std's.
    pub fn store(&self, value: u64, order: Ordering) {
        self.take_turn();
        self.value.store(value, order);
    }

    /// As std's.
    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.take_turn();
        self.value.fetch_max(value, order)
    }
}
