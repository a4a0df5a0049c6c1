//! An io_uring that is entered and reaped with care.
//!
//! Owns the kernel ring. Invariants: no more requests are under way than the ring has entries, so the completion
//! queue, twice as long, cannot overflow; no DRAIN, no deferred task work, no polling: each hung or failed on real
//! systems.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use io_uring::{IoUring, Probe, opcode, squeue, types};

use super::Block;
use super::progress::Progress;

/// Enters in a row that the kernel answers with "not now" before the ring counts as broken: about a second.
const BUSY_MAX: u32 = 1000;
const NAP: Duration = Duration::from_millis(1);

/// A ring whose kernel does all that is asked of it here.
pub(super) struct Ring(IoUring);

impl Ring {
    /// Sets up a ring and sees one request through; a system that refuses io_uring says so here.
    pub(super) fn open(entries: u32) -> io::Result<Ring> {
        let mut ring = Ring(IoUring::builder().dontfork().build(entries)?);
        let mut probe = Probe::new();
        ring.0.submitter().register_probe(&mut probe)?;
        if !(probe.is_supported(opcode::Write::CODE) && probe.is_supported(opcode::Fsync::CODE)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // SAFETY: the entry refers to no memory.
        unsafe { ring.push(&opcode::Nop::new().build()) }?;
        while ring.reap().is_none() {
            ring.enter(1)?;
        }
        Ok(ring)
    }

    /// One set up otherwise, for trials.
    pub(super) fn of(ring: IoUring) -> Ring {
        Ring(ring)
    }

    /// Makes files and buffers known to the kernel, under their numbers.
    ///
    /// # Safety
    /// The blocks stay where they are until the ring is gone or no request that uses them is under way.
    pub(super) unsafe fn register(&self, files: &[RawFd], blocks: &mut [Block]) -> io::Result<()> {
        let pieces: Vec<libc::iovec> = blocks
            .iter_mut()
            .map(|block| libc::iovec { iov_base: block.as_mut_ptr().cast(), iov_len: block.len() })
            .collect();
        self.0.submitter().register_files(files)?;
        // SAFETY: the caller's promise.
        unsafe { self.0.submitter().register_buffers(&pieces) }
    }

    /// Queues an entry; [`Ring::enter`] hands it to the kernel.
    ///
    /// # Safety
    /// The memory and the descriptor that the entry names stay valid until its completion has been reaped.
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller's promise is the one asked for.
        unsafe { self.0.submission().push(entry) }.map_err(io::Error::other)
    }

