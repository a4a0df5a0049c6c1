//! What a log takes for as long as one likes: one lane committed to at full speed while its ring is full, so at the pace of
//! the drain, and what the background threads take of a processor for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::place::{Place, config, frame_bytes};
use super::raw_file::{RAW, RawFile};
use super::stall::{NO_ROOM, Pulse, Stalls};
use crate::bench::latency::{Latencies, beside, spread};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::process;
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, WhenFull, Writer};

const RING_BYTES: u64 = 64 << 20;
/// Of frames, between two trims of the NVMe tier, and of a raw file.
const STEP_BYTES: u64 = 2 * RING_BYTES;
/// A ring that is not full after so many steps is none that fills.
const FILL_STEPS_MAX: u64 = 4;
/// Of the time, that commits wait for room where the drain sets the pace.
const FULL_SHARE: f64 = 0.01;
/// What a disk takes, for an estimate.
const BYTES_PER_S: u64 = 1 << 30;

struct Sustained {
    size: u64,
    when_full: WhenFull,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let mut probes: Vec<Box<dyn Probe>> = Vec::new();
    for &size in or(&sweep.size_bytes, &[64, 1024]) {
        for when_full in [WhenFull::Block, WhenFull::Throttle] {
            probes.push(Box::new(Sustained { size, when_full }));
        }
    }
    probes
}

/// What came of all runs.
struct Sums {
    latencies: Latencies,
    pulse: Pulse,
    stalls: Stalls,
    /// By run: commits a second, bytes a second to NVMe and to the raw file.
    per_s: Vec<f64>,
    drained_per_s: Vec<f64>,
    raw_per_s: Vec<f64>,
    time: Duration,
    counted: BTreeMap<String, f64>,
}

