//! Which thread acts: a fence waits for what its own thread flushed, and for nothing else.

use std::cell::Cell;

/// Threads without a given number are numbered from here, in the order in which they come.
pub(super) const FIRST_FREE: u32 = 1_000;

thread_local! {
    static GIVEN: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Lets this thread act as thread `number` while `run` runs: for schedules of several threads played by one.
///
/// # Panics
/// If `number` is 1,000 or more: from there on threads get numbers by themselves.
pub fn as_thread<R>(number: u32, run: impl FnOnce() -> R) -> R {
    assert!(number < FIRST_FREE, "a thread's number is below {FIRST_FREE}");
    struct Restore(Option<u32>);
    impl Drop for Restore {
        fn drop(&mut self) {
            GIVEN.set(self.0);
        }
    }
    let _restore = Restore(GIVEN.replace(Some(number)));
    run()
}

pub(super) fn given() -> Option<u32> {
    GIVEN.get()
}
