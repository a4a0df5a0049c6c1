//! A way at work: a closed loop with so many requests in flight.

use std::thread;
use std::time::Duration;

use tierlog_tiers::clock::Ticks;
use tierlog_tiers::nvme::Block;
use tierlog_tiers::nvme::trial::{QueueOptions, TrialFile, TrialQueue, TrialWriter};

use super::way::{By, Way};
use crate::bench::latency::Latencies;
use crate::bench::probe::Measured;

/// What one turn came to.
#[derive(Debug, Default)]
pub struct Turn {
    /// Requests that were answered.
    pub operations: u64,
    /// From the first request to the last answer.
    pub ns: f64,
    /// From request to answer.
    pub latencies: Latencies,
}

/// A way, set up once for all its turns. It walks on through the file.
pub struct Driver {
    set: Set,
    size: u64,
    len: u64,
    next: u64,
}

enum Set {
    Calls(Vec<(TrialWriter, Block)>),
    Queue { queue: Box<TrialQueue>, started: Vec<u64> },
}

impl Driver {
    /// Sets it up.
    ///
    /// # Errors
    /// As the system says: what it refuses cannot be measured.
    pub fn open(file: &TrialFile, way: Way, size: u64, depth: u32) -> Measured<Driver> {
        let (depth, size_bytes) = (depth as usize, size as usize);
        let writer = file.writer(way.sync)?;
        let len = writer.len() / size * size;
        let set = match way.by {
            By::Calls => {
                let one = |_| Ok((file.writer(way.sync)?, Block::zeroed(size_bytes)));
                Set::Calls((0..depth).map(one).collect::<Measured<_>>()?)
            }
            By::Uring { registered, polled } => {
                let options = QueueOptions { depth, size_bytes, registered, polled };
                Set::Queue { queue: Box::new(TrialQueue::open(writer, options)?), started: vec![0; depth] }
            }
        };
        Ok(Driver { set, size, len, next: 0 })
    }

    /// Writes for so long: at least one request for each that may be in flight.
    ///
    /// # Errors
    /// The first write's.
    pub fn write(&mut self, ticks: Ticks, time: Duration) -> Measured<Turn> {
        let (size, len) = (self.size, self.len);
        let time_ticks = (time.as_nanos() as f64 * ticks.hz() / 1e9) as u64;
        match &mut self.set {
            Set::Calls(writers) => {
                let depth = writers.len() as u64;
                let from = self.next;
                let turn = calls(writers, ticks, time_ticks, |nth, request| {
                    (from + (request * depth + nth) * size) % len
                })?;
                self.next = (from + turn.operations * size) % len;
                Ok(turn)
            }
            Set::Queue { queue, started } => {
                let next = &mut self.next;
                queued(queue, started, ticks, time_ticks, || {
                    let at = *next;
                    *next = (at + size) % len;
                    at
                })
            }
        }
    }
}

/// Each thread has one request in flight.
fn calls(
    writers: &[(TrialWriter, Block)],
    ticks: Ticks,
    time_ticks: u64,
    at: impl Fn(u64, u64) -> u64 + Sync,
) -> Measured<Turn> {
    let began = ticks.now();
    let one = |nth: usize, writer: &TrialWriter, block: &Block| -> std::io::Result<Turn> {
        let mut turn = Turn::default();
        loop {
            let start = ticks.now();
            writer.write(at(nth as u64, turn.operations), block)?;
            turn.latencies.record(ticks.since(start) as u64);
            turn.operations += 1;
            if ticks.now() - began >= time_ticks {
                return Ok(turn);
            }
        }
    };
    let mut all = Turn::default();
    if let [(writer, block)] = writers {
        all = one(0, writer, block)?;
    } else {
        let turns = thread::scope(|scope| {
            let running: Vec<_> = writers
                .iter()
                .enumerate()
                .map(|(nth, (writer, block))| {
                    let one = &one;
                    scope.spawn(move || one(nth, writer, block))
                })
                .collect();
            let joined = running.into_iter().map(|one| one.join().expect("a thread that reports its errors"));
            joined.collect::<std::io::Result<Vec<Turn>>>()
        })?;
        for turn in turns {
            all.operations += turn.operations;
            all.latencies.add(&turn.latencies);
        }
    }
    all.ns = ticks.ns(ticks.now() - began);
    Ok(all)
}

/// All slots busy until the time is over, then what is left.
fn queued(
    queue: &mut TrialQueue,
    started: &mut [u64],
    ticks: Ticks,
    time_ticks: u64,
    mut at: impl FnMut() -> u64,
) -> Measured<Turn> {
    let (mut turn, began) = (Turn::default(), ticks.now());
    for (slot, start) in started.iter_mut().enumerate() {
        *start = ticks.now();
        queue.write(slot, at())?;
    }
    let mut under_way = started.len();
    while under_way > 0 {
        let slot = queue.finish()?;
        turn.latencies.record(ticks.since(started[slot]) as u64);
        turn.operations += 1;
        let now = ticks.now();
        if now - began < time_ticks {
            started[slot] = now;
            queue.write(slot, at())?;
        } else {
            under_way -= 1;
        }
    }
    turn.ns = ticks.ns(ticks.now() - began);
    Ok(turn)
}
