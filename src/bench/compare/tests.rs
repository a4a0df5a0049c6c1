//! Made-up results.

use super::*;
use crate::bench::results::{Latency, Machine, Noise, Ratio, SCHEMA, Spread};

fn spread(median: f64) -> Spread {
    Spread { min: median * 0.98, median, max: median * 1.02 }
}

fn figure(by: &str, promise: &str, per_s: f64) -> Figure {
    let at = Point { size_bytes: Some(64), ..Point::default() };
    let mut figure = Figure::new(Group::Engine, "commit", by, at, "tail", promise);
    figure.per_s = Some(spread(per_s));
    figure
}

fn results(figures: Vec<Figure>) -> Results {
    Results {
        schema: SCHEMA.into(),
        version: "0".into(),
        command: Vec::new(),
        profile: "quick".into(),
        began_unix_ms: 0,
        took_ms: 0,
        machine: Machine { host: "one".into(), ..Machine::default() },
        noise: Noise::default(),
        figures,
        skipped: Vec::new(),
        verdict: Vec::new(),
    }
}

fn fared(before: Figure, after: Figure) -> Vec<Fared> {
    let found = compare(&results(vec![before]), &results(vec![after]), 0.05);
    found.changes.iter().map(|change| change.fared).collect()
}

#[test]
fn a_run_is_the_same_as_itself() {
    let run = results(vec![figure("tierlog", "power loss", 1e6), figure("raw loop", "power loss", 2e6)]);
    let found = compare(&run, &run, 0.0);
    assert_eq!((found.changes.len(), found.alone, found.warnings.len()), (2, 0, 0));
    assert!(found.changes.iter().all(|change| change.fared == Fared::Same && change.by() == 0.0));
}

#[test]
fn beyond_the_noise_it_is_better_or_worse() {
    let of = |per_s| figure("tierlog", "power loss", per_s);
    assert_eq!(fared(of(1e6), of(0.97e6)), [Fared::Same]);
    assert_eq!(fared(of(1e6), of(0.9e6)), [Fared::Worse]);
    assert_eq!(fared(of(1e6), of(1.1e6)), [Fared::Better]);
    // Runs that lie far apart decide nothing.
    let mut wide = of(0.8e6);
    wide.per_s = Some(Spread { min: 0.5e6, median: 0.8e6, max: 1.2e6 });
    assert_eq!(fared(of(1e6), wide), [Fared::Same]);
}

#[test]
fn nothing_is_compared_across_promises_or_media() {
    let (kept, other) = (figure("tierlog", "power loss", 1e6), figure("tierlog", "kill -9 (EMULATED)", 9e6));
    let mut elsewhere = figure("tierlog", "power loss", 9e6);
    elsewhere.medium = "nvme".into();
    for other in [other, elsewhere] {
        let found = compare(&results(vec![kept.clone()]), &results(vec![other]), 0.05);
        assert_eq!((found.changes.len(), found.alone), (0, 2));
    }
}

#[test]
fn a_ratio_decides_before_the_speed_and_latencies_count_too() {
    let with = |ratio: f64, p50_ns: u64, p99_ns: u64| {
        let mut figure = figure("tierlog", "power loss", 1e6);
        figure.ratio = Some(Ratio { to: "raw loop".into(), of: "time".into(), value: spread(ratio) });
        figure.latency = Some(Latency {
            count: 10_000,
            mean_ns: p50_ns as f64,
            p50_ns,
            p90_ns: None,
            p99_ns: Some(p99_ns),
            p99_9_ns: None,
            p99_99_ns: None,
            max_ns: p99_ns,
            curve: Vec::new(),
        });
        figure
    };
    let mut faster_machine = with(1.1, 100, 200);
    faster_machine.per_s = Some(spread(3e6));
    assert_eq!(fared(with(1.1, 100, 200), faster_machine), [Fared::Same; 3]);
    assert_eq!(fared(with(1.1, 100, 200), with(1.3, 130, 500)), [Fared::Worse; 3]);
    // A timer's grain is nobody's fault.
    assert_eq!(fared(with(1.1, 10, 200), with(1.1, 20, 200)), [Fared::Same; 3]);
    // The band of a tail is twice as wide.
    assert_eq!(fared(with(1.1, 100, 200), with(1.1, 100, 216)), [Fared::Same; 3]);
}

#[test]
fn different_machines_and_noise_are_warned_about() {
    let before = results(vec![]);
    let mut after = before.clone();
    after.machine.host = "two".into();
    after.machine.facts.insert("governor".into(), "powersave".into());
    after.noise.warnings.push("others were at work".into());
    let warned = compare(&before, &after, 0.05).warnings;
    assert!(
        warned.len() == 3
            && warned[0].contains("the host differs: \"one\" and \"two\"")
            && warned[1].contains("governor")
            && warned[2].contains("the second run was noisy"),
        "{warned:?}"
    );
}
