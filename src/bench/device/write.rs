//! Each way to a durable write, in turns, by size and requests in flight: with processors free, and with all of them busy.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tierlog_tiers::nvme::BLOCK_BYTES;
use tierlog_tiers::nvme::trial::TrialFile;

use super::driver::Driver;
use super::tally::Tally;
use super::way::{Way, YARDSTICK, possible};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Skipped};
use crate::bench::sweep::{Sweep, or};

/// Bytes of the file that is overwritten from end to end.
pub const FILE_BYTES: u64 = 64 << 20;
/// What a device takes, to estimate what will be written: requests a second for each in flight, and bytes at most.
const RATE: (u64, u64) = (10_000, 1 << 30);

struct Write {
    what: &'static str,
    busy: bool,
    size: u64,
    depth: u32,
    ways: Vec<Way>,
}

pub(super) fn idle(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    probes(sweep, "write", false, &[4 << 10, 16 << 10, 64 << 10, 256 << 10], &[1, 4, 32])
}

pub(super) fn busy(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    probes(sweep, "write, busy", true, &[4 << 10], &[1])
}

fn probes(
    sweep: &Sweep,
    what: &'static str,
    busy: bool,
    sizes: &[u64],
    depths: &[u32],
) -> Vec<Box<dyn Probe>> {
    let ways: Vec<Way> = Way::all().into_iter().filter(|way| sweep.wants(&way.name())).collect();
    let whole = |size: &&u64| **size > 0 && size.is_multiple_of(BLOCK_BYTES as u64) && **size <= 16 << 20;
    let sizes = or(&sweep.size_bytes, sizes).iter().filter(whole);
    let points = sizes.flat_map(|size| or(&sweep.depth, depths).iter().map(move |depth| (*size, *depth)));
    points
        .map(|(size, depth)| {
            Box::new(Write { what, busy, size, depth, ways: ways.clone() }) as Box<dyn Probe>
        })
        .collect()
}

/// Bytes that so much time writes, about.
pub fn written(time: Duration, size: u64, depth: u32) -> u64 {
    let (requests, bytes) = RATE;
    let rate = (requests * u64::from(depth) * size).min(bytes);
    (rate as f64 * time.as_secs_f64()) as u64
}

impl Probe for Write {
    fn title(&self) -> String {
        format!("{}, {} B, {} in flight", self.what, self.size, self.depth)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let many = self.ways.len() as u32;
        Estimate {
            time: pace.time * many + Duration::from_millis(200),
            tail_bytes: 0,
            nvme_bytes: FILE_BYTES + written(pace.time * many, self.size, self.depth),
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (0, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let file = TrialFile::create(&session.nvme_dir.join("trial"), FILE_BYTES)?;
        let mut drivers = Vec::new();
        for way in possible(&self.ways, &file, &mut session.skipped) {
            match Driver::open(&file, way, self.size, self.depth) {
                Ok(driver) => drivers.push((way, driver, Tally::default())),
                Err(error) => session.skipped.push(Skipped {
                    what: format!("{}, {}", self.title(), way.name()),
                    why: error.to_string(),
                }),
            }
        }
        session.cpus.release()?;
        let time = session.pace.time / session.pace.runs;
        let mut turns = || -> Measured<()> {
            let many = drivers.len();
            for round in 0..session.pace.runs as usize {
                for turn in 0..many {
                    let (_, driver, tally) = &mut drivers[(round + turn) % many];
                    let turn = driver.write(session.ticks, time)?;
                    tally.round(turn.operations, turn.ns);
                    tally.latencies.add(&turn.latencies);
                }
                (session.progress)((round + 1) as f64 / f64::from(session.pace.runs));
            }
            Ok(())
        };
        if self.busy {
            under_load(turns)?
        } else {
            turns()?
        };
        let yardstick = drivers.iter().find(|(way, _, _)| *way == YARDSTICK);
        let figures = drivers.iter().map(|(way, _, tally)| self.figure(session, *way, tally, yardstick));
        Ok(figures.collect())
    }
}

impl Write {
    fn figure(
        &self,
        session: &Session<'_>,
        way: Way,
        tally: &Tally,
        yardstick: Option<&(Way, Driver, Tally)>,
    ) -> Figure {
        let at = Point { size_bytes: Some(self.size), depth: Some(self.depth), ..Point::default() };
        let promise = way.promise(session);
        let mut figure = Figure::new(Group::Device, self.what, &way.name(), at, "nvme", promise);
        // Nothing is compared across promises, nor with itself.
        let other = yardstick.filter(|(other, _, _)| *other != way && other.promise(session) == promise);
        let name = YARDSTICK.name();
        tally.fill(&mut figure, self.size, other.map(|(_, _, tally)| (name.as_str(), tally)));
        figure.note = way.note();
        figure
    }
}

/// Runs `work` while a thread for each processor does nothing but spin.
fn under_load<T>(work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let done = work();
        over.store(true, Relaxed);
        done
    })
}
