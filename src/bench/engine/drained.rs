//! What a drain costs those who commit meanwhile: commits one by one on one lane, with nothing drained and in the midst of
//! a drain.

use std::time::Duration;

use super::place::{Place, config, frame_bytes};
use crate::Durability;
use crate::bench::contest::Loop;
use crate::bench::latency::{Latencies, spread};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Latency, Point, Ratio};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 256 << 20;
/// Of the ring, what is timed in a run at most: no commit ever waits for the drainer.
const TIMED_BYTES: u64 = RING_BYTES / 4;
/// What a timed commit takes, about.
const COMMIT_NS: u64 = 200;
const STILL: &str = "tierlog, not drained";

struct Drained(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64]);
    sizes.iter().map(|size| Box::new(Drained(*size)) as Box<dyn Probe>).collect()
}

/// What came of one of the two.
#[derive(Default)]
struct Side {
    all: Latencies,
    runs: Vec<Latency>,
}

impl Side {
    fn time(&mut self, session: &Session<'_>, commit: &mut dyn Loop, commits: u64) -> Measured<()> {
        let mut run = Latencies::default();
        commit.one_by_one(session.ticks, commits, &mut run)?;
        self.runs.extend(run.quantiles());
        self.all.add(&run);
        Ok(())
    }
}

impl Probe for Drained {
    fn title(&self) -> String {
        format!("commit, drained, {} B", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = self.commits(pace) * 5 / 2 * frame_bytes(self.0) * u64::from(pace.runs);
        Estimate {
            time: pace.time * 2 + Duration::from_millis(600 + bytes / 400_000),
            tail_bytes: bytes + RING_BYTES,
            nvme_bytes: bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let place = Place::open(session, config(session, 1, RING_BYTES), 1)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.0 as usize]);
        let commits = self.commits(&session.pace);
        let mut commit = || -> Measured<()> {
            writer.append(7, &payload)?;
            writer.commit(Durability::Power)?;
            Ok(())
        };
        let (mut still, mut drained) = (Side::default(), Side::default());
        for run in 0..session.pace.runs {
            let held = place.log.hold_drains();
            still.time(session, &mut commit, commits)?;
            drop(held);
            place.settle()?;
            // The drain is on its way by then.
            commit.burst(session.ticks, commits / 2)?;
            drained.time(session, &mut commit, commits)?;
            place.settle()?;
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        drop(writer);
        place.close()?;
        let ratios: Vec<f64> = still.runs.iter().zip(&drained.runs).filter_map(p99_of).collect();
        let mut ours = self.figure(session, "tierlog", &drained);
        ours.ratio = spread(&ratios).map(|value| Ratio { to: STILL.into(), of: "p99".into(), value });
        Ok(vec![self.figure(session, STILL, &still), ours])
    }
}

/// The second's p99 beside the first's.
fn p99_of((still, drained): (&Latency, &Latency)) -> Option<f64> {
    Some(drained.p99_ns? as f64 / still.p99_ns?.max(1) as f64)
}

impl Drained {
    /// Timed in a run, of each of the two.
    fn commits(&self, pace: &Pace) -> u64 {
        let time_ns = pace.time.as_nanos() as u64 / u64::from(pace.runs);
        (time_ns / COMMIT_NS).min(TIMED_BYTES / frame_bytes(self.0)).max(1)
    }

    fn figure(&self, session: &Session<'_>, by: &str, side: &Side) -> Figure {
        let at = Point { size_bytes: Some(self.0), ..Point::default() };
        let promise = session.grounds.tail_promise;
        let mut figure = Figure::new(Group::Engine, "commit, drained", by, at, "tail", promise);
        figure.runs = side.runs.len() as u32;
        figure.latency = side.all.quantiles();
        figure
    }
}
