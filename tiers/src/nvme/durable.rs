//! Durable writes: five ways to the same promise.
//!
//! On a drive without a volatile cache each is a write and nothing more. With one, a write that is durable by itself goes
//! out with FUA where the drive has it, and is followed by a flush where it has not: the kernel knows.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::progress::Progress;
use super::ring::Rings;
use super::syscall;

/// How a write is made durable before it returns. Which is cheapest depends on the disk and on how busy the
/// processors are, so an open measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DurableWay {
    /// One write that returns when it is durable (`RWF_DSYNC`, pwritev2(2)).
    Odsync,
    /// A write, then fdatasync(2).
    Fdatasync,
    /// One write that returns when it is durable, and polls for that (`RWF_HIPRI`) where the driver has queues to poll.
    Polled,
    /// One write that is durable when it completes, by io_uring.
    UringDsync,
    /// A write linked with a data sync, in one io_uring submission.
    UringLinked,
}

impl fmt::Display for DurableWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DurableWay {
    /// All of them, the simplest first.
    pub const ALL: [DurableWay; 5] = [
        DurableWay::Odsync,
        DurableWay::Fdatasync,
        DurableWay::Polled,
        DurableWay::UringDsync,
        DurableWay::UringLinked,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            DurableWay::Odsync => "pwrite RWF_DSYNC",
            DurableWay::Fdatasync => "pwrite + fdatasync",
            DurableWay::Polled => "pwrite RWF_DSYNC, polled",
            DurableWay::UringDsync => "io_uring RWF_DSYNC",
            DurableWay::UringLinked => "io_uring linked fdatasync",
        }
    }

    /// Whether it goes by io_uring.
    pub(super) const fn rings(self) -> bool {
        matches!(self, DurableWay::UringDsync | DurableWay::UringLinked)
    }

    /// Writes all of `bytes`; durable on return. An error is final: nothing is tried again after it.
    pub(super) fn write(self, file: &File, at: u64, bytes: &[u8], rings: &Rings) -> io::Result<()> {
        let forced =
            |flags| write_whole(bytes, at, |piece, at| syscall::write_forced(file, piece, at, flags));
        match self {
            DurableWay::Odsync => forced(0),
            DurableWay::Polled => forced(libc::RWF_HIPRI),
            DurableWay::Fdatasync => write_synced(file, at, bytes),
            DurableWay::UringDsync => {
                let written = rings.with(|ring| ring.write_forced(file.as_fd(), at, bytes));
                written.unwrap_or_else(|| forced(0))
            }
            DurableWay::UringLinked => {
                let written = rings.with(|ring| ring.write_linked(file.as_fd(), at, bytes));
                written.unwrap_or_else(|| write_synced(file, at, bytes))
            }
        }
    }
}

fn write_synced(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    write_plain(file.as_fd(), at, bytes)?;
    file.sync_data()
}

/// Writes all of `bytes`; durable after the file's next data sync.
pub(super) fn write_plain(file: BorrowedFd<'_>, at: u64, bytes: &[u8]) -> io::Result<()> {
    write_whole(bytes, at, |piece, at| syscall::write(file, piece, at))
}

fn write_whole(
    bytes: &[u8],
    at: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut progress = Progress::writing(bytes.len());
    while !progress.is_over() {
        let done = progress.done();
        progress.take(write(&bytes[done..], at + done as u64))?;
    }
    Ok(())
}
