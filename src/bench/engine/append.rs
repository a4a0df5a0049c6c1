//! Append alone: a copy and a checksum; beside the copy alone. The commits between are not timed.

use std::time::Duration;

use tierlog_tiers::clock::Ticks;

use super::place::{Place, config, frame_bytes, raw};
use crate::bench::contest::{Contestant, Loop, contest};
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, Writer};

const RING_BYTES: u64 = 128 << 20;
const USED_BYTES: u64 = RING_BYTES / 10 * 9;
/// Appends between two commits.
const BATCH: u64 = 32;
const COPY: &str = "copy";

struct Append(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 256, 1024, 4096]);
    sizes.iter().map(|size| Box::new(Append(*size)) as Box<dyn Probe>).collect()
}

/// Appends, and commits now and then.
struct Appends<'a> {
    writer: &'a mut Writer,
    payload: Vec<u8>,
}

impl Loop for Appends<'_> {
    #[inline(never)]
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64> {
        let (mut left, mut ns) = (operations, 0.0);
        while left > 0 {
            let batch = left.min(BATCH);
            let start = ticks.now();
            for _ in 0..batch {
                self.writer.append(7, &self.payload)?;
            }
            ns += ticks.since(start);
            self.writer.commit(Durability::Power)?;
            left -= batch;
        }
        Ok(ns / operations as f64)
    }

    #[inline(never)]
    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()> {
        for nth in 1..=operations {
            let start = ticks.now();
            self.writer.append(7, &self.payload)?;
            into.record(ticks.since(start) as u64);
            if nth % BATCH == 0 || nth == operations {
                self.writer.commit(Durability::Power)?;
            }
        }
        Ok(())
    }
}

impl Probe for Append {
    fn title(&self) -> String {
        format!("append, {} B", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = USED_BYTES * u64::from(pace.runs) / 2;
        Estimate {
            time: pace.time * 2 + Duration::from_millis(300 + bytes / 1_000_000),
            tail_bytes: bytes * 2,
            nvme_bytes: bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let (size, frame) = (self.0, frame_bytes(self.0));
        let place = Place::open(session, config(session, 1, RING_BYTES), 1)?;
        let mut writer = place.log.writer()?;
        let (mut lane, bytes) = (raw(session, COPY, RING_BYTES)?, vec![0x5a_u8; size as usize]);
        let copy = Contestant::new(COPY, move || -> Measured<()> {
            lane.next(frame as usize)[..bytes.len()].copy_from_slice(&bytes);
            Ok(())
        });
        let ours = Appends { writer: &mut writer, payload: vec![0x5a; size as usize] };
        let mut contestants = [copy, Contestant::new("tierlog", ours)];
        contest(&mut contestants, session.ticks, session.pace, USED_BYTES / frame, |done| {
            (session.progress)(done);
            place.settle()
        })?;
        let at = Point { size_bytes: Some(size), ..Point::default() };
        let figure = |one: &Contestant<'_>| {
            let mut figure = Figure::new(Group::Engine, "append", &one.by, at.clone(), "tail", NOTHING);
            one.fill(&mut figure, 1, size, &contestants[0]);
            figure
        };
        let figures = contestants.iter().map(figure).collect();
        drop(contestants);
        drop(writer);
        place.close()?;
        Ok(figures)
    }
}
