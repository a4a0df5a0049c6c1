//! How long commits took.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::figures::{count, duration};

/// Longer ones count as this long: an hour.
const NS_MAX: u64 = 3_600_000_000_000;

/// Latencies of commits, to three digits.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

/// What is reported of them, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: u64,
    #[serde(rename = "p99.99")]
    pub(super) p99_99: u64,
    pub(super) max: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Latencies(Histogram::new_with_bounds(1, NS_MAX, 3).expect("bounds that the histogram takes"))
    }

    pub(super) fn record(&mut self, ns: u128) {
        self.0.saturating_record(u64::try_from(ns).unwrap_or(NS_MAX));
    }

    pub(super) fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("histograms of the same bounds");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        let max = self.0.max();
        Quantiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p99_9: at(0.999), p99_99: at(0.9999), max }
    }

    /// A table of one row.
    pub(super) fn table(&self) -> String {
        let Quantiles { p50, p90, p99, p99_9, p99_99, max } = self.quantiles();
        let columns = ["records", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
        let times = [p50, p90, p99, p99_9, p99_99, max].map(duration);
        let head: String = columns.iter().map(|name| format!("{name:>10}")).collect();
        let row: String = times.iter().map(|time| format!("{time:>10}")).collect();
        format!("{head}\n{:>10}{row}\n", count(self.count()))
    }
}
