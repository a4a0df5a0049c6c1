//! Recovery: what counts of a log that was not closed.
//!
//! Contents: [`table`] (torn or corrupt: the decision, as a table), [`scan`] (one lane to its first hole), [`stretch`]
//! (what needs no second look, by all processors), [`cut`] (the fixpoint over stored dependencies), [`mod@examine`] (all
//! of it, read only).

mod cut;
mod examine;
mod scan;
mod stretch;
mod table;

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

pub(crate) use examine::{Examined, Inputs, examine, live_ranges};
pub(crate) use scan::LaneScan;
