//! The queue of runs by io_uring.
//!
//! Owns every block from the moment its write is queued until the kernel has answered, and the file with it.
//! Invariant: slot `n` is taken exactly while the request called `n` may be under way.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use io_uring::{opcode, types};

use super::ledger::Ledger;
use super::progress::Progress;
use super::ring::Ring;
use super::{Block, NvmeFile, RunQueue};

/// Writes under way at most.
const DEPTH: usize = 8;
/// Bytes that one request asks for at most; the rest follows as after a short write.
const REQUEST_BYTES_MAX: usize = 1 << 30;

/// Why this system refuses io_uring, tried just now; `None` where it does all that is asked of it here.
pub fn refusal() -> Option<String> {
    Ring::open(1).err().map(|error| error.to_string())
}

/// Overlaps up to [`DEPTH`] writes.
#[derive(Debug)]
pub(super) struct UringQueue {
    ring: Ring,
    ledger: Ledger,
    flights: [Option<Flight>; DEPTH],
    /// The kernel refused to be entered: what is under way stays so, and its memory is never given back.
    broken: bool,
}

/// A write under way.
#[derive(Debug)]
struct Flight {
    file: Arc<dyn NvmeFile>,
    /// The file's descriptor, open for as long as the file.
    descriptor: RawFd,
    at: u64,
    run: Block,
    progress: Progress,
}

impl UringQueue {
    pub(super) fn open(ledger: Ledger) -> Result<UringQueue, (io::Error, Ledger)> {
        match Ring::open(DEPTH as u32) {
            Ok(ring) => Ok(UringQueue { ring, ledger, flights: Default::default(), broken: false }),
            Err(error) => Err((error, ledger)),
        }
    }

    /// Hands the rest of the write in `slot` to the kernel.
    fn send(&mut self, slot: usize) {
        let Some(flight) = &self.flights[slot] else { return };
        let done = flight.progress.done();
        let rest = &flight.run[done..];
        let len = rest.len().min(REQUEST_BYTES_MAX) as u32;
        let entry = opcode::Write::new(types::Fd(flight.descriptor), rest.as_ptr(), len)
            .offset(flight.at + done as u64)
            .build()
            .user_data(slot as u64);
        // SAFETY: the flight owns the block and the file, and stays in its slot until this request's completion is
        // reaped (`land`); a queue dropped earlier waits for it, or leaks both (`drop`).
        let sent = unsafe { self.ring.push(&entry) }.and_then(|()| self.ring.enter(0));
        if let Err(error) = sent {
            self.give_up(error);
        }
    }

    fn give_up(&mut self, error: io::Error) {
        self.broken = true;
        self.ledger.fail_at_large(error);
    }

    /// Takes in every completion that is there.
    fn land(&mut self) {
        while let Some((slot, answer)) = self.ring.reap() {
            let slot = slot as usize;
            let Some(flight) = self.flights.get_mut(slot).and_then(Option::as_mut) else { continue };
            match flight.progress.take(answer) {
                Ok(()) if !flight.progress.is_over() => {
                    self.send(slot);
                    continue;
                }
                Ok(()) => {}
                Err(error) => self.ledger.fail(flight.file.as_ref(), error),
            }
            if let Some(flight) = self.flights[slot].take() {
                self.ledger.spare(flight.run);
            }
        }
    }

    /// Waits until at most `most` writes are under way, or the ring is broken.
    fn wait(&mut self, most: usize) {
        loop {
            self.land();
            if self.broken || self.flights.iter().flatten().count() <= most {
                return;
            }
            if let Err(error) = self.ring.enter(1) {
                self.give_up(error);
            }
        }
    }
}

impl RunQueue for UringQueue {
    fn block(&mut self, len: usize) -> Block {
        self.land();
        self.ledger.block(len)
    }

    fn write(&mut self, file: &Arc<dyn NvmeFile>, at: u64, run: Block) -> io::Result<()> {
        self.wait(DEPTH - 1);
        self.ledger.begin(file, at, &run)?;
        let Some(descriptor) = file.descriptor().map(|descriptor| descriptor.as_raw_fd()) else {
            let written = file.write_durable(at, &run);
            self.ledger.spare(run);
            return written
                .map_err(|error| self.ledger.fail(file.as_ref(), error))
                .or_else(|()| self.ledger.check());
        };
        let slot = self.flights.iter().position(Option::is_none).expect("waited for a free slot");
        let progress = Progress::writing(run.len());
        self.flights[slot] = Some(Flight { file: file.clone(), descriptor, at, run, progress });
        self.send(slot);
        self.ledger.check()
    }

    fn settle(&mut self) -> io::Result<()> {
        self.wait(0);
        self.ledger.flush()
    }
}

impl Drop for UringQueue {
    fn drop(&mut self) {
        self.wait(0);
        for flight in self.flights.iter_mut().filter_map(Option::take) {
            tracing::error!(file = %flight.file.name(), "io_uring broke down: a buffer under way is leaked");
            std::mem::forget(flight);
        }
    }
}
