//! What comes of contestants that run for a time each, in turns.

use crate::bench::latency::{Latencies, beside, spread};
use crate::bench::results::Figure;

/// Rates round by round, and all latencies.
#[derive(Debug, Default)]
pub struct Tally {
    rounds: Vec<f64>,
    /// Each operation.
    pub latencies: Latencies,
}

impl Tally {
    /// Takes a round in: so many operations in so many ns.
    pub fn round(&mut self, operations: u64, ns: f64) {
        self.rounds.push(operations as f64 * 1e9 / ns.max(1.0));
    }

    /// Fills in what was measured, an operation being `bytes` bytes, and the ratio to the yardstick's of the same rounds if
    /// there is one.
    pub fn fill(&self, figure: &mut Figure, bytes: u64, yardstick: Option<(&str, &Tally)>) {
        figure.runs = self.rounds.len() as u32;
        figure.per_s = spread(&self.rounds);
        let bytes_per_s: Vec<f64> = self.rounds.iter().map(|rate| rate * bytes as f64).collect();
        figure.bytes_per_s = spread(&bytes_per_s).filter(|_| bytes > 0);
        figure.latency = self.latencies.quantiles();
        figure.ratio = yardstick.and_then(|(to, other)| beside(to, &self.rounds, &other.rounds));
    }
}
