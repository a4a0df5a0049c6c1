//! One thing to measure, and what it is given.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use tierlog_tiers::clock::Ticks;
use tierlog_tiers::tail::MediumAsk;

use super::cpus::Cpus;
use super::results::{Figure, Skipped};
use super::sweep::Sweep;

/// What a probe comes to.
pub type Measured<T = Vec<Figure>> = Result<T, Box<dyn Error>>;

/// What survives power loss.
pub const POWER: &str = "power loss";
/// What survives the process and nothing more.
pub const PROCESS: &str = "kill -9";
/// The same, by instructions that would make it survive power loss on persistent memory.
pub const EMULATED: &str = "kill -9 (EMULATED)";
/// What promises nothing: reads, and stores without a fence.
pub const NOTHING: &str = "nothing";

/// A kind of measurement: each group has a list of them.
pub struct Kind {
    /// As in [`Figure::what`]: `commit`.
    pub what: &'static str,
    /// In a few words, for `tierlog bench --list`.
    pub about: &'static str,
    /// The probes for a sweep, one for each point.
    pub probes: fn(&Sweep) -> Vec<Box<dyn Probe>>,
}

/// One thing to measure: contestants that take turns on the same medium, and what came of each.
pub trait Probe {
    /// What the table says while it runs: `persist, 64 B`.
    fn title(&self) -> String;
    /// What it will take, known before it runs.
    fn estimate(&self, pace: &Pace) -> Estimate;
    /// Bytes that lie on the tail's medium and on the NVMe tier's at once: all that is written, unless it is written over.
    fn room(&self, pace: &Pace) -> (u64, u64) {
        let estimate = self.estimate(pace);
        (estimate.tail_bytes, estimate.nvme_bytes)
    }
    /// Measures.
    ///
    /// # Errors
    /// Whatever keeps it from measuring, for people: the run goes on with the next, and the report says so.
    fn run(&mut self, session: &mut Session<'_>) -> Measured;
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
    /// What the media are.
    pub grounds: &'a Grounds,
    /// Where to run: the calling thread is not pinned.
    pub cpus: &'a Cpus,
    /// A timer for short stretches, calibrated.
    pub ticks: Ticks,
    /// Told of progress within the probe, 0 to 1.
    pub progress: &'a mut dyn FnMut(f64),
    /// What parts of it could not be measured.
    pub skipped: Vec<Skipped>,
}

/// What the media were found to be.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// What a tail's file in [`Session::tail_dir`] is to be taken for.
    pub tail_ask: MediumAsk,
    /// What a fenced store there survives: [`POWER`] or [`EMULATED`].
    pub tail_promise: &'static str,
    /// What a durable write in [`Session::nvme_dir`] survives: [`POWER`] or [`PROCESS`].
    pub nvme_promise: &'static str,
}

impl Grounds {
    /// The tail is ordinary memory in the place of persistent memory.
    pub fn emulated(&self) -> bool {
        self.tail_promise == EMULATED
    }
}
