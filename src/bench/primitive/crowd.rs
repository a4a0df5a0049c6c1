//! Threads at once, each on a processor and a lane of its own. More threads than processors share them.

use std::sync::Barrier;
use std::thread;

use tierlog_tiers::clock::Ticks;
use tierlog_tiers::persist::Way;
use tierlog_tiers::raw::Raw;

use super::ground::{self, Ground, LANE_BYTES};
use crate::bench::contest::{Contestant, Loop, contest};
use crate::bench::cpus::Cpus;
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::Point;
use crate::bench::sweep::{Sweep, or};

struct Threads {
    size: u64,
    threads: u32,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let processors = thread::available_parallelism().map_or(1, usize::from) as u32;
    let powers: Vec<u32> = (0..8).map(|power| 1 << power).take_while(|count| *count < processors).collect();
    let all = [&powers[..], &[processors]].concat();
    let sizes = or(&sweep.size_bytes, &[64, 4096]).iter().filter(|size| size.is_multiple_of(64));
    let threads = or(&sweep.threads, &all);
    let points = sizes.flat_map(|size| threads.iter().map(move |threads| (*size, *threads)));
    points.map(|(size, threads)| Box::new(Threads { size, threads }) as Box<dyn Probe>).collect()
}

impl Probe for Threads {
    fn title(&self) -> String {
        format!("persist, {} B by {} threads", self.size, self.threads)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let (lanes, ways) = (u64::from(self.threads), ground::best().len() as u64);
        Estimate {
            time: pace.time * (2 * ways) as u32 + ground::making(lanes),
            tail_bytes: lanes * LANE_BYTES + ground::written(pace, self.size) * (lanes + 1) * ways,
            nvme_bytes: 0,
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (u64::from(self.threads) * LANE_BYTES, 0)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let ground = Ground::make(session, u64::from(self.threads))?;
        let lanes =
            (0..u64::from(self.threads)).map(|nth| ground.lane(nth)).collect::<Measured<Vec<Raw>>>()?;
        let lanes = std::cell::RefCell::new(lanes);
        let ways = ground::best();
        let crowd = |way: &Way, threads: u32| {
            let crowd = Crowd {
                lanes: &lanes,
                threads: threads as usize,
                way: *way,
                bytes: vec![0x5a; self.size as usize],
                cpus: session.cpus,
            };
            Contestant::new(way.name(), crowd)
        };
        let alone = ways.iter().map(|way| crowd(way, 1));
        let mut contestants: Vec<Contestant<'_>> =
            alone.chain(ways.iter().map(|way| crowd(way, self.threads))).collect();
        let operations_max = ground::operations_max(&session.pace, self.size);
        let progress = &mut session.progress;
        contest(&mut contestants, session.ticks, session.pace, operations_max, |done| {
            progress(done);
            Ok(())
        })?;
        let (alone, together) = contestants.split_at(ways.len());
        let figures = ways.iter().zip(alone.iter().zip(together)).map(|(way, (alone, together))| {
            let at =
                |threads| Point { size_bytes: Some(self.size), threads: Some(threads), ..Point::default() };
            let promise = ground.promise(session, *way);
            let figure =
                |at, one, yardstick| ground::figure(session, "persist threads", at, promise, one, yardstick);
            let one = figure(at(1), alone, alone);
            let mut all = figure(at(self.threads), together, &contestants[ways.len()]);
            if let (Some(one), Some(many)) = (one.per_s, all.per_s) {
                all.counted.insert("scaling".into(), many.median / one.median / f64::from(self.threads));
            }
            all
        });
        Ok(figures.collect())
    }
}

/// An operation is one of each thread.
struct Crowd<'a> {
    lanes: &'a std::cell::RefCell<Vec<Raw>>,
    threads: usize,
    way: Way,
    bytes: Vec<u8>,
    cpus: &'a Cpus,
}

impl Crowd<'_> {
    /// Lets `work` run on every thread from the same moment on; its beginning and its end in ticks, and what it yields.
    fn together<T: Send>(
        &self,
        ticks: Ticks,
        work: impl Fn(&mut Raw) -> Measured<T> + Sync,
    ) -> Measured<(f64, Vec<T>)> {
        let (barrier, cpus) = (Barrier::new(self.threads), self.cpus);
        let each = |nth: usize, lane: &mut Raw| -> Result<(u64, u64, T), String> {
            let pinned = cpus.take(nth);
            barrier.wait();
            pinned.map_err(|error| error.to_string())?;
            let start = ticks.now();
            let done = work(lane).map_err(|error| error.to_string())?;
            Ok((start, ticks.now(), done))
        };
        let mut lanes = self.lanes.borrow_mut();
        let done = thread::scope(|scope| {
            let lanes = lanes.iter_mut().take(self.threads).enumerate();
            let running: Vec<_> = lanes.map(|(nth, lane)| scope.spawn(move || each(nth, lane))).collect();
            let joined = running.into_iter().map(|one| one.join().expect("a thread that reports its errors"));
            joined.collect::<Result<Vec<_>, String>>()
        })?;
        let start = done.iter().map(|(start, _, _)| *start).min().unwrap_or_default();
        let end = done.iter().map(|(_, end, _)| *end).max().unwrap_or_default();
        Ok((ticks.ns(end - start), done.into_iter().map(|(_, _, done)| done).collect()))
    }
}

impl Loop for Crowd<'_> {
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64> {
        let (ns, _) = self.together(ticks, |lane| {
            for _ in 0..operations {
                lane.store(self.way, &self.bytes);
                lane.fence()?;
            }
            Ok(())
        })?;
        Ok(ns / operations as f64)
    }

    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()> {
        let (_, all) = self.together(ticks, |lane| {
            let mut latencies = Latencies::default();
            for _ in 0..operations {
                let start = ticks.now();
                lane.store(self.way, &self.bytes);
                lane.fence()?;
                latencies.record(ticks.since(start) as u64);
            }
            Ok(latencies)
        })?;
        all.iter().for_each(|latencies| into.add(latencies));
        Ok(())
    }
}
