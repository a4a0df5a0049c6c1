//! Several threads, each in a loop of its own, all at once.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use tierlog_tiers::clock::Ticks;

use super::contest::Loop;
use super::cpus::Cpus;
use super::latency::Latencies;
use super::probe::Measured;

/// How the threads go about it.
#[derive(Debug, Clone, Copy)]
pub struct Parallel {
    /// How many.
    pub threads: u32,
    /// Each ends after this time.
    pub time: Duration,
    /// Or after so many operations.
    pub operations_max: u64,
    /// Operations between two looks at the clock.
    pub chunk: u64,
    /// Whether each operation is timed by itself, too.
    pub latencies: bool,
}

/// What all threads did.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Operations a second, summed over the threads.
    pub per_s: f64,
    /// How many those were.
    pub operations: u64,
    /// Of all threads, if they were wanted.
    pub latencies: Latencies,
}

impl Parallel {
    /// Runs them, each pinned to a processor as long as there are enough; `make` is called on each thread, before any begins.
    ///
    /// # Errors
    /// The first thread's that failed.
    pub fn run(
        self,
        cpus: &Cpus,
        ticks: Ticks,
        make: &(dyn Fn(u32) -> Measured<Box<dyn Loop>> + Sync),
    ) -> Measured<Done> {
        let ready = Barrier::new(self.threads as usize);
        let one = |nth: u32| -> Result<Done, String> {
            let made = cpus.take(nth as usize).map_err(|error| error.to_string());
            let made = made.and_then(|()| make(nth).map_err(|error| error.to_string()));
            ready.wait();
            self.one(&mut *made?, ticks).map_err(|error| error.to_string())
        };
        let all = std::thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> = (0..self.threads).map(|nth| scope.spawn(move || one(nth))).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        let mut sum = Done::default();
        for done in all {
            let done = done.map_err(|_| "a thread panicked")??;
            sum.per_s += done.per_s;
            sum.operations += done.operations;
            sum.latencies.add(&done.latencies);
        }
        Ok(sum)
    }

    fn one(&self, work: &mut dyn Loop, ticks: Ticks) -> Measured<Done> {
        let (mut operations, mut latencies, began) = (0, Latencies::default(), Instant::now());
        while operations < self.operations_max && began.elapsed() < self.time {
            let chunk = self.chunk.min(self.operations_max - operations);
            match self.latencies {
                true => work.one_by_one(ticks, chunk, &mut latencies)?,
                false => drop(work.burst(ticks, chunk)?),
            }
            operations += chunk;
        }
        Ok(Done { per_s: operations as f64 / began.elapsed().as_secs_f64(), operations, latencies })
    }
}
