//! The benchmark runner behind `tierlog bench`: what a machine can do as a home for a log, and what the log makes of it.
//!
//! Contents:
//! - [`results`] (what is kept of a run, in JSON); what is made of them: [`report`] (a page), [`csv`], [`fio`] (jobs to check
//!   them against), [`verdict`] (sentences), [`compare`] (two runs)
//! - [`run`] (from a profile or a job file to results), [`sweep`] (at which points), [`cpus`] (who runs where)
//! - [`probe`] (one thing to measure, and what it is given), [`contest`] (contestants in turns), [`parallel`] (several threads
//!   at once), [`latency`] (from samples to quantiles), [`process`] (memory, bytes written, processor time by thread)
//! - [`kinds`]: all that can be measured, group by group: [`primitive`], [`device`], [`nodes`], [`engine`], [`cost`]

pub mod compare;
pub mod contest;
pub mod cost;
pub mod cpus;
pub mod csv;
pub mod device;
pub mod engine;
pub mod fio;
pub mod kinds;
pub mod latency;
pub mod nodes;
pub mod parallel;
pub mod primitive;
pub mod probe;
pub mod process;
pub mod report;
pub mod results;
pub mod run;
#[cfg(test)]
mod smoke;
pub mod sweep;
pub mod verdict;
