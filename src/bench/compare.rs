//! Two runs, figure by figure.
//!
//! Invariants: only figures of the same group, kind, contestant, point, medium and promise are held against each other;
//! within the noise of the two runs, or the threshold, they count as the same.

use std::collections::BTreeMap;

use super::results::{Figure, Group, Point, Results};

/// By so much two latencies differ through the timer's grain alone.
const TIMER_NS: f64 = 20.0;

/// How a figure fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    /// Beyond the noise.
    Better,
    /// Within it.
    Same,
    /// Beyond the noise.
    Worse,
}

/// One measure of one figure in both runs.
#[derive(Debug, Clone)]
pub struct Change {
    /// The figure in the second run.
    pub figure: Figure,
    /// What was compared: `per_s`, `p50`, `ratio`, ...
    pub measure: &'static str,
    /// In the first run.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// What counts as the same, as a part of `before`.
    pub noise: f64,
    /// The verdict.
    pub fared: Fared,
}

impl Change {
    /// By how much it changed: 0.1 for 10% more.
    pub fn by(&self) -> f64 {
        self.after / self.before - 1.0
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Every measure that both runs have.
    pub changes: Vec<Change>,
    /// Figures that only one of them has.
    pub alone: usize,
    /// Why the two should not be compared, if anything speaks against it.
    pub warnings: Vec<String>,
}

type Key<'a> = (Group, &'a str, &'a str, &'a Point, &'a str, &'a str);

fn key(figure: &Figure) -> Key<'_> {
    (figure.group, &figure.what, &figure.by, &figure.at, &figure.medium, &figure.promise)
}

/// Holds `after` against `before`. `threshold` is the least change that counts, 0.05 for 5%.
pub fn compare(before: &Results, after: &Results, threshold: f64) -> Comparison {
    let old: BTreeMap<Key<'_>, &Figure> = before.figures.iter().map(|figure| (key(figure), figure)).collect();
    let mut comparison = Comparison { warnings: warnings(before, after), ..Comparison::default() };
    let mut paired = 0;
    for figure in &after.figures {
        let Some(old) = old.get(&key(figure)) else { continue };
        paired += 1;
        comparison.changes.extend(changes(old, figure, threshold));
    }
    comparison.alone = before.figures.len() + after.figures.len() - 2 * paired;
    comparison
}

/// Ratios carry between machines and days, so where there is one it decides; speeds and medians otherwise, and the 99th
/// percentile in any case.
fn changes(old: &Figure, new: &Figure, threshold: f64) -> Vec<Change> {
    let mut all = Vec::new();
    let mut hold = |measure, before: f64, after: f64, spread: f64, more_is_better: bool| {
        if before > 0.0 && after > 0.0 {
            let noise = threshold.max(spread);
            let worse = if more_is_better { before / after } else { after / before };
            let fared = match worse {
                _ if worse > 1.0 + noise => Fared::Worse,
                _ if worse < 1.0 / (1.0 + noise) => Fared::Better,
                _ => Fared::Same,
            };
            all.push(Change { figure: new.clone(), measure, before, after, noise, fared });
        }
    };
    let apart = |one: &super::results::Spread| (one.max - one.min) / one.median.max(f64::MIN_POSITIVE) / 2.0;
    let speed = |figure: &Figure| figure.per_s.or(figure.bytes_per_s);
    let noise =
        [old, new].iter().filter_map(|figure| speed(figure)).map(|speed| apart(&speed)).fold(0.0, f64::max);
    match (&old.ratio, &new.ratio) {
        (Some(before), Some(after)) if (&before.to, &before.of) == (&after.to, &after.of) => {
            let noise = apart(&before.value).max(apart(&after.value));
            hold("ratio", before.value.median, after.value.median, noise, false);
        }
        _ => {
            if let (Some(before), Some(after)) = (speed(old), speed(new)) {
                hold("speed", before.median, after.median, noise, true);
            }
        }
    }
    let latency = |figure: &Figure| figure.response.clone().or_else(|| figure.latency.clone());
    if let (Some(before), Some(after)) = (latency(old), latency(new)) {
        // A tail is noisier than a mean: its band is twice as wide.
        let timer = |ns: u64| TIMER_NS / ns.max(1) as f64;
        hold("p50", before.p50_ns as f64, after.p50_ns as f64, noise.max(timer(before.p50_ns)), false);
        if let (Some(before), Some(after)) = (before.p99_ns, after.p99_ns) {
            let noise = (2.0 * noise).max(2.0 * threshold).max(timer(before));
            hold("p99", before as f64, after as f64, noise, false);
        }
    }
    all
}

fn warnings(before: &Results, after: &Results) -> Vec<String> {
    let (one, other) = (&before.machine, &after.machine);
    let mut all = Vec::new();
    let mut differ = |what: &str, before: &str, after: &str| {
        if before != after {
            all.push(format!("{what} differs: {before:?} and {after:?}"));
        }
    };
    differ("the host", &one.host, &other.host);
    differ("the processor", &one.cpu, &other.cpu);
    differ("the number of processors", &one.cpus.to_string(), &other.cpus.to_string());
    differ("the kernel", &one.kernel, &other.kernel);
    differ("the profile", &before.profile, &after.profile);
    for name in one.facts.keys().chain(other.facts.keys().filter(|name| !one.facts.contains_key(*name))) {
        let of = |facts: &BTreeMap<String, String>| facts.get(name).cloned().unwrap_or_default();
        differ(name, &of(&one.facts), &of(&other.facts));
    }
    for (which, results) in [("the first run", before), ("the second run", after)] {
        if !results.noise.warnings.is_empty() {
            all.push(format!("{which} was noisy: {}", results.noise.warnings.join("; ")));
        }
    }
    all
}

#[cfg(test)]
mod tests;
