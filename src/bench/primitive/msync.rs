//! A mapped file made durable by page: on the tail's medium where it has nothing better, otherwise on the NVMe tier's.

use std::sync::Arc;

use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MapOptions, Mapped, MediumAsk, Tail, TailMedium};

use crate::bench::contest::{Contestant, contest};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};

const FILE_BYTES: u64 = 32 << 20;
/// What one takes, roughly, on a disk that flushes.
const NS: u64 = 200_000;

struct Msync {
    size: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 4096, 64 << 10, 1 << 20]);
    let fits = |size: &&u64| **size > 0 && **size <= FILE_BYTES;
    sizes.iter().filter(fits).map(|size| Box::new(Msync { size: *size }) as Box<dyn Probe>).collect()
}

impl Probe for Msync {
    fn title(&self) -> String {
        format!("msync, {} B", self.size)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let times = pace.time.as_nanos() as u64 / NS;
        Estimate { time: pace.time, tail_bytes: 0, nvme_bytes: FILE_BYTES + times * self.size.max(4096) }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (FILE_BYTES, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let paged = |dir: &std::path::Path, ask| {
            Mapped::create(dir.join("msync"), FILE_BYTES, &MapOptions { ask, ..MapOptions::default() })
        };
        let tail = paged(&session.tail_dir, session.grounds.tail_ask)?;
        let (tail, medium, promise) = match tail.medium() {
            TailMedium::Page => (tail, "tail", session.grounds.tail_promise),
            _ => (paged(&session.nvme_dir, MediumAsk::Page)?, "nvme", session.grounds.nvme_promise),
        };
        let mut lane = Raw::new(Arc::new(tail).lane(0, FILE_BYTES)?);
        session.cpus.take(0)?;
        let bytes = vec![0x5a; self.size as usize];
        let mut contestants =
            [Contestant::new("msync", move || -> Measured<()> { Ok(lane.write_back(&bytes)?) })];
        let operations_max =
            (session.pace.time.as_nanos() as u64 / u64::from(session.pace.runs.max(1)) / NS).max(10);
        contest(&mut contestants, session.ticks, session.pace, operations_max, |done| {
            (session.progress)(done);
            Ok(())
        })?;
        let at = Point { size_bytes: Some(self.size), ..Point::default() };
        let mut figure = Figure::new(Group::Primitive, "persist", "msync", at, medium, promise);
        contestants[0].fill(&mut figure, 1, self.size, &contestants[0]);
        Ok(vec![figure])
    }
}
