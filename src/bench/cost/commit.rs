//! Commits on so many lanes in turn by one thread, at `Power` on the tail, all of them drained.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::Counters;
use crate::bench::device::Tally;
use crate::bench::engine::place::{Place, config, frame_bytes};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::process;
use crate::bench::results::{Figure, Group, Point, Skipped};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, Writer};

const RING_BYTES: u64 = 16 << 20;
/// Of each ring, what a round may use.
const USED_BYTES: u64 = RING_BYTES / 2;
const NVME_SEGMENT_BYTES: u64 = 16 << 20;
/// What a commit takes at least.
const COMMIT_NS: u64 = 150;

struct Cost {
    lanes: u32,
    size: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 1024, 4096]).iter().filter(|size| frame_bytes(**size) <= 1 << 20);
    let lanes: Vec<u32> =
        or(&sweep.lanes, &[1, 8, 64]).iter().copied().filter(|lanes| (1..=1024).contains(lanes)).collect();
    let points = sizes.flat_map(|size| lanes.iter().map(move |lanes| (*size, *lanes)));
    points.map(|(size, lanes)| Box::new(Cost { lanes, size }) as Box<dyn Probe>).collect()
}

impl Cost {
    /// Commits of one round.
    fn round(&self, pace: &Pace) -> u64 {
        let time_ns = pace.time.as_nanos() as u64 / u64::from(pace.runs.max(1));
        let most = USED_BYTES / frame_bytes(self.size) * u64::from(self.lanes);
        (time_ns / (COMMIT_NS + self.size / 8)).clamp(u64::from(self.lanes), most)
    }
}

impl Probe for Cost {
    fn title(&self) -> String {
        format!("cost of a commit, {} B on {} lanes", self.size, self.lanes)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let tail = RING_BYTES * u64::from(self.lanes);
        let written =
            (self.round(pace) + u64::from(self.lanes)) * u64::from(pace.runs + 1) * frame_bytes(self.size);
        Estimate {
            time: pace.time + Duration::from_millis(600 + (tail + written) / 500_000),
            tail_bytes: tail + written,
            nvme_bytes: written + NVME_SEGMENT_BYTES * u64::from(self.lanes),
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut config = config(session, self.lanes, RING_BYTES);
        config.nvme.segment_bytes = Some(NVME_SEGMENT_BYTES);
        config.nvme.reserve_bytes = Some(0);
        tierlog_tiers::heap::give_back();
        let before = process::memory_bytes()?;
        let place = Place::open(session, config, 1)?;
        let mut writers = (0..self.lanes).map(|_| place.log.writer()).collect::<crate::Result<Vec<_>>>()?;
        let memory = process::memory_bytes()?.saturating_sub(before);
        let mut counters = match Counters::open() {
            Ok(counters) => Some(counters),
            Err(error) => {
                session.skipped.push(Skipped {
                    what: "instructions and cache misses of a commit".into(),
                    why: format!(
                        "perf_event_open: {error}; it needs a processor's counters (few virtual machines have them) and \
                         kernel.perf_event_paranoid of 2 or less"
                    ),
                });
                None
            }
        };
        // Untimed: pages, segments and files come in.
        self.commits(&mut writers, self.round(&session.pace))?;
        place.settle()?;
        let begin = Totals::take(&place)?;
        let (mut tally, mut counted) = (Tally::default(), BTreeMap::<String, f64>::new());
        let commits = self.round(&session.pace);
        for round in 0..session.pace.runs {
            let start = session.ticks.now();
            match &mut counters {
                Some(counters) => {
                    let (done, counts) = counters.count(|| self.commits(&mut writers, commits))?;
                    done?;
                    for (name, count) in counts {
                        *counted.entry(name.into()).or_default() += count as f64 / commits as f64;
                    }
                }
                None => self.commits(&mut writers, commits)?,
            }
            tally.round(commits, session.ticks.since(start));
            place.settle()?;
            (session.progress)(f64::from(round + 1) / f64::from(session.pace.runs));
        }
        counted.values_mut().for_each(|sum| *sum /= f64::from(session.pace.runs));
        let end = Totals::take(&place)?;
        drop(writers);
        place.close()?;
        counted.extend(self.per_commit(&begin, &end, memory));
        Ok(vec![self.figure(session, &tally, counted)])
    }
}

impl Cost {
    fn commits(&self, writers: &mut [Writer], commits: u64) -> crate::Result<()> {
        let payload = vec![0x5a; self.size as usize];
        let mut made = 0;
        loop {
            for writer in writers.iter_mut() {
                if made == commits {
                    return Ok(());
                }
                writer.append(7, &payload)?;
                writer.commit(Durability::Power)?;
                made += 1;
            }
        }
    }

    /// Everything that was counted from one look to the other.
    fn per_commit(&self, begin: &Totals, end: &Totals, memory: u64) -> Vec<(String, f64)> {
        let commits = (end.commits - begin.commits) as f64;
        let payload = commits * self.size as f64;
        let all = [
            ("tail_bytes_per_byte", (end.frames - begin.frames) as f64 / payload),
            ("nvme_run_bytes_per_byte", (end.runs - begin.runs) as f64 / payload),
            ("device_bytes_per_byte", (end.written - begin.written) as f64 / payload),
            ("drainer_ns", (end.drainer_ns - begin.drainer_ns) as f64 / commits),
            ("other_threads_ns", (end.others_ns - begin.others_ns) as f64 / commits),
            ("memory_bytes_per_lane", memory as f64 / f64::from(self.lanes)),
        ];
        all.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .filter(|(_, value)| value.is_finite())
            .collect()
    }

    fn figure(&self, session: &Session<'_>, tally: &Tally, counted: BTreeMap<String, f64>) -> Figure {
        let at = Point {
            size_bytes: Some(self.size),
            lanes: Some(self.lanes),
            threads: Some(1),
            ..Point::default()
        };
        let promise = session.grounds.tail_promise;
        let mut figure = Figure::new(Group::Cost, "commit cost", "tierlog", at, "tail", promise);
        tally.fill(&mut figure, self.size, None);
        figure.counted = counted;
        let frame = frame_bytes(self.size);
        figure.note = Some(format!(
            "a record of {} B is a frame of {frame} B: 32 of header, {} of padding to whole lines",
            self.size,
            frame - 32 - self.size
        ));
        figure
    }
}

/// What only grows.
struct Totals {
    commits: u64,
    frames: u64,
    runs: u64,
    written: u64,
    drainer_ns: u64,
    others_ns: u64,
}

impl Totals {
    fn take(place: &Place) -> Measured<Totals> {
        let (metrics, marks) = (place.log.metrics(), place.log.watermarks());
        let [drainer_ns, others_ns] = process::threads_ns(["tierlog-drain", "tierlog-"])?;
        Ok(Totals {
            commits: metrics.lanes.iter().map(|lane| lane.commits).sum(),
            frames: marks.iter().map(|mark| mark.published.0).sum(),
            runs: metrics.lanes.iter().map(|lane| lane.run_bytes).sum(),
            written: process::written_bytes()?,
            drainer_ns,
            others_ns,
        })
    }
}
