//! Threads with a lane each, beside as many raw loops: from all lanes what from one. By themselves, and while their lanes
//! are drained.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{Mapped, Tail};

use super::commit::RAW;
use super::place::{Place, config, frame_bytes, raw_tail};
use crate::Durability;
use crate::bench::contest::Loop;
use crate::bench::latency::{beside, spread};
use crate::bench::parallel::Parallel;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 64 << 20;
const USED_BYTES: u64 = RING_BYTES / 10 * 9;
const CHUNK: u64 = 256;

struct Scale {
    size: u64,
    threads: u32,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, threads) = (or(&sweep.size_bytes, &[64]), or(&sweep.threads, &[1, 2, 4]));
    let points = sizes.iter().flat_map(|size| threads.iter().map(move |threads| (*size, *threads)));
    points.map(|(size, threads)| Box::new(Scale { size, threads }) as Box<dyn Probe>).collect()
}

impl Probe for Scale {
    fn title(&self) -> String {
        format!("scale, {} B, {} threads", self.size, self.threads)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = USED_BYTES * u64::from(pace.runs) * u64::from(self.threads);
        Estimate {
            time: pace.time * 3 + Duration::from_millis(300 + bytes / 250_000),
            tail_bytes: 3 * bytes,
            nvme_bytes: 2 * bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let (size, threads) = (self.size, self.threads);
        let place = Place::open(session, config(session, threads, RING_BYTES), threads as usize)?;
        let frame = frame_bytes(size) as usize;
        let parallel = Parallel {
            threads,
            time: session.pace.time / session.pace.runs,
            operations_max: USED_BYTES / frame as u64,
            chunk: CHUNK,
            latencies: false,
        };
        let ours = |_| -> Measured<Box<dyn Loop>> {
            let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; size as usize]);
            Ok(Box::new(move || -> Measured<()> {
                writer.append(7, &payload)?;
                writer.commit(Durability::Power)?;
                Ok(())
            }))
        };
        // As old as the log's: the caches have neither.
        let tail = |nth: u32| raw_tail(session, &format!("raw {nth}"), RING_BYTES);
        let tails: Vec<Arc<Mapped>> = (0..threads).map(tail).collect::<Measured<_>>()?;
        let loops = |nth: u32| -> Measured<Box<dyn Loop>> {
            let mut lane = Raw::new(tails[nth as usize].lane(0, RING_BYTES)?);
            let bytes = vec![0x5a_u8; frame];
            Ok(Box::new(move || -> Measured<()> { Ok(lane.write_back(&bytes)?) }))
        };
        let (mut own, mut drained, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..session.pace.runs {
            let (cpus, ticks) = (session.cpus, session.ticks);
            other.push(parallel.run(cpus, ticks, &loops)?.per_s);
            let held = place.log.hold_drains();
            own.push(parallel.run(cpus, ticks, &ours)?.per_s);
            drop(held);
            place.settle()?;
            drained.push(parallel.run(cpus, ticks, &ours)?.per_s);
            place.settle()?;
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        let waits: u64 = place.log.metrics().lanes.iter().map(|lane| lane.waits_for_room).sum();
        place.close()?;
        let mut figures = vec![self.figure(session, RAW, &other, &other)];
        figures.push(self.figure(session, "tierlog", &own, &other));
        let mut last = self.figure(session, "tierlog, drained", &drained, &other);
        last.counted.insert("waits_for_room".into(), waits as f64);
        if threads as usize >= session.cpus.count() {
            last.note =
                Some("its drainer shares the processors with the threads; a raw loop has none".into());
        }
        figures.push(last);
        Ok(figures)
    }
}

impl Scale {
    fn figure(&self, session: &Session<'_>, by: &str, runs: &[f64], raw: &[f64]) -> Figure {
        let at = Point { size_bytes: Some(self.size), threads: Some(self.threads), ..Point::default() };
        let mut figure = Figure::new(Group::Engine, "scale", by, at, "tail", session.grounds.tail_promise);
        figure.runs = runs.len() as u32;
        figure.per_s = spread(runs);
        figure.bytes_per_s = spread(&runs.iter().map(|per_s| per_s * self.size as f64).collect::<Vec<_>>());
        if by != RAW {
            figure.ratio = beside(RAW, runs, raw);
        }
        figure
    }
}
