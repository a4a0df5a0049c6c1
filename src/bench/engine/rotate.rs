//! Commits through to the disk over many segments: those that begin one beside the others, and all of them over time. A
//! file that is made, filled, renamed or synced in a commit's way would show as a step.

use std::time::Duration;

use tierlog_tiers::nvme::BLOCK_BYTES;

use super::place::{Place, config, frame_bytes};
use super::stall::{Pulse, Stalls};
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Ratio, Spread};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, Medium};

const RING_BYTES: u64 = 32 << 20;
/// As small as they may be, so that there are many.
const SEGMENT_BYTES: u64 = 8 << 20;
/// However short the time.
const ROTATIONS_MIN: u64 = 2;
const BEGINS: &str = "begins a segment";
const OTHERS: &str = "tierlog";

struct Rotate(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    or(&sweep.size_bytes, &[64]).iter().map(|size| Box::new(Rotate(*size)) as Box<dyn Probe>).collect()
}

/// What came of the commits.
struct Timed {
    begins: Latencies,
    others: Latencies,
    pulse: Pulse,
    stalls: Stalls,
    waits_for_segment: u64,
}

impl Probe for Rotate {
    fn title(&self) -> String {
        format!("commits over rotations, {} B", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        // 20 us a write at least.
        let commits = pace.time.as_micros() as u64 / 20;
        let frames = frame_bytes(self.0);
        Estimate {
            time: pace.time + Duration::from_millis(500),
            tail_bytes: commits * frames + RING_BYTES,
            nvme_bytes: (commits * frames.next_multiple_of(BLOCK_BYTES as u64))
                .max((ROTATIONS_MIN + 1) * SEGMENT_BYTES),
        }
    }

    fn room(&self, pace: &Pace) -> (u64, u64) {
        // What a segment of the tail takes there, while the one before it is given back; and those kept ready.
        (RING_BYTES, self.estimate(pace).nvme_bytes.clamp(8 * SEGMENT_BYTES, 48 * SEGMENT_BYTES))
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut config = config(session, 1, RING_BYTES);
        config.tail.medium = Medium::File;
        config.nvme.segment_bytes = Some(SEGMENT_BYTES);
        let place = Place::open(session, config, 1)?;
        let timed = self.timed(session, &place)?;
        place.close()?;
        Ok(self.figures(session, &timed))
    }
}

impl Rotate {
    fn timed(&self, session: &mut Session<'_>, place: &Place) -> Measured<Timed> {
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.0 as usize]);
        let (ticks, time_ns) = (session.ticks, session.pace.time.as_nanos() as f64);
        let (begins, others, pulse) = (Latencies::default(), Latencies::default(), Pulse::default());
        let mut timed = Timed { begins, others, pulse, stalls: Stalls::begin()?, waits_for_segment: 0 };
        let (mut at_ns, mut begun, mut rotations) = (0.0, None, 0);
        while at_ns < time_ns || rotations < ROTATIONS_MIN {
            let start = ticks.now();
            writer.append(7, &payload)?;
            writer.commit(Durability::Power)?;
            let took_ns = ticks.since(start);
            // From here on nobody's time.
            let lane = place.log.metrics().lanes[0];
            timed.waits_for_segment = lane.waits_for_segment;
            let begins = begun.is_some_and(|before| before != lane.segments_begun);
            begun = Some(lane.segments_begun);
            let ns = took_ns as u64;
            if begins { &mut timed.begins } else { &mut timed.others }.record(ns);
            timed.pulse.beat(at_ns, ns);
            if timed.stalls.counts(ns) {
                timed.stalls.note(at_ns, ns, begins.then_some(BEGINS))?;
            }
            at_ns += took_ns;
            if begins {
                rotations += 1;
                place.trim()?;
                (session.progress)((at_ns / time_ns).min(1.0));
            }
        }
        Ok(timed)
    }

    fn figures(&self, session: &Session<'_>, timed: &Timed) -> Vec<Figure> {
        let at = Point { size_bytes: Some(self.0), threads: Some(1), ..Point::default() };
        let figure = |by: &str, latencies: &Latencies| {
            let promise = session.grounds.nvme_promise;
            let mut figure = Figure::new(Group::Engine, "rotation", by, at.clone(), "nvme", promise);
            (figure.runs, figure.latency) = (1, latencies.quantiles());
            figure
        };
        let mut others = figure(OTHERS, &timed.others);
        others.timeline = timed.pulse.timeline();
        others.stalls = timed.stalls.worst();
        others.note = Some(format!("over time: all commits; segments of {} MiB", SEGMENT_BYTES >> 20));
        let mut begins = figure(&format!("tierlog, {BEGINS}"), &timed.begins);
        begins.counted.insert("waits_for_segment".into(), timed.waits_for_segment as f64);
        if let (Some(own), Some(other)) = (&begins.latency, &others.latency) {
            let ratio = own.p50_ns as f64 / other.p50_ns.max(1) as f64;
            let value = Spread { min: ratio, median: ratio, max: ratio };
            begins.ratio = Some(Ratio { to: OTHERS.into(), of: "p50".into(), value });
        }
        vec![others, begins]
    }
}
