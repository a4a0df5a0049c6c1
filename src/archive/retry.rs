//! When to try again: pauses that double and are drawn at random, so that many logs do not come back at once.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::Env;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { pause: PAUSE_MIN }
    }
}

impl Backoff {
    /// The next pause: between half of what it has grown to and all of it.
    pub(crate) fn next(&mut self, env: &dyn Env) -> Duration {
        let drawn = u32::from_le_bytes(crate::open::random(env));
        let pause = self.pause / 2 + self.pause.mul_f64(f64::from(drawn) / f64::from(u32::MAX) / 2.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        pause
    }
}

/// Does `work` until it succeeds, fails for good, or has failed for `budget`. The clock is looked at between two tries: one
/// that has begun is waited for.
///
/// # Errors
/// The last one.
pub(crate) fn patiently<T>(
    env: &dyn Env,
    budget: Duration,
    mut work: impl FnMut() -> Result<T>,
) -> Result<T> {
    let (until, mut backoff) = (env.now() + budget, Backoff::default());
    loop {
        match work() {
            Err(Error::Archive(cause)) => {
                let pause = backoff.next(env);
                if env.now() + pause >= until {
                    return Err(Error::Archive(cause));
                }
                tracing::debug!(cause, "the object store is asked again");
                env.sleep(pause);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Machine;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let (mut backoff, env) = (Backoff::default(), Machine::detect());
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.next(&env)).collect();
        assert!(pauses[0] >= PAUSE_MIN / 2 && pauses[0] <= PAUSE_MIN);
        assert!(pauses[11] >= PAUSE_MAX / 2 && pauses[11] <= PAUSE_MAX);
        assert_ne!(pauses[10], pauses[11]);
    }

    #[test]
    fn only_a_store_that_may_come_back_is_asked_again() {
        let env = Machine::detect();
        let tries = std::cell::Cell::new(0);
        let count = |error: fn() -> Error| {
            tries.set(tries.get() + 1);
            Err::<(), _>(error())
        };
        patiently(&env, Duration::from_secs(5), || count(|| Error::Closed)).unwrap_err();
        assert_eq!(tries.take(), 1);
        patiently(&env, Duration::from_millis(300), || count(|| Error::Archive("gone".into()))).unwrap_err();
        assert!(tries.take() > 1);
    }
}
