//! The table in the terminal, while it runs.

use std::path::Path;
use std::time::Duration;

use tierlog::bench::results::{self, Figure, Results};

use crate::peer::{Medium, Place};
use crate::turns::Point;

/// What figures call a medium.
pub fn name(medium: Medium) -> &'static str {
    match medium {
        Medium::Tail => "tail",
        Medium::Disk => "nvme",
    }
}

/// A point as the results have it.
pub fn at(point: Point) -> results::Point {
    results::Point {
        size_bytes: Some(point.size as u64),
        threads: Some(point.threads as u32),
        batch: Some(point.batch as u32),
        ..results::Point::default()
    }
}

/// Above the rows of a point.
pub fn heading(dirs: &Place, point: Point, done: usize, points: usize, took: Duration) {
    let left = match done {
        0 => String::new(),
        _ => format!(", {:.0} s left here", took.as_secs_f64() / done as f64 * (points - done) as f64),
    };
    let emulated = if dirs.emulated { " EMULATED" } else { "" };
    println!("\n{}{emulated}: {} ({} of {points}{left})", name(dirs.medium), at(point), done + 1);
    println!(
        "{:<24}{:>12}{:>9}{:>17}{:>10}{:>10}{:>10}{:>11}",
        "", "commits/s", "x raw", "(min-max)", "p50 us", "p99 us", "p99.9 us", "max us"
    );
}

/// One contestant.
pub fn row(figure: &Figure) {
    let per_s = figure.per_s.map_or(0.0, |per_s| per_s.median);
    let (ratio, range) = match &figure.ratio {
        Some(ratio) => {
            let of = ratio.value;
            (format!("{:.2}", of.median), format!("({:.2}-{:.2})", of.min, of.max))
        }
        None => ("1".into(), String::new()),
    };
    let us = |ns: Option<u64>| ns.map_or("n/a".into(), |ns| format!("{:.2}", ns as f64 / 1e3));
    let of = figure.latency.as_ref();
    println!(
        "{:<24}{per_s:>12.0}{ratio:>9}{range:>17}{:>10}{:>10}{:>10}{:>11}",
        figure.by,
        us(of.map(|of| of.p50_ns)),
        us(of.and_then(|of| of.p99_ns)),
        us(of.and_then(|of| of.p99_9_ns)),
        us(of.map(|of| of.max_ns)),
    );
}

/// Below all.
pub fn ending(results: &Results, folder: &Path) {
    println!();
    for one in &results.skipped {
        println!("not compared: {}: {}", one.what, one.why);
    }
    for sentence in &results.verdict {
        println!("{sentence}");
    }
    if !results.noise.warnings.is_empty() {
        println!("NOISY: {}", results.noise.warnings.join("; "));
    }
    println!("results: {}", folder.display());
}
