//! The queue of runs by io_uring.
//!
//! Owns every block from the moment its write, or its reading back, is queued until the kernel has answered, and the file
//! with it. Invariant: slot `n` is taken exactly while the request called `n` may be under way.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use io_uring::{opcode, types};

use super::ledger::{Ledger, Written};
use super::progress::Progress;
use super::ring::Ring;
use super::{Block, NvmeFile, RunQueue};

/// Writes under way at most, and reads.
const DEPTH: usize = 8;
/// Bytes that one request asks for at most; the rest follows as after a short write.
const REQUEST_BYTES_MAX: usize = 1 << 30;

/// Why this system refuses io_uring, tried just now; `None` where it does all that is asked of it here.
pub fn refusal() -> Option<String> {
    Ring::open(1).err().map(|error| error.to_string())
}

/// Overlaps up to [`DEPTH`] writes, and as many reads.
#[derive(Debug)]
pub(super) struct UringQueue {
    ring: Ring,
    ledger: Ledger,
    flights: [Option<Flight>; 2 * DEPTH],
    /// The kernel refused to be entered: what is under way stays so, and its memory is never given back.
    broken: bool,
}

/// A request under way.
#[derive(Debug)]
struct Flight {
    written: Written,
    /// The file's descriptor, open for as long as the file.
    descriptor: RawFd,
    /// The run, or where it is read back to.
    block: Block,
    reads: bool,
    progress: Progress,
}

impl UringQueue {
    pub(super) fn open(dir: &Path) -> io::Result<UringQueue> {
        let (ring, ledger) = (Ring::open(2 * DEPTH as u32)?, Ledger::new(dir.to_path_buf()));
        Ok(UringQueue { ring, ledger, flights: Default::default(), broken: false })
    }

    /// Hands the rest of the request in `slot` to the kernel.
    fn send(&mut self, slot: usize) {
        let Some(flight) = &mut self.flights[slot] else { return };
        let done = flight.progress.done();
        let (to, at) = (types::Fd(flight.descriptor), flight.written.at + done as u64);
        let part = &mut flight.block[done..];
        let len = part.len().min(REQUEST_BYTES_MAX) as u32;
        let entry = match flight.reads {
            true => opcode::Read::new(to, part.as_mut_ptr(), len).offset(at).build(),
            false => opcode::Write::new(to, part.as_ptr(), len).offset(at).build(),
        };
        // SAFETY: the flight owns the block and the file, does not touch the block while it is in its slot, and stays there
        // until this request's completion is reaped (`land`); a queue dropped earlier waits for it, or leaks all (`drop`).
        let sent = unsafe { self.ring.push(&entry.user_data(slot as u64)) }.and_then(|()| self.ring.enter(0));
        if let Err(error) = sent {
            self.give_up(error);
        }
    }

    fn begin(&mut self, written: Written, descriptor: RawFd, block: Block, reads: bool) {
        let slot =
            self.flights.iter().position(Option::is_none).expect("fewer are under way than there are slots");
        let len = block.len();
        let progress = if reads { Progress::reading(len) } else { Progress::writing(len) };
        self.flights[slot] = Some(Flight { written, descriptor, block, reads, progress });
        self.send(slot);
    }

    /// Requests under way: writes, or reads.
    fn under_way(&self, reads: bool) -> usize {
        self.flights.iter().flatten().filter(|flight| flight.reads == reads).count()
    }

    /// Reads back what is to be, as far as there is room.
    fn read_on(&mut self) {
        while !self.broken && self.under_way(true) < DEPTH {
            let Some(written) = self.ledger.proving.pop_front() else { return };
            match written.file.descriptor().map(|descriptor| descriptor.as_raw_fd()) {
                Some(descriptor) => {
                    let back = self.ledger.block_for(&written);
                    self.begin(written, descriptor, back, true);
                }
                None => self.ledger.fail(written.file.as_ref(), io::ErrorKind::Unsupported.into()),
            }
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
                Err(error) => self.ledger.fail(flight.written.file.as_ref(), error),
            }
            match self.flights[slot].take() {
                Some(Flight { written, block, reads: true, .. }) => self.ledger.compare(&written, block),
                Some(Flight { written, block, .. }) => self.ledger.land(written, block),
                None => {}
            }
        }
    }

    /// Waits until at most `most` writes, or reads, are under way, or the ring is broken.
    fn wait(&mut self, reads: bool, most: usize) {
        loop {
            self.land();
            self.read_on();
            if self.broken || self.under_way(reads) <= most {
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
        self.wait(false, DEPTH - 1);
        let begun = self.ledger.begin(file, at, &run)?;
        match file.descriptor().map(|descriptor| descriptor.as_raw_fd()) {
            Some(descriptor) => self.begin(begun, descriptor, run, false),
            None => {
                let written = file.write_durable(at, &run);
                self.ledger.spare(run);
                if let Err(error) = written {
                    self.ledger.fail(file.as_ref(), error);
                }
            }
        }
        self.ledger.check()
    }

    fn settle(&mut self) -> io::Result<()> {
        self.wait(false, 0);
        self.ledger.flush()
    }

    fn read_back(&mut self) {
        self.ledger.read_back();
    }

    fn begin_proof(&mut self) {
        self.ledger.begin_proof();
        self.read_on();
    }

    fn prove(&mut self) -> io::Result<()> {
        self.wait(true, 0);
        self.ledger.check()
    }
}

impl Drop for UringQueue {
    fn drop(&mut self) {
        self.ledger.proving.clear();
        self.wait(false, 0);
        self.wait(true, 0);
        for flight in self.flights.iter_mut().filter_map(Option::take) {
            tracing::error!(file = %flight.written.file.name(), "io_uring broke down: a buffer under way is leaked");
            std::mem::forget(flight);
        }
    }
}
