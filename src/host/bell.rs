//! A bell: wakes whoever waits for a change, without a change being missed.

use std::sync::PoisonError;
use std::time::Duration;

use tierlog_tiers::sync::{Condvar, Mutex, MutexGuard};

/// Counts how often it rang. Take the count, look at what you wait for, then listen from that count on.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    fn count(&self) -> MutexGuard<'_, u64> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all who listen.
    pub fn ring(&self) {
        *self.count() += 1;
        self.changed.notify_all();
    }

    /// How often it has rung.
    pub fn rung(&self) -> u64 {
        *self.count()
    }

    /// Blocks the thread until it has rung more often than `heard`, at most `how_long`.
    pub fn listen(&self, heard: u64, how_long: Duration) {
        let count = self.count();
        drop(self.changed.wait_timeout_while(count, how_long, |rung| *rung <= heard));
    }
}
