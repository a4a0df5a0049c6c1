//! Loads of lines that no cache holds: a lane is walked from end to end, or along a chain that leads all over it. Alone, and
//! beside a thread that persists.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, Scope};

use tierlog_tiers::clock::Ticks;
use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MappedLane, TailLane};

use super::ground::{self, Ground, LANE_BYTES};
use crate::bench::contest::{Contestant, Loop, contest};
use crate::bench::cpus::Cpus;
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Point, Skipped};
use crate::bench::sweep::Sweep;

/// Bytes of one step of a chain.
pub const LINE: u64 = 64;
/// Bytes of one operation of a walk.
pub const STRIDE: u64 = 64 << 10;
/// Bytes that the writer beside persists at a time.
const WRITTEN: usize = 256;

struct Read;

pub(super) fn probes(_: &Sweep) -> Vec<Box<dyn Probe>> {
    vec![Box::new(Read)]
}

impl Probe for Read {
    fn title(&self) -> String {
        "read cold lines".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        // The writer beside: half the time, 1 GB/s.
        let beside = pace.time.as_nanos() as u64 * 2;
        Estimate {
            time: pace.time * 4 + ground::making(2) + ground::making(1) / 4,
            tail_bytes: 3 * LANE_BYTES + beside,
            nvme_bytes: 0,
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (2 * LANE_BYTES, 0)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let ground = Ground::make(session, 2)?;
        let mut lane = ground.lane(0)?;
        lay_chain(lane.lane());
        let writer = ground.lane(1)?;
        session.cpus.take(0)?;
        let (lane, on, over) = (RefCell::new(lane), AtomicBool::new(false), AtomicBool::new(false));
        let beside = session.cpus.count() > 1;
        if !beside {
            session.skipped.push(Skipped {
                what: "read, beside a writer".into(),
                why: "one processor: give the process a second one".into(),
            });
        }
        // All go on where the one before has stopped: what it has read is in caches.
        let (at, line) = (Cell::new(0), Cell::new(0));
        let (mut walks, mut chains) = (Vec::new(), Vec::new());
        for on in [None, Some(&on)].into_iter().take(1 + usize::from(beside)) {
            let by = if on.is_some() { "beside a writer" } else { "alone" };
            walks.push(Contestant::new(by, Beside { on, work: walk(&lane, &at) }));
            chains.push(Contestant::new(by, Beside { on, work: chain(&lane, &line) }));
        }
        let cpus = session.cpus;
        let (ticks, pace, progress) = (session.ticks, session.pace, &mut session.progress);
        thread::scope(|scope| {
            let writing = beside.then(|| write(scope, cpus, writer, &on, &over));
            let mut run = |contestants: &mut [Contestant<'_>], from: f64| {
                contest(contestants, ticks, pace, u64::MAX, |done| {
                    progress(from + done / 2.0);
                    Ok(())
                })
            };
            let done = run(&mut walks, 0.0).and_then(|()| run(&mut chains, 0.5));
            over.store(true, Relaxed);
            let written =
                writing.map_or(Ok(()), |writing| writing.join().expect("a writer that reports its errors"));
            done.and(written.map_err(Into::into))
        })?;
        let figures = |what: &str, size: u64, all: &[Contestant<'_>]| {
            let at = Point { size_bytes: Some(size), ..Point::default() };
            let figure = |one| ground::figure(session, what, at.clone(), NOTHING, one, &all[0]);
            all.iter().map(figure).collect::<Vec<_>>()
        };
        Ok([figures("read", STRIDE, &walks), figures("read chain", LINE, &chains)].concat())
    }
}

/// Each line names the next one: all of them, in an order that no prefetcher foresees.
pub fn lay_chain(lane: &mut MappedLane) {
    let lines = lane.len() as u64 / LINE;
    assert!(lines.is_power_of_two(), "a full cycle of the generator");
    for line in 0..lines {
        // Hull and Dobell: odd increment, multiplier 1 modulo 4.
        let next =
            line.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) % lines;
        lane.store_word((line * LINE) as usize, next);
    }
}

/// The next 64 KiB from `at`, word by word.
pub fn walk<'a>(lane: &'a RefCell<Raw>, at: &'a Cell<usize>) -> impl FnMut() -> Measured<()> + use<'a> {
    move || {
        let mut lane = lane.borrow_mut();
        let words = lane.lane().bytes(at.get(), STRIDE as usize).as_chunks::<8>().0;
        let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)));
        std::hint::black_box(sum);
        at.set((at.get() + STRIDE as usize) % lane.lane().len());
        Ok(())
    }
}

/// One line further along the chain from `line`.
pub fn chain<'a>(lane: &'a RefCell<Raw>, line: &'a Cell<u64>) -> impl FnMut() -> Measured<()> + use<'a> {
    move || {
        let mut lane = lane.borrow_mut();
        let word = lane.lane().bytes((line.get() * LINE) as usize, 8).as_chunks::<8>().0[0];
        line.set(u64::from_ne_bytes(word));
        Ok(())
    }
}

/// A loop, with the writer let loose meanwhile where it is named.
struct Beside<'a, W> {
    on: Option<&'a AtomicBool>,
    work: W,
}

impl<W: Loop> Loop for Beside<'_, W> {
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64> {
        self.with(|work| work.burst(ticks, operations))
    }

    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()> {
        self.with(|work| work.one_by_one(ticks, operations, into))
    }
}

impl<W> Beside<'_, W> {
    fn with<T>(&mut self, work: impl FnOnce(&mut W) -> T) -> T {
        let Some(on) = self.on else { return work(&mut self.work) };
        on.store(true, Relaxed);
        let done = work(&mut self.work);
        on.store(false, Relaxed);
        done
    }
}

/// Persists on another processor for as long as it is let.
fn write<'s>(
    scope: &'s Scope<'s, '_>,
    cpus: &'s Cpus,
    mut lane: Raw,
    on: &'s AtomicBool,
    over: &'s AtomicBool,
) -> thread::ScopedJoinHandle<'s, Result<(), String>> {
    scope.spawn(move || {
        cpus.take(1).map_err(|error| error.to_string())?;
        let bytes = [0x5a; WRITTEN];
        while !over.load(Relaxed) {
            match on.load(Relaxed) {
                true => lane.write_back(&bytes).map_err(|fault| fault.to_string())?,
                false => std::hint::spin_loop(),
            }
        }
        Ok(())
    })
}
