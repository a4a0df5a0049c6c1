//! The benchmark runner behind `tierlog bench`: what a machine can do as a home for a log, and what the log makes of it.
//!
//! Contents: [`results`] (what is kept of a run, in JSON), [`latency`] (from samples to quantiles), [`probe`] (one thing to
//! measure, and what it is given).

pub mod latency;
pub mod probe;
pub mod results;
