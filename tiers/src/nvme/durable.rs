//! Durable writes: three ways to the same promise.

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
    /// A write linked with a data sync, in one io_uring submission.
    UringLinked,
}

impl fmt::Display for DurableWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DurableWay::Odsync => "RWF_DSYNC",
            DurableWay::Fdatasync => "fdatasync",
            DurableWay::UringLinked => "io_uring linked fdatasync",
        })
    }
}

impl DurableWay {
    /// Writes all of `bytes`; durable on return. An error is final: nothing is tried again after it.
    pub(super) fn write(self, file: &File, at: u64, bytes: &[u8], rings: &Rings) -> io::Result<()> {
        match self {
            DurableWay::Odsync => write_whole(bytes, at, |piece, at| syscall::write_dsync(file, piece, at)),
            DurableWay::Fdatasync => write_synced(file, at, bytes),
            DurableWay::UringLinked => match rings.write(file.as_fd(), at, bytes)? {
                true => Ok(()),
                false => write_synced(file, at, bytes),
            },
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
