//! A worker on a thread of its own.

use std::thread::JoinHandle;
use std::time::Duration;

use tierlog_numa::Cpu;

use super::{Running, Worker};
use crate::error::{Error, Result};

/// A worker's thread.
struct Thread(JoinHandle<()>);

impl Running for Thread {
    fn join(self: Box<Self>) {
        // A worker catches its panics itself.
        drop(self.0.join());
    }
}

/// Starts it, pinned if CPUs are named.
pub(super) fn start(name: String, cpus: Vec<Cpu>, mut worker: Box<dyn Worker>) -> Result<Box<dyn Running>> {
    let run = move || {
        pin(&cpus);
        work(&mut *worker);
    };
    let thread = std::thread::Builder::new().name(name).spawn(run);
    Ok(Box::new(Thread(thread.map_err(Error::io("a background thread"))?)))
}

/// Turn after turn until it has ended; rests in between, unless its bell rings.
pub(crate) fn work(worker: &mut dyn Worker) {
    let bell = worker.bell();
    loop {
        let heard = bell.rung();
        match worker.turn() {
            Some(Duration::ZERO) => {}
            Some(rest) => bell.listen(heard, rest),
            None => return,
        }
    }
}

fn pin(cpus: &[Cpu]) {
    if cpus.is_empty() {
        return;
    }
    if let Err(error) = tierlog_numa::pin_to(cpus) {
        tracing::warn!(%error, "a background thread runs unpinned");
    }
}
