//! Contestants in turns: who begins changes from round to round; half of a turn for the speed, half for latencies.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tierlog::bench::latency::Latencies;
use tierlog_tiers::clock::Ticks;

use crate::peer::{Outcome, Peer};

/// Between two looks at the clock, where only speed counts.
const LOOK: Duration = Duration::from_micros(50);

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Turns of each.
    pub rounds: usize,
    /// Of one.
    pub turn: Duration,
    /// Payload bytes of one at most, over all threads.
    pub turn_bytes: u64,
}

/// What is done in a turn.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Bytes of a record.
    pub size: usize,
    /// Threads that commit.
    pub threads: usize,
    /// Records a commit.
    pub batch: usize,
}

/// Which of the kinds, and why.
pub type Failed = Vec<(usize, String)>;

/// One that takes part at a point.
pub struct Contestant {
    /// Which of the kinds.
    pub kind: usize,
    /// The open log.
    pub peer: Box<dyn Peer>,
    /// Commits a second, round by round.
    pub per_s: Vec<f64>,
    /// Of all rounds.
    pub latencies: Latencies,
}

/// All rounds of all; whoever fails is out, with the reason.
pub fn contest(all: &mut Vec<Contestant>, point: Point, pace: Pace, ticks: Ticks) -> Failed {
    let mut failed = Vec::new();
    // Not counted: files are made, caches filled.
    let first = Pace { turn: pace.turn / 4, ..pace };
    each(all, &mut failed, |one| half(one, point, first, ticks, false).map(drop));
    for _ in 0..pace.rounds {
        each(all, &mut failed, |one| {
            let rate = half(one, point, pace, ticks, false)?;
            one.per_s.push(rate);
            half(one, point, pace, ticks, true).map(drop)
        });
        let next = 1.min(all.len());
        all.rotate_left(next);
    }
    all.sort_by_key(|one| one.kind);
    failed
}

/// One turn of each; whoever fails goes.
fn each(
    all: &mut Vec<Contestant>,
    failed: &mut Failed,
    mut turn: impl FnMut(&mut Contestant) -> Outcome<()>,
) {
    all.retain_mut(|one| match turn(one) {
        Ok(()) => true,
        Err(error) => {
            failed.push((one.kind, error.to_string()));
            false
        }
    });
}

/// Half a turn on all threads: commits a second, latencies taken in where they are asked for.
fn half(one: &mut Contestant, point: Point, pace: Pace, ticks: Ticks, timed: bool) -> Outcome<f64> {
    let (begin, stop) = (Barrier::new(point.threads), AtomicBool::new(false));
    let commits_max = (pace.turn_bytes / 2 / (point.size * point.batch * point.threads) as u64).max(1);
    let peer = &*one.peer;
    let thread = |nth| {
        let mut shift = Shift { peer, nth, point, commits_max, ticks, time: pace.turn / 2, stop: &stop };
        let result = if timed {
            shift.timed(&begin)
        } else {
            shift.fast(&begin).map(|rate| (rate, Latencies::default()))
        };
        // Nobody goes on alone: that would be another contest.
        stop.store(true, Ordering::Relaxed);
        result
    };
    let threads: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..point.threads).map(|nth| scope.spawn(move || thread(nth))).collect();
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into()))).collect()
    });
    let mut per_s = 0.0;
    for thread in threads {
        let (rate, latencies) = thread?;
        per_s += rate;
        one.latencies.add(&latencies);
    }
    one.peer.settle()?;
    Ok(per_s)
}

/// One thread's share of half a turn.
struct Shift<'a> {
    peer: &'a dyn Peer,
    nth: usize,
    point: Point,
    commits_max: u64,
    ticks: Ticks,
    time: Duration,
    stop: &'a AtomicBool,
}

impl Shift<'_> {
    /// As fast as it goes: commits a second.
    fn fast(&mut self, begin: &Barrier) -> Outcome<f64> {
        let record = vec![0x5a; self.point.size];
        let records = vec![&record[..]; self.point.batch];
        let writer = self.peer.writer(self.nth);
        begin.wait();
        let (mut writer, began) = (writer?, Instant::now());
        let (mut commits, mut chunk) = (0, 1);
        loop {
            let looked = began.elapsed();
            for _ in 0..chunk {
                writer.commit(&records)?;
            }
            commits += chunk;
            let now = began.elapsed();
            if now >= self.time || commits >= self.commits_max || self.stop.load(Ordering::Relaxed) {
                return Ok(commits as f64 / now.as_secs_f64());
            }
            if now - looked < LOOK {
                chunk *= 2;
            }
            chunk = chunk.min(self.commits_max - commits);
        }
    }

    /// Each by itself.
    fn timed(&mut self, begin: &Barrier) -> Outcome<(f64, Latencies)> {
        let record = vec![0x5a; self.point.size];
        let records = vec![&record[..]; self.point.batch];
        let (writer, mut latencies, ticks) = (self.peer.writer(self.nth), Latencies::default(), self.ticks);
        begin.wait();
        let (mut writer, began) = (writer?, ticks.now());
        let until = self.time.as_nanos() as f64;
        for _ in 0..self.commits_max {
            let start = ticks.now();
            if ticks.ns(start - began) >= until || self.stop.load(Ordering::Relaxed) {
                break;
            }
            writer.commit(&records)?;
            latencies.record(ticks.since(start) as u64);
        }
        Ok((0.0, latencies))
    }
}