impl Probe for Sustained {
    fn title(&self) -> String {
        format!("sustained, {} B{}", self.size, self.throttled())
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let filled = u64::from(pace.runs) * FILL_STEPS_MAX * STEP_BYTES;
        let bytes = filled + (pace.time.as_secs_f64() * BYTES_PER_S as f64) as u64;
        Estimate {
            time: pace.time + Duration::from_secs_f64(2.0 * filled as f64 / BYTES_PER_S as f64),
            tail_bytes: bytes,
            nvme_bytes: bytes + filled,
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (RING_BYTES, (FILL_STEPS_MAX + 2) * STEP_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut config = config(session, 1, RING_BYTES);
        config.tail.when_full = self.when_full;
        let place = Place::open(session, config, 1)?;
        let (mut writer, raw) = (place.log.writer()?, RawFile::new(session)?);
        let mut sums = Sums {
            latencies: Latencies::default(),
            pulse: Pulse::default(),
            stalls: Stalls::begin()?,
            per_s: Vec::new(),
            drained_per_s: Vec::new(),
            raw_per_s: Vec::new(),
            time: Duration::ZERO,
            counted: BTreeMap::new(),
        };
        for run in 0..session.pace.runs {
            self.one(session, &place, &mut writer, &mut sums)?;
            place.settle()?;
            sums.raw_per_s.push(STEP_BYTES as f64 / raw.write(STEP_BYTES)?.as_secs_f64());
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        drop(writer);
        place.close()?;
        Ok(self.figures(session, sums))
    }
}

impl Sustained {
    /// One run.
    fn one(
        &self,
        session: &Session<'_>,
        place: &Place,
        writer: &mut Writer,
        sums: &mut Sums,
    ) -> Measured<()> {
        let payload = vec![0x5a_u8; self.size as usize];
        let mut commit = || -> Measured<()> {
            writer.append(7, &payload)?;
            writer.commit(Durability::Power)?;
            Ok(())
        };
        let step = STEP_BYTES / frame_bytes(self.size);
        fill(place, step, &mut commit)?;
        let slice = session.pace.time / session.pace.runs;
        let begin = Totals::take(place)?;
        let mut waited_ns = begin.room_wait_ns;
        let (start, mut before, mut commits) = (Instant::now(), Duration::ZERO, 0_u64);
        while before < slice {
            commit()?;
            let now = start.elapsed();
            let (at_ns, ns) = ((sums.time + before).as_nanos() as f64, (now - before).as_nanos() as u64);
            before = now;
            sums.latencies.record(ns);
            let mut looked = sums.pulse.beat(at_ns, ns);
            if sums.stalls.counts(ns) {
                let now_ns = place.log.metrics().lanes[0].room_wait_ns;
                sums.stalls.note(at_ns, ns, (now_ns - waited_ns >= ns / 2).then_some(NO_ROOM))?;
                (waited_ns, looked) = (now_ns, true);
            }
            commits += 1;
            if commits.is_multiple_of(step) {
                place.trim()?;
                looked = true;
            }
            if looked {
                // Which is no commit's time.
                before = start.elapsed();
            }
        }
        let end = Totals::take(place)?;
        sums.time += before;
        sums.per_s.push(commits as f64 / before.as_secs_f64());
        sums.drained_per_s.push((end.durable - begin.durable) as f64 / before.as_secs_f64());
        let counts = [
            ("drainer_ns", end.drainer_ns.saturating_sub(begin.drainer_ns)),
            ("other_threads_ns", end.others_ns.saturating_sub(begin.others_ns)),
            ("waits_for_room", end.waits - begin.waits),
            ("throttled", end.throttled - begin.throttled),
            ("room_wait_ns", end.room_wait_ns - begin.room_wait_ns),
            ("waits_for_segment", end.waits_for_segment - begin.waits_for_segment),
        ];
        for (name, count) in counts {
            *sums.counted.entry(name.into()).or_default() += count as f64;
        }
        Ok(())
    }

    fn figures(&self, session: &Session<'_>, mut sums: Sums) -> Vec<Figure> {
        let at = Point { size_bytes: Some(self.size), threads: Some(1), ..Point::default() };
        let figure = |by: &str, medium: &str, promise: &str| {
            let mut figure = Figure::new(Group::Engine, "sustained", by, at.clone(), medium, promise);
            figure.runs = session.pace.runs;
            figure
        };
        let (grounds, throttled) = (session.grounds, self.throttled());
        let mut ours = figure(&format!("tierlog{throttled}"), "tail", grounds.tail_promise);
        ours.per_s = spread(&sums.per_s);
        ours.latency = sums.latencies.quantiles();
        ours.timeline = sums.pulse.timeline();
        ours.stalls = sums.stalls.worst();
        let shares = [
            ("drainer_ns", "drainer_share"),
            ("other_threads_ns", "other_threads_share"),
            ("room_wait_ns", "room_wait_share"),
        ];
        for (ns, share) in shares {
            let ns = sums.counted.remove(ns).unwrap_or_default();
            sums.counted.insert(share.into(), ns / sums.time.as_nanos() as f64);
        }
        let was_full = sums.counted["room_wait_share"] > FULL_SHARE;
        ours.counted = sums.counted;
        ours.note = Some("from one commit's return to the next one's".into());
        let mut drain = figure(&format!("tierlog, drained{throttled}"), "nvme", grounds.nvme_promise);
        drain.bytes_per_s = spread(&sums.drained_per_s);
        drain.note = Some("bytes of frames, read back before the tail gives up".into());
        if was_full {
            drain.ratio = beside(RAW, &sums.drained_per_s, &sums.raw_per_s);
        } else {
            drain.note = Some("the drain did not set the pace: commits hardly ever waited for room".into());
        }
        let mut figures = vec![ours, drain];
        // Of one of the two.
        if self.when_full == WhenFull::Block {
            let mut raw = figure(RAW, "nvme", grounds.nvme_promise);
            raw.bytes_per_s = spread(&sums.raw_per_s);
            figures.push(raw);
        }
        figures
    }

    fn throttled(&self) -> &'static str {
        match self.when_full {
            WhenFull::Throttle => ", throttled",
            WhenFull::Refuse | WhenFull::Block => "",
        }
    }
}

/// Until commits wait for room, if they ever do.
fn fill(place: &Place, step: u64, commit: &mut dyn FnMut() -> Measured<()>) -> Measured<()> {
    let empty = Totals::take(place)?;
    for _ in 0..FILL_STEPS_MAX {
        (0..step).try_for_each(|_| commit())?;
        place.trim()?;
        let now = Totals::take(place)?;
        if now.waits + now.throttled > empty.waits + empty.throttled {
            break;
        }
    }
    Ok(())
}

/// What only grows.
struct Totals {
    durable: u64,
    waits: u64,
    throttled: u64,
    room_wait_ns: u64,
    waits_for_segment: u64,
    drainer_ns: u64,
    others_ns: u64,
}

impl Totals {
    fn take(place: &Place) -> Measured<Totals> {
        let [drainer_ns, others_ns] = process::threads_ns(["tierlog-drain", "tierlog-"])?;
        let lane = place.log.metrics().lanes[0];
        Ok(Totals {
            durable: place.log.watermarks()[0].durable.0,
            waits: lane.waits_for_room,
            throttled: lane.throttled,
            room_wait_ns: lane.room_wait_ns,
            waits_for_segment: lane.waits_for_segment,
            drainer_ns,
            others_ns,
        })
    }
}
