//! loom's condition variable, with what it lacks of std's.

use std::sync::LockResult;
use std::time::Duration;

use loom::sync::MutexGuard;

/// As std's. Its waits never time out: a lost wake-up is a deadlock that loom finds.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// As std's.
    pub fn new() -> Self {
        Condvar::default()
    }

    /// As std's.
    ///
    /// # Errors
    /// As std's.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    /// As std's, for ever.
    ///
    /// # Errors
    /// As std's.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        _: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.0.wait(guard)?;
        }
        Ok(guard)
    }

    /// As std's.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// As std's.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
