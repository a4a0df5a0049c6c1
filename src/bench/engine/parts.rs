//! What each part of a commit costs by itself: the same public pieces that the engine is made of, between serialised timers,
//! on a lane of their own.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tierlog_tiers::checksum::Crc32c;
use tierlog_tiers::clock::WallClock;
use tierlog_tiers::tail::{MapOptions, Mapped, MappedLane, Tail, TailLane};

use super::place::{HEADER_BYTES, Place, config, frame_bytes};
use crate::Durability;
use crate::bench::latency::{Latencies, spread};
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};

const LANE_BYTES: u64 = 64 << 20;
/// Commits between two looks at the clock.
const CHUNK: u64 = 256;

const CHECKSUM: usize = 0;
const STAMP: usize = 1;
const COPY: usize = 2;
const FLUSH: usize = 3;
const FENCE: usize = 4;
const PUBLISH: usize = 5;
const WHOLE: usize = 6;
const NAMES: [&str; 7] = ["checksum", "stamp", "copy", "flush", "fence", "publish", "append + commit"];

struct Parts(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 1024]);
    sizes.iter().map(|size| Box::new(Parts(*size)) as Box<dyn Probe>).collect()
}

/// All of them, one round after the other.
struct Timed {
    latencies: [Latencies; 7],
    /// Means of each round in ns.
    means: [Vec<f64>; 7],
}

impl Probe for Parts {
    fn title(&self) -> String {
        format!("parts of a commit, {} B", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = LANE_BYTES * u64::from(pace.runs);
        Estimate {
            time: pace.time * 2 + Duration::from_millis(300 + bytes / 1_000_000),
            tail_bytes: 2 * bytes,
            nvme_bytes: bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let place = Place::open(session, config(session, 1, LANE_BYTES), 1)?;
        let mut writer = place.log.writer()?;
        let options = MapOptions { ask: session.grounds.tail_ask, ..MapOptions::default() };
        let tail = Arc::new(Mapped::create(session.tail_dir.join("parts"), LANE_BYTES, &options)?);
        let mut lane = tail.lane(0, LANE_BYTES)?;
        let mut timed = Timed { latencies: Default::default(), means: Default::default() };
        let (time, payload) = (session.pace.time / session.pace.runs, vec![0x5a_u8; self.0 as usize]);
        let commits_max = LANE_BYTES / 10 * 9 / frame_bytes(self.0);
        let ticks = session.ticks;
        for run in 0..session.pace.runs {
            let mut sums = [0.0; 7];
            let (began, mut commits) = (Instant::now(), 0);
            while commits < commits_max && began.elapsed() < time {
                self.pieces(session, &mut lane, commits, &mut timed.latencies, &mut sums)?;
                for _ in 0..CHUNK {
                    let start = ticks.now();
                    writer.append(7, &payload)?;
                    writer.commit(Durability::Power)?;
                    let ns = ticks.since(start);
                    timed.latencies[WHOLE].record(ns as u64);
                    sums[WHOLE] += ns;
                }
                commits += CHUNK;
            }
            timed.means.iter_mut().zip(sums).for_each(|(means, sum)| means.push(sum / commits as f64));
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
            place.settle()?;
        }
        drop(writer);
        place.close()?;
        Ok(self.figures(&timed, session))
    }
}

impl Parts {
    /// So many frames, put together by hand.
    fn pieces(
        &self,
        session: &Session<'_>,
        lane: &mut MappedLane,
        from: u64,
        latencies: &mut [Latencies; 7],
        sums: &mut [f64; 7],
    ) -> Measured<()> {
        let (ticks, frame) = (session.ticks, frame_bytes(self.0) as usize);
        let (payload, seal, clock) = (vec![0x5a_u8; self.0 as usize], Crc32c::new(), WallClock::shared());
        let published = AtomicU64::new(0);
        for nth in from..from + CHUNK {
            let at = nth as usize * frame % (LANE_BYTES as usize - frame) / 64 * 64;
            let mut note = |part: usize, start: u64| {
                let ns = ticks.since(start);
                latencies[part].record(ns as u64);
                sums[part] += ns;
            };
            let start = ticks.now();
            black_box(seal.bytes(&payload).word(nth).word(nth).word(nth).finish());
            note(CHECKSUM, start);
            let start = ticks.now();
            black_box(clock.now_ns());
            note(STAMP, start);
            let start = ticks.now();
            lane.store(at + HEADER_BYTES as usize, &payload);
            lane.store_word(at, nth);
            note(COPY, start);
            let start = ticks.now();
            lane.flush(at, frame);
            note(FLUSH, start);
            let start = ticks.now();
            lane.fence()?;
            note(FENCE, start);
            let start = ticks.now();
            published.store(nth, Ordering::Release);
            note(PUBLISH, start);
        }
        Ok(())
    }

    fn figures(&self, timed: &Timed, session: &Session<'_>) -> Vec<Figure> {
        let at = Point { size_bytes: Some(self.0), ..Point::default() };
        let figure = |part: usize| {
            let promise = if part == WHOLE { session.grounds.tail_promise } else { NOTHING };
            let mut figure = Figure::new(Group::Engine, "part", NAMES[part], at.clone(), "tail", promise);
            figure.runs = session.pace.runs;
            figure.latency = timed.latencies[part].quantiles();
            let mean = spread(&timed.means[part]).map_or(0.0, |mean| mean.median);
            figure.counted.insert("mean_ns".into(), mean);
            figure
        };
        let mut figures: Vec<Figure> = (0..NAMES.len()).map(figure).collect();
        figures[FLUSH].note = Some(
            "until it is written back: the timer waits for that, and the fence finds nothing left".into(),
        );
        figures[WHOLE].note = Some("between timers of their own, parts overlap less than in a commit".into());
        figures
    }
}
