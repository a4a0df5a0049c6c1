//! The benchmark runner behind `tierlog bench`: what a machine can do as a home for a log, and what the log makes of it.
//!
//! Contents: [`results`] (what is kept of a run, in JSON), [`latency`] (from samples to quantiles), [`probe`] (one thing to
//! measure, and what it is given), [`sweep`] (at which points), [`cpus`] (who runs where), [`contest`] (contestants
//! in turns), [`kinds`] (all that can be measured, group by group: [`primitive`], [`device`], [`nodes`], [`engine`],
//! [`cost`]), [`run`] (from a profile or a job file to results), [`report`] (from results to a page).

pub mod contest;
pub mod cost;
pub mod cpus;
pub mod device;
pub mod engine;
pub mod kinds;
pub mod latency;
pub mod nodes;
pub mod primitive;
pub mod probe;
pub mod report;
pub mod results;
pub mod run;
#[cfg(test)]
mod smoke;
pub mod sweep;
