//! Several requests at once, by io_uring.
//!
//! Owns the blocks that requests are made of. Invariant: block `n` is with the kernel exactly while slot `n` is busy; it is
//! freed only when the kernel has answered, or never.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, squeue, types};

use super::file::{TrialSync, TrialWriter, check};
use crate::nvme::ring::Ring;
use crate::nvme::{BLOCK_BYTES, Block};

/// How a queue is set up.
#[derive(Debug, Clone, Copy)]
pub struct QueueOptions {
    /// Requests in flight at most, 1 to 256.
    pub depth: usize,
    /// Bytes of each request, a multiple of [`BLOCK_BYTES`] up to 16 MiB.
    pub size_bytes: usize,
    /// File and buffers are made known to the kernel once, not with each request.
    pub registered: bool,
    /// Completions are polled for (`IORING_SETUP_IOPOLL`): see [`polls`].
    pub polled: bool,
}

/// Requests on a file, each of one slot: whole at a time, on a block of its own.
pub struct TrialQueue {
    ring: Ring,
    writer: TrialWriter,
    blocks: Vec<Block>,
    slots: Vec<Slot>,
    options: QueueOptions,
}

#[derive(Debug, Default)]
struct Slot {
    /// Answers that are still to come: 0 for a free slot.
    left: u8,
    error: Option<io::Error>,
}