    /// Hands over what is queued and waits for `wait` completions; may return with fewer.
    ///
    /// An error means the ring is of no further use. What it had been handed may still be under way.
    pub(super) fn enter(&mut self, wait: usize) -> io::Result<()> {
        let mut busy = 0;
        loop {
            let error = match self.0.submit_and_wait(wait) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::EBUSY) if busy < BUSY_MAX => {
                    if !self.0.completion().is_empty() {
                        return Ok(());
                    }
                    busy += 1;
                    std::thread::sleep(NAP);
                }
                _ => return Err(error),
            }
        }
    }

    /// Hands over what is queued, if anything is, and waits for a completion if there is none yet: in one call or none.
    pub(super) fn send(&mut self) -> io::Result<()> {
        let none = self.0.completion().is_empty();
        match (none, self.unsent()) {
            (true, _) => self.enter(1),
            (false, 0) => Ok(()),
            (false, _) => self.enter(0),
        }
    }

    /// One completion, if there is one: what the entry was called, and its answer.
    pub(super) fn reap(&mut self) -> Option<(u64, io::Result<usize>)> {
        let done = self.0.completion().next()?;
        let answer = usize::try_from(done.result()).map_err(|_| io::Error::from_raw_os_error(-done.result()));
        Some((done.user_data(), answer))
    }

    /// Entries that the kernel has not taken yet.
    fn unsent(&mut self) -> usize {
        self.0.submission().len()
    }

    /// Writes all of `bytes` at `at`, each write durable when it completes. An error is final.
    pub(super) fn write_forced(&mut self, file: BorrowedFd<'_>, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut progress = Progress::writing(bytes.len());
        while !progress.is_over() {
            let done = progress.done();
            let write = write(file, at + done as u64, &bytes[done..])?.rw_flags(libc::RWF_DSYNC).build();
            // SAFETY: as for `write_linked`.
            let [answer] = unsafe { self.answers([write]) }?;
            progress.take(answer)?;
        }
        Ok(())
    }

    /// Writes all of `bytes` at `at`, each write linked with a data sync. An error is final.
    pub(super) fn write_linked(&mut self, file: BorrowedFd<'_>, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut progress = Progress::writing(bytes.len());
        loop {
            let done = progress.done();
            let write = write(file, at + done as u64, &bytes[done..])?.build().flags(squeue::Flags::IO_LINK);
            let sync =
                opcode::Fsync::new(types::Fd(file.as_raw_fd())).flags(types::FsyncFlags::DATASYNC).build();
            // SAFETY: `file` and `bytes` are borrowed for this call, which drops the ring's use of them before it returns;
            // entries that the kernel did not take go down with the ring (see `Rings::with`).
            let [write, sync] = unsafe { self.answers([write, sync]) }?;
            progress.take(write)?;
            if !progress.is_over() {
                continue; // short: the kernel cancelled the sync, and both are sent again
            }
            match sync {
                Ok(_) => return Ok(()),
                // Nothing was synced; the same bytes go out once more, so that the pair stays a pair.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    progress = Progress::writing(bytes.len())
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands the entries over and waits for the answer to each; does not return while the kernel has any of them.
    ///
    /// # Safety
    /// The memory and the descriptors that the entries name stay valid for this call; after an error the ring is dropped
    /// before they are.
    unsafe fn answers<const N: usize>(
        &mut self,
        entries: [squeue::Entry; N],
    ) -> io::Result<[io::Result<usize>; N]> {
        for (name, entry) in entries.into_iter().enumerate() {
            // SAFETY: the caller's promise: an entry that was taken has completed when this returns.
            unsafe { self.push(&entry.user_data(name as u64)) }?;
        }
        let mut answers = [const { None }; N];
        let mut broken = None;
        loop {
            while let Some((name, answer)) = self.reap() {
                answers[name as usize] = Some(answer);
            }
            let (sent, back) = (N - self.unsent(), answers.iter().flatten().count());
            match broken {
                None if back == N => return Ok(answers.map(|answer| answer.unwrap_or(Ok(0)))), // all of them are there
                Some(error) if sent == back => return Err(error),
                // Completions still arrive in shared memory.
                Some(_) => std::thread::sleep(NAP),
                None => broken = self.enter(N - back).err(),
            }
        }
    }
}

/// A write of all of `bytes`.
fn write(file: BorrowedFd<'_>, at: u64, bytes: &[u8]) -> io::Result<opcode::Write> {
    let len = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(opcode::Write::new(types::Fd(file.as_raw_fd()), bytes.as_ptr(), len).offset(at))
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ring").field(&self.0.as_raw_fd()).finish()
    }
}

/// Rings for durable writes: as many as ever ran at once.
#[derive(Debug, Default)]
pub(super) struct Rings(Mutex<Vec<Ring>>);

impl Rings {
    /// Works with a ring of the pool, or a new one; `None` where the system refuses io_uring. After an error the ring is
    /// dropped, and with it any entry that the kernel did not take.
    pub(super) fn with(&self, work: impl FnOnce(&mut Ring) -> io::Result<()>) -> Option<io::Result<()>> {
        let pool = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = pool().pop();
        let refused = |error: &io::Error| tracing::warn!(%error, "io_uring refused: a plain write instead");
        let mut ring = pooled.or_else(|| Ring::open(2).inspect_err(refused).ok())?;
        Some(work(&mut ring).inspect(|()| pool().push(ring)))
    }
}
