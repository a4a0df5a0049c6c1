//! The crash lab: every way to lose a record of tierlog, tried.
//!
//! [`script`] says what is done, [`session`] does it and keeps the [`history`], [`enumerate`] crashes it at every moment
//! and recovers, [`faults`] lets each of its writes fail, [`check`] holds what came back against what was promised.

pub mod chance;
pub mod check;
pub mod duel;
pub mod enumerate;
pub mod faults;
pub mod history;
pub mod mutants;
pub mod payload;
pub mod random;
pub mod script;
pub mod session;
