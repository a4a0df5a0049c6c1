//! Latency tables.

use hdrhistogram::Histogram;

/// Fewer samples than this beyond a quantile say nothing about it.
const BEYOND_MIN: f64 = 10.0;
const COLUMNS: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

const LONGEST_NS: u64 = 100_000_000_000;

/// Nanoseconds up to 100 s, three digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Latencies(
            Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds and digits that a histogram takes"),
        )
    }
}

impl Latencies {
    /// Takes one in.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// The heading of [`row`](Latencies::row).
    pub fn heading(name: &str) -> String {
        let columns: String = COLUMNS.iter().map(|(name, _)| format!("{name:>11}")).collect();
        format!("{name:<42}{columns}{:>13}{:>11}", "max", "samples")
    }

    /// One line in nanoseconds; a quantile with fewer than 10 samples beyond it is left out.
    pub fn row(&self, name: &str) -> String {
        let samples = self.0.len();
        let quantile = |(_, q): &(&str, f64)| {
            let known = samples as f64 * (1.0 - q) >= BEYOND_MIN;
            let ns = if known { self.0.value_at_quantile(*q).to_string() } else { "n/a".into() };
            format!("{ns:>11}")
        };
        let columns: String = COLUMNS.iter().map(quantile).collect();
        format!("{name:<42}{columns}{:>13}{samples:>11}", self.0.max())
    }
}