impl TrialQueue {
    /// Sets up a ring on what the writer is open on, with its [`TrialSync`].
    ///
    /// # Errors
    /// `InvalidInput` for options out of bounds, and for a data sync of its own on a polled ring, which the kernel refuses;
    /// as the system says: it may refuse io_uring, or so much registered memory.
    pub fn open(writer: TrialWriter, options: QueueOptions) -> io::Result<TrialQueue> {
        let QueueOptions { depth, size_bytes, registered, polled } = options;
        let sizes = (1..=256).contains(&depth) && (BLOCK_BYTES..=16 << 20).contains(&size_bytes);
        if !sizes || !size_bytes.is_multiple_of(BLOCK_BYTES) || polled && writer.sync == TrialSync::Datasync {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut builder = IoUring::builder();
        builder.dontfork();
        if polled {
            builder.setup_iopoll();
        }
        let ring = Ring::of(builder.build(2 * depth as u32)?);
        let mut blocks: Vec<Block> = (0..depth).map(|_| Block::zeroed(size_bytes)).collect();
        if registered {
            // SAFETY: the memory belongs to blocks that outlive the ring's use of it: see `drop`.
            unsafe { ring.register(&[writer.file.as_raw_fd()], &mut blocks) }?;
        }
        let slots = (0..depth).map(|_| Slot::default()).collect();
        Ok(TrialQueue { ring, writer, blocks, slots, options })
    }

    /// The bytes of a free slot.
    ///
    /// # Panics
    /// If the slot is busy or not there.
    pub fn block(&mut self, slot: usize) -> &mut [u8] {
        assert_eq!(self.slots[slot].left, 0, "slot {slot} is with the kernel");
        &mut self.blocks[slot]
    }

    /// Queues a write of the slot's block; the next [`finish`](TrialQueue::finish) hands it over.
    ///
    /// # Errors
    /// As for [`TrialWriter::write`].
    ///
    /// # Panics
    /// As for [`block`](TrialQueue::block).
    pub fn write(&mut self, slot: usize, at: u64) -> io::Result<()> {
        check(at, self.options.size_bytes, self.writer.len)?;
        let (bytes, len) = (self.block(slot).as_mut_ptr(), self.options.size_bytes as u32);
        let flags = if self.writer.sync == TrialSync::Dsync { libc::RWF_DSYNC } else { 0 };
        let fd = types::Fd(self.writer.file.as_raw_fd());
        let entry = match self.options.registered {
            true => opcode::WriteFixed::new(types::Fixed(0), bytes, len, slot as u16)
                .offset(at)
                .rw_flags(flags)
                .build(),
            false => opcode::Write::new(fd, bytes, len).offset(at).rw_flags(flags).build(),
        };
        if self.writer.sync != TrialSync::Datasync {
            return self.push(slot, &[entry]);
        }
        let sync = types::FsyncFlags::DATASYNC;
        let sync = match self.options.registered {
            true => opcode::Fsync::new(types::Fixed(0)).flags(sync).build(),
            false => opcode::Fsync::new(fd).flags(sync).build(),
        };
        self.push(slot, &[entry.flags(squeue::Flags::IO_LINK), sync])
    }

    /// Queues a read into the slot's block.
    ///
    /// # Errors
    /// As for [`write`](TrialQueue::write).
    ///
    /// # Panics
    /// As for [`block`](TrialQueue::block).
    pub fn read(&mut self, slot: usize, at: u64) -> io::Result<()> {
        check(at, self.options.size_bytes, self.writer.len)?;
        let (bytes, len) = (self.block(slot).as_mut_ptr(), self.options.size_bytes as u32);
        let fd = types::Fd(self.writer.file.as_raw_fd());
        let entry = match self.options.registered {
            true => opcode::ReadFixed::new(types::Fixed(0), bytes, len, slot as u16).offset(at).build(),
            false => opcode::Read::new(fd, bytes, len).offset(at).build(),
        };
        self.push(slot, &[entry])
    }

    fn push(&mut self, slot: usize, entries: &[squeue::Entry]) -> io::Result<()> {
        for (nth, entry) in entries.iter().enumerate() {
            let entry = entry.clone().user_data((slot * 2 + nth) as u64);
            // SAFETY: the block and the file are this queue's, which frees neither before the answer is there.
            unsafe { self.ring.push(&entry) }?;
            self.slots[slot].left += 1;
        }
        Ok(())
    }

    /// Hands over what is queued and waits for one request to be done: its slot is free again.
    ///
    /// # Errors
    /// The request's own; `WriteZero` for a short one. The queue is then best dropped.
    ///
    /// # Panics
    /// If no request was made.
    pub fn finish(&mut self) -> io::Result<usize> {
        assert!(self.slots.iter().any(|slot| slot.left > 0), "nothing is under way");
        self.ring.send()?;
        loop {
            while let Some((name, answer)) = self.ring.reap() {
                if let Some(slot) = self.answered(name, answer) {
                    return self.slots[slot].error.take().map_or(Ok(slot), Err);
                }
            }
            self.ring.enter(1)?;
        }
    }

    /// The slot that is done by this answer.
    fn answered(&mut self, name: u64, answer: io::Result<usize>) -> Option<usize> {
        let (slot, nth) = (name as usize / 2, name % 2);
        let error = match answer {
            Err(error) => Some(error),
            Ok(bytes) if nth == 0 && bytes != self.options.size_bytes => {
                Some(io::ErrorKind::WriteZero.into())
            }
            Ok(_) => None,
        };
        let state = &mut self.slots[slot];
        state.left -= 1;
        // The first says why; the sync behind it was only cancelled.
        state.error = state.error.take().or(error);
        (state.left == 0).then_some(slot)
    }

    /// Whether all that was handed over has been answered; waits for it.
    fn drain(&mut self) -> io::Result<()> {
        while self.slots.iter().any(|slot| slot.left > 0) {
            self.ring.enter(1)?;
            while let Some((name, answer)) = self.ring.reap() {
                self.answered(name, answer);
            }
        }
        Ok(())
    }
}

impl Drop for TrialQueue {
    fn drop(&mut self) {
        if let Err(error) = self.drain() {
            tracing::error!(%error, "io_uring is broken: the memory of what is under way is never given back");
            std::mem::forget(std::mem::take(&mut self.blocks));
        }
    }
}

impl fmt::Debug for TrialQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrialQueue").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether the device below can be polled: set-up says yes everywhere, so one block is read.
///
/// # Errors
/// Why not, as the system says.
pub fn polls(writer: TrialWriter) -> io::Result<()> {
    let options = QueueOptions { depth: 1, size_bytes: BLOCK_BYTES, registered: false, polled: true };
    let mut queue = TrialQueue::open(writer, options)?;
    queue.read(0, 0)?;
    queue.finish().map(drop)
}
