//! A queue of runs to simulated files.
//!
//! A write is under way until the queue is full or settles: a crash meanwhile leaves any of its sectors.

use std::io;
use std::sync::Arc;

use super::file::{Begun, begin, end};
use super::live::Shared;
use super::mutant::Mutant;
use super::nvme::{SimNvme, path};
use crate::nvme::{Block, Ledger, NvmeFile, RunQueue};

#[derive(Debug)]
pub(super) struct SimQueue {
    world: Arc<Shared>,
    nvme: u32,
    ledger: Ledger,
    depth: usize,
    /// Oldest first; the handle keeps the file's lock.
    flights: Vec<(Arc<dyn NvmeFile>, Begun)>,
}

impl SimQueue {
    pub(super) fn new(nvme: &SimNvme) -> SimQueue {
        SimQueue {
            world: nvme.world.clone(),
            nvme: nvme.number,
            ledger: Ledger::new(path(nvme.number)),
            depth: nvme.world.lock().model.options.nvme[nvme.number as usize].queue_depth,
            flights: Vec::new(),
        }
    }

    /// Ends the oldest writes until at most `most` are under way.
    fn wait(&mut self, most: usize) {
        let over = self.flights.len().saturating_sub(most);
        for (file, begun) in self.flights.drain(..over) {
            let live = &mut *self.world.lock();
            let durable = !live.model.options.nvme[self.nvme as usize].volatile_cache;
            if let Err(error) = end(live, begun, durable)
                && !live.is(Mutant::SettleForgetsError)
            {
                self.ledger.fail(file.as_ref(), error);
            }
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.world.lock().is(mutant)
    }
}

impl RunQueue for SimQueue {
    fn block(&mut self, len: usize) -> Block {
        self.ledger.block(len)
    }

    fn write(&mut self, file: &Arc<dyn NvmeFile>, at: u64, run: Block) -> io::Result<()> {
        self.wait(self.depth.max(1) - 1);
        let written = self.ledger.begin(file, at, &run)?;
        let handle = Arc::as_ptr(file).addr();
        let known = self.world.lock().handles.get(&handle).copied();
        let begun = match known {
            Some(id) => begin(&mut self.world.lock(), self.nvme, id, at, &run),
            // No file of this world, so it writes for itself.
            None => return file.write_durable(at, &run),
        };
        match begun {
            Ok(begun) => self.flights.push((file.clone(), begun)),
            Err(_) if self.is(Mutant::SettleForgetsError) => {}
            Err(error) => self.ledger.fail(file.as_ref(), error),
        }
        self.ledger.land(written, run);
        self.ledger.check()
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.is(Mutant::SettleEarly) {
            return self.ledger.check();
        }
        self.wait(0);
        if self.is(Mutant::SettleNotFlushed) { self.ledger.check() } else { self.ledger.flush() }
    }

    fn read_back(&mut self) {
        self.ledger.read_back();
    }

    fn begin_proof(&mut self) {
        self.ledger.begin_proof();
    }

    fn prove(&mut self) -> io::Result<()> {
        self.ledger.prove()
    }
}

impl Drop for SimQueue {
    fn drop(&mut self) {
        self.wait(0);
    }
}
