//! From samples to quantiles.

use hdrhistogram::Histogram;

use super::results::{Latency, Ratio, Spread};

/// Longer ones count as this long: 100 s.
const NS_MAX: u64 = 100_000_000_000;
/// Fewer samples than this beyond a quantile say nothing about it.
const BEYOND_MIN: f64 = 10.0;

/// Times in ns, to three digits. Records in about 7 ns and allocates nothing.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Latencies(Histogram::new_with_bounds(1, NS_MAX, 3).expect("bounds and digits that a histogram takes"))
    }
}

impl Latencies {
    /// Takes one in.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Takes all of another in.
    pub fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("histograms of the same bounds");
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// What is reported of them; nothing of nothing.
    pub fn quantiles(&self) -> Option<Latency> {
        let count = self.0.len();
        if count == 0 {
            return None;
        }
        let known = |quantile: f64| count as f64 * (1.0 - quantile) >= BEYOND_MIN;
        let at = |quantile: f64| known(quantile).then(|| self.0.value_at_quantile(quantile));
        let curve =
            self.0.iter_quantiles(2).map(|step| (step.quantile_iterated_to(), step.value_iterated_to()));
        Some(Latency {
            count,
            mean_ns: self.0.mean(),
            p50_ns: self.0.value_at_quantile(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p99_9_ns: at(0.999),
            p99_99_ns: at(0.9999),
            max_ns: self.0.max(),
            curve: curve.collect(),
        })
    }
}

/// Smallest, middle, largest; nothing of nothing.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    Some(Spread { min, median, max })
}

/// The time that `own` takes of `other`'s, of speeds in the same rounds.
pub fn beside(to: &str, own: &[f64], other: &[f64]) -> Option<Ratio> {
    let ratios: Vec<f64> = own.iter().zip(other).map(|(own, other)| other / own).collect();
    spread(&ratios).map(|value| Ratio { to: to.into(), of: "time".into(), value })
}
