//! Ways of writing to a file past the page cache, each by itself: for measurements. No log is written through here, and
//! nothing that a log promises rests on it; a log's ways are [`DurableWay`](super::DurableWay).
//!
//! Contents: [`TrialFile`] (written zeros), [`TrialWriter`] (system calls, one at a time), [`TrialQueue`] (io_uring, several
//! at once), [`polls`] (whether the device can be polled), [`flushes()`] (how many it was sent).

mod file;
mod flushes;
mod queue;
#[cfg(test)]
mod tests;

pub use file::{TrialFile, TrialSync, TrialWriter};
pub use flushes::flushes;
pub use queue::{QueueOptions, TrialQueue, polls};
