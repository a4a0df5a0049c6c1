//! Commits that arrive at a fixed rate, whether the ones before are done or not: latencies from when each was due are free of
//! coordinated omission (Gil Tene, "How NOT to Measure Latency"), so that a stall is seen by all that it holds up.

use std::time::Duration;

use super::place::{Place, config, frame_bytes, raw};
use super::stall::{NO_ROOM, Pulse, Stalls};
use crate::Durability;
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Ratio, Spread};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 256 << 20;

struct Arrive {
    size: u64,
    rate: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, rates) = (or(&sweep.size_bytes, &[64]), or(&sweep.rate_per_s, &[100_000, 500_000]));
    let points = sizes.iter().flat_map(|size| rates.iter().map(move |rate| (*size, *rate)));
    points.map(|(size, rate)| Box::new(Arrive { size, rate: rate.max(1) }) as Box<dyn Probe>).collect()
}

/// What came of one contestant.
struct Arrived {
    service: Latencies,
    response: Latencies,
    pulse: Pulse,
    stalls: Stalls,
    per_s: f64,
}

impl Probe for Arrive {
    fn title(&self) -> String {
        format!("open loop, {} B, {} a second", self.size, self.rate)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = (pace.time.as_secs_f64() * self.rate as f64) as u64 * frame_bytes(self.size);
        Estimate {
            time: pace.time * 2 + Duration::from_millis(500),
            tail_bytes: 2 * bytes + 2 * RING_BYTES,
            nvme_bytes: bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let place = Place::open(session, config(session, 1, RING_BYTES), 1)?;
        let mut lane = raw(session, "raw", RING_BYTES)?;
        let bytes = vec![0x5a_u8; frame_bytes(self.size) as usize];
        let looped = self.arrivals(session, 0.0, || Ok(lane.write_back(&bytes)?), || 0)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.size as usize]);
        let number = writer.lane().0 as usize;
        let commit = || -> Measured<()> {
            writer.append(7, &payload)?;
            writer.commit(Durability::Power)?;
            Ok(())
        };
        let waits = || place.log.metrics().lanes[number].waits_for_room;
        let ours = self.arrivals(session, 0.5, commit, waits)?;
        drop(writer);
        place.settle()?;
        place.close()?;
        let mut figure = self.figure(session, "tierlog", &ours);
        let (own, other) = (ours.response.quantiles(), looped.response.quantiles());
        if let (Some(own), Some(other)) = (own, other) {
            let ratio = own.p50_ns as f64 / other.p50_ns.max(1) as f64;
            let value = Spread { min: ratio, median: ratio, max: ratio };
            figure.ratio = Some(Ratio { to: super::commit::RAW.into(), of: "p50".into(), value });
        }
        Ok(vec![self.figure(session, super::commit::RAW, &looped), figure])
    }
}

impl Arrive {
    fn arrivals(
        &self,
        session: &mut Session<'_>,
        done_before: f64,
        mut work: impl FnMut() -> Measured<()>,
        waits: impl Fn() -> u64,
    ) -> Measured<Arrived> {
        let (ticks, time_ns) = (session.ticks, session.pace.time.as_nanos() as f64);
        let every_ns = 1e9 / self.rate as f64;
        let mut arrived = Arrived {
            service: Latencies::default(),
            response: Latencies::default(),
            pulse: Pulse::default(),
            stalls: Stalls::begin()?,
            per_s: 0.0,
        };
        // Warm: neither pages nor branches are met for the first time.
        (0..1000).try_for_each(|_| work())?;
        let mut waited = waits();
        let mut start = ticks.now();
        let mut made = 0_u64;
        let quarter = (self.rate / 4).max(1);
        loop {
            let due = made as f64 * every_ns;
            if due >= time_ns {
                break;
            }
            let mut called = ticks.since(start);
            while called < due {
                std::hint::spin_loop();
                called = ticks.since(start);
            }
            work()?;
            let done = ticks.since(start);
            let response = (done - due).max(0.0) as u64;
            arrived.service.record((done - called).max(0.0) as u64);
            arrived.response.record(response);
            arrived.pulse.beat(due, response);
            made += 1;
            if arrived.stalls.counts(response) {
                // Finding out why takes microseconds, which are no commit's: the schedule waits for as long.
                let looked = ticks.now();
                let now = waits();
                arrived.stalls.note(due, response, (now > waited).then_some(NO_ROOM))?;
                waited = now;
                start += ticks.now() - looked;
            }
            if made.is_multiple_of(quarter) {
                let told = ticks.now();
                (session.progress)(done_before + due / time_ns / 2.0);
                start += ticks.now() - told;
            }
        }
        arrived.per_s = made as f64 / (ticks.since(start) / 1e9);
        Ok(arrived)
    }

    fn figure(&self, session: &Session<'_>, by: &str, arrived: &Arrived) -> Figure {
        let at = Point { size_bytes: Some(self.size), rate_per_s: Some(self.rate), ..Point::default() };
        let mut figure =
            Figure::new(Group::Engine, "open loop", by, at, "tail", session.grounds.tail_promise);
        figure.runs = 1;
        let per_s = arrived.per_s;
        figure.per_s = Some(Spread { min: per_s, median: per_s, max: per_s });
        figure.latency = arrived.service.quantiles();
        figure.response = arrived.response.quantiles();
        figure.timeline = arrived.pulse.timeline();
        figure.stalls = arrived.stalls.worst();
        if per_s < self.rate as f64 * 0.99 {
            figure.note = Some(format!("did not keep up: {per_s:.0} of {} a second", self.rate));
        }
        figure
    }
}
