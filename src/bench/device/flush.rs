//! What a flush costs by itself.

use std::time::Duration;

use tierlog_tiers::nvme::trial::{TrialFile, TrialSync};
use tierlog_tiers::nvme::{BLOCK_BYTES, Block};

use super::tally::Tally;
use super::write::written;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::Sweep;

const FILE_BYTES: u64 = 1 << 20;
const BEHIND: &str = "fdatasync behind a block";
const NOTHING_WRITTEN: &str = "fdatasync, nothing written";

struct Flush;

pub(super) fn probes(_: &Sweep) -> Vec<Box<dyn Probe>> {
    vec![Box::new(Flush)]
}

impl Probe for Flush {
    fn title(&self) -> String {
        "flush".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let nvme_bytes = FILE_BYTES + written(pace.time, BLOCK_BYTES as u64, 1);
        Estimate { time: pace.time * 2 + Duration::from_millis(20), tail_bytes: 0, nvme_bytes }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (0, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let file = TrialFile::create(&session.nvme_dir.join("trial"), FILE_BYTES)?;
        let writer = file.writer(TrialSync::Nothing)?;
        let block = Block::zeroed(BLOCK_BYTES);
        let time_ns = session.pace.time.as_nanos() as f64 / f64::from(session.pace.runs);
        let mut tallies = [Tally::default(), Tally::default()];
        for round in 0..session.pace.runs {
            for (behind, tally) in [true, false].into_iter().zip(&mut tallies) {
                let (began, mut operations, mut flushing_ns) = (session.ticks.now(), 0, 0.0);
                while operations == 0 || session.ticks.since(began) < time_ns {
                    if behind {
                        writer.write(operations * BLOCK_BYTES as u64 % FILE_BYTES, &block)?;
                    }
                    let start = session.ticks.now();
                    writer.flush()?;
                    let ns = session.ticks.since(start);
                    tally.latencies.record(ns as u64);
                    (operations, flushing_ns) = (operations + 1, flushing_ns + ns);
                }
                tally.round(operations, flushing_ns);
            }
            (session.progress)(f64::from(round + 1) / f64::from(session.pace.runs));
        }
        let figures = [BEHIND, NOTHING_WRITTEN].into_iter().zip(&tallies).map(|(by, tally)| {
            let promise = session.grounds.nvme_promise;
            let mut figure = Figure::new(Group::Device, "flush", by, Point::default(), "nvme", promise);
            tally.fill(&mut figure, 0, None);
            figure
        });
        Ok(figures.collect())
    }
}
