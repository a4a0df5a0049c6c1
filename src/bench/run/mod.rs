//! From a profile or a job file to results.
//!
//! Contents: [`job`] (profiles and job files), [`plan`] (the probes, and what they take), [`places`] (directories to measure
//! in), [`machine`] (facts), [`noise`] (how quiet it was), [`carry_out`](go::carry_out) (one after the other), [`kept`] (the
//! folder of results).

pub mod go;
pub mod job;
pub mod kept;
pub mod machine;
pub mod noise;
pub mod places;
pub mod plan;

/// Whom a run tells how far it is.
pub trait Audience {
    /// The probe that begins, of how many, what it is of, and the time that the rest will take.
    fn begins(&mut self, nth: usize, of: usize, title: &str, left: std::time::Duration);
    /// Progress within it, 0 to 1.
    fn progress(&mut self, done: f64);
    /// What came of it.
    fn measured(&mut self, figures: &[super::results::Figure]);
    /// What did not.
    fn skipped(&mut self, skipped: &super::results::Skipped);
}
