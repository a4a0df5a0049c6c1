//! One thing to measure, and what it is given.

use std::path::PathBuf;
use std::time::Duration;

use super::results::{Figure, Skipped};

/// One thing to measure: contestants that take turns on the same medium, and what came of each.
pub trait Probe {
    /// What the table says while it runs: `persist, 64 B`.
    fn title(&self) -> String;
    /// What it will take, known before it runs.
    fn estimate(&self, pace: &Pace) -> Estimate;
    /// Measures.
    ///
    /// # Errors
    /// Whatever keeps it from measuring, for people: the run goes on with the next, and the report says so.
    fn run(&mut self, session: &mut Session<'_>) -> Result<Vec<Figure>, Box<dyn std::error::Error>>;
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time that each contestant gets at each point, over all runs.
    pub time: Duration,
    /// Runs of each, in turns.
    pub runs: u32,
}

/// What a probe will take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Estimate {
    /// Time.
    pub time: Duration,
    /// Bytes written to the tail's medium.
    pub tail_bytes: u64,
    /// Bytes written to the NVMe tier's medium.
    pub nvme_bytes: u64,
}

/// What a probe is given.
pub struct Session<'a> {
    /// How long and how often.
    pub pace: Pace,
    /// A fresh directory for the tail's medium, removed afterwards.
    pub tail_dir: PathBuf,
    /// A fresh directory for the NVMe tier's medium, removed afterwards.
    pub nvme_dir: PathBuf,
    /// Told of progress within the probe, 0 to 1.
    pub progress: &'a mut dyn FnMut(f64),
    /// What parts of it could not be measured.
    pub skipped: Vec<Skipped>,
}
