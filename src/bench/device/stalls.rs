//! A durable write after the other for as long as all runs together: how it goes over time, and the worst.

use std::time::Duration;

use tierlog_tiers::nvme::trial::{TrialFile, TrialSync};
use tierlog_tiers::nvme::{BLOCK_BYTES, Block};

use super::tally::Tally;
use super::way::{By, Way, YARDSTICK};
use super::write::{FILE_BYTES, written};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Moment, Point, Stall};
use crate::bench::sweep::Sweep;

/// Slices of a timeline.
const SLICES: u64 = 60;
/// The worst that are listed.
const WORST: usize = 10;
const WAYS: [Way; 2] = [YARDSTICK, Way { sync: TrialSync::Dsync, by: By::Calls }];

struct Stalls;

pub(super) fn probes(_: &Sweep) -> Vec<Box<dyn Probe>> {
    vec![Box::new(Stalls)]
}

impl Probe for Stalls {
    fn title(&self) -> String {
        "stalls of a 4 KiB write".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let time = pace.time * WAYS.len() as u32;
        let nvme_bytes = FILE_BYTES + written(time, BLOCK_BYTES as u64, 1);
        Estimate { time: time + Duration::from_millis(200), tail_bytes: 0, nvme_bytes }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (0, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let file = TrialFile::create(&session.nvme_dir.join("trial"), FILE_BYTES)?;
        let mut figures = Vec::new();
        for (nth, way) in WAYS.into_iter().enumerate() {
            let at = Point { size_bytes: Some(BLOCK_BYTES as u64), depth: Some(1), ..Point::default() };
            let promise = way.promise(session);
            let mut figure = Figure::new(Group::Device, "stalls", &way.name(), at, "nvme", promise);
            watch(session, &file, way, &mut figure)?;
            (session.progress)((nth + 1) as f64 / WAYS.len() as f64);
            figures.push(figure);
        }
        Ok(figures)
    }
}

fn watch(session: &Session<'_>, file: &TrialFile, way: Way, figure: &mut Figure) -> Measured<()> {
    let (writer, block) = (file.writer(way.sync)?, Block::zeroed(BLOCK_BYTES));
    let (ticks, total_ns) = (session.ticks, session.pace.time.as_nanos() as f64);
    let slice_ns = total_ns / SLICES as f64;
    let (began, mut tally) = (ticks.now(), Tally::default());
    let (mut slice, mut in_slice) = (0, Vec::new());
    let (mut operations, mut at_ns) = (0_u64, 0.0);
    while operations == 0 || at_ns < total_ns {
        let start = ticks.now();
        writer.write(operations * BLOCK_BYTES as u64 % FILE_BYTES, &block)?;
        let ns = ticks.since(start) as u64;
        at_ns = ticks.since(began);
        operations += 1;
        tally.latencies.record(ns);
        take_stall(&mut figure.stalls, Stall { at_ms: (at_ns - ns as f64) / 1e6, ns, why: String::new() });
        let now = (at_ns / slice_ns) as u64;
        if now != slice {
            figure.timeline.extend(moment(slice, slice_ns, &mut in_slice));
            slice = now;
        }
        in_slice.push(ns);
    }
    figure.timeline.extend(moment(slice, slice_ns, &mut in_slice));
    tally.round(operations, at_ns);
    tally.fill(figure, BLOCK_BYTES as u64, None);
    Ok(())
}

/// Keeps the worst, worst first.
fn take_stall(stalls: &mut Vec<Stall>, one: Stall) {
    let place = stalls.partition_point(|other| other.ns >= one.ns);
    if place < WORST {
        stalls.insert(place, one);
        stalls.truncate(WORST);
    }
}

/// The slice so far, which is emptied; nothing where nothing ended in it.
fn moment(slice: u64, slice_ns: f64, in_slice: &mut Vec<u64>) -> Option<Moment> {
    in_slice.sort_unstable();
    let (p50_ns, max_ns) = (*in_slice.get(in_slice.len() / 2)?, *in_slice.last()?);
    in_slice.clear();
    Some(Moment { at_ms: (slice as f64 * slice_ns / 1e6) as u64, p50_ns, max_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_kept_worst_first() {
        let mut stalls = Vec::new();
        for ns in 0..100 {
            take_stall(&mut stalls, Stall { at_ms: ns as f64, ns: ns * 37 % 100, why: String::new() });
        }
        let kept: Vec<u64> = stalls.iter().map(|stall| stall.ns).collect();
        assert_eq!(kept, (90..100).rev().collect::<Vec<_>>());
    }
}
