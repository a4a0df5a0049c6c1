//! One medium, point by point: proves who may take part, opens logs, lets them take turns, and tells what came of it.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tierlog::bench::latency::{Latencies, spread};
use tierlog::bench::results::{Figure, Group, Ratio, Skipped};
use tierlog_tiers::clock::Ticks;

use crate::peer::{Kind, Medium, Outcome, Place, When};
use crate::peers::KINDS;
use crate::plan::Plan;
use crate::prove::prove;
use crate::table;
use crate::turns::{Contestant, Failed, Point, contest};

/// What came of a medium.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What was not.
    pub skipped: Vec<Skipped>,
}

/// Measures all points. `dirs` is a place whose directories are those to make others in.
pub fn measure(dirs: &Place, quick: bool) -> Outcome<Measured> {
    let (mut figures, mut skipped) = (Vec::new(), Vec::new());
    let mut may = Vec::new();
    for nth in (0..KINDS.len()).filter(|nth| KINDS[*nth].on.contains(&dirs.medium)) {
        // More than one thread, so that a log for each is what is opened.
        match within(dirs, &format!("proof-{nth}"), 2, |place| prove(nth, place)) {
            Ok(()) => may.push(nth),
            Err(error) => skipped.push(skip(nth, dirs.medium, error.to_string())),
        }
    }
    let (plan, ticks, began) = (Plan::of(dirs.medium, quick), Ticks::calibrate(), Instant::now());
    for (done, point) in plan.points.iter().enumerate() {
        table::heading(dirs, *point, done, plan.points.len(), began.elapsed());
        let (mut all, mut failed) = open(&may, dirs, *point)?;
        failed.extend(contest(&mut all, *point, plan.pace, ticks));
        figures.extend(told(&all, dirs, *point).inspect(table::row));
        let at = table::at(*point);
        skipped
            .extend(failed.into_iter().map(|(nth, why)| skip(nth, dirs.medium, format!("at {at}: {why}"))));
        drop(all);
        clear(&dirs.dir)?;
        clear(&dirs.nvme_dir)?;
    }
    Ok(Measured { figures, skipped })
}

fn skip(nth: usize, medium: Medium, why: String) -> Skipped {
    let Kind { name, about, .. } = &KINDS[nth];
    Skipped { what: format!("{name} {} on {}", about(), table::name(medium)), why }
}

/// Runs with directories of its own.
fn within<T>(dirs: &Place, name: &str, threads: usize, run: impl FnOnce(&Place) -> Outcome<T>) -> Outcome<T> {
    let place =
        Place { dir: dirs.dir.join(name), nvme_dir: dirs.nvme_dir.join(name), threads, ..dirs.clone() };
    std::fs::create_dir_all(&place.dir)?;
    std::fs::create_dir_all(&place.nvme_dir)?;
    run(&place)
}

/// Everything in a directory goes.
fn clear(dir: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(dir)? {
        std::fs::remove_dir_all(entry?.path())?;
    }
    Ok(())
}

/// Opens all that take part at a point.
fn open(may: &[usize], dirs: &Place, point: Point) -> Outcome<(Vec<Contestant>, Failed)> {
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    let here = |when| match when {
        When::Always => true,
        When::Threads => point.threads > 1,
        When::Records => point.batch > 1,
    };
    for kind in may.iter().copied().filter(|nth| here(KINDS[*nth].when)) {
        match within(dirs, &format!("log-{kind}"), point.threads, KINDS[kind].open) {
            Ok(peer) => {
                all.push(Contestant { kind, peer, per_s: Vec::new(), latencies: Latencies::default() })
            }
            Err(error) => failed.push((kind, error.to_string())),
        }
    }
    Ok((all, failed))
}

/// A figure each. The yardstick is the fastest of those that keep no log.
fn told<'a>(all: &'a [Contestant], dirs: &'a Place, point: Point) -> impl Iterator<Item = Figure> + 'a {
    let median = |one: &&Contestant| spread(&one.per_s).map_or(0.0, |per_s| per_s.median);
    let raw = all.iter().filter(|one| KINDS[one.kind].read.is_none());
    let yardstick = raw.max_by(|one, other| median(one).total_cmp(&median(other)));
    all.iter().map(move |one| figure(one, yardstick, dirs, point))
}

fn figure(one: &Contestant, yardstick: Option<&Contestant>, dirs: &Place, point: Point) -> Figure {
    let keeps_log = KINDS[one.kind].read.is_some();
    let bytes = |per_s: &f64| per_s * (point.size * if keeps_log { point.batch } else { 1 }) as f64;
    let ratio = yardstick.filter(|yardstick| yardstick.kind != one.kind).and_then(|yardstick| {
        let rounds: Vec<f64> = yardstick.per_s.iter().zip(&one.per_s).map(|(raw, own)| raw / own).collect();
        let (to, of) = (by(yardstick.kind, point), "time".into());
        spread(&rounds).map(|value| Ratio { to, of, value })
    });
    Figure {
        group: Group::Peers,
        what: "commit".into(),
        by: by(one.kind, point),
        at: table::at(point),
        medium: table::name(dirs.medium).into(),
        promise: dirs.promise.clone(),
        runs: one.per_s.len() as u32,
        per_s: spread(&one.per_s),
        bytes_per_s: spread(&one.per_s.iter().map(bytes).collect::<Vec<_>>()),
        latency: one.latencies.quantiles(),
        response: None,
        ratio,
        timeline: Vec::new(),
        stalls: Vec::new(),
        counted: Default::default(),
        note: note(one.kind, dirs),
    }
}

/// Its name at a point: a yardstick writes one record, whatever the others do.
fn by(kind: usize, point: Point) -> String {
    let of_one = if KINDS[kind].read.is_none() && point.batch > 1 { ", one record" } else { "" };
    format!("{}{of_one}", KINDS[kind].name)
}

/// What has to stand beside a figure.
fn note(nth: usize, dirs: &Place) -> Option<String> {
    let by_file = dirs.emulated && KINDS[nth].by_file;
    by_file.then(|| "on tmpfs, where fsync does nothing: its software alone".into())
}
