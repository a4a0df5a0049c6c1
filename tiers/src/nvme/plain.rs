//! The queue of runs where io_uring is refused: one write at a time.

use std::io;
use std::sync::Arc;

use super::durable::write_plain;
use super::ledger::Ledger;
use super::{Block, NvmeFile, RunQueue};

/// Writes each run before it returns, and flushes when asked to settle.
#[derive(Debug)]
pub(super) struct PlainQueue(Ledger);

impl PlainQueue {
    pub(super) fn new(ledger: Ledger) -> PlainQueue {
        PlainQueue(ledger)
    }
}

impl RunQueue for PlainQueue {
    fn block(&mut self, len: usize) -> Block {
        self.0.block(len)
    }

    fn write(&mut self, file: &Arc<dyn NvmeFile>, at: u64, run: Block) -> io::Result<()> {
        let begun = self.0.begin(file, at, &run)?;
        let written = match file.descriptor() {
            Some(descriptor) => write_plain(descriptor, at, &run),
            None => file.write_durable(at, &run),
        };
        self.0.land(begun, run);
        written.map_err(|error| self.0.fail(file.as_ref(), error)).or_else(|()| self.0.check())
    }

    fn settle(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn read_back(&mut self) {
        self.0.read_back();
    }

    fn begin_proof(&mut self) {
        self.0.begin_proof();
    }

    fn prove(&mut self) -> io::Result<()> {
        self.0.prove()
    }
}
