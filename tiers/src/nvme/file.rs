//! One open file.
//!
//! Owns the descriptor, and with it, if opened for writing, the lock. Invariant: the length is the one found at the
//! open, and no call goes beyond it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::progress::Progress;
use super::ring::Rings;
use super::{BLOCK_BYTES, Block, DirectoryError, DurableWay, FileName, NvmeFile};

/// A file of a [`Directory`](super::Directory).
pub(super) struct DirectoryFile {
    pub(super) file: File,
    pub(super) name: FileName,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// How to write; none if opened for reading.
    pub(super) way: Option<DurableWay>,
    pub(super) rings: Arc<Rings>,
}

/// Refuses a range that is out of the file, or not in whole blocks.
pub(crate) fn check_range(file: &dyn NvmeFile, at: u64, len: usize, beyond: io::ErrorKind) -> io::Result<()> {
    if !at.is_multiple_of(BLOCK_BYTES as u64) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    match at.checked_add(len as u64) {
        Some(end) if end <= file.len() => Ok(()),
        _ => Err(beyond.into()),
    }
}

impl DirectoryFile {
    fn named(&self, doing: &'static str, error: io::Error) -> io::Error {
        DirectoryError::new(&self.path, doing, error).into()
    }

    fn read_whole(&self, at: u64, into: &mut Block) -> io::Result<()> {
        check_range(self, at, into.len(), io::ErrorKind::UnexpectedEof)?;
        let mut progress = Progress::reading(into.len());
        while !progress.is_over() {
            let done = progress.done();
            progress.take(self.file.read_at(&mut into[done..], at + done as u64))?;
        }
        Ok(())
    }
}

impl NvmeFile for DirectoryFile {
    fn name(&self) -> FileName {
        self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, at: u64, into: &mut Block) -> io::Result<()> {
        self.read_whole(at, into).map_err(|error| self.named("a read", error))
    }

    fn write_durable(&self, at: u64, run: &Block) -> io::Result<()> {
        let written = match self.way {
            None => Err(io::Error::from_raw_os_error(libc::EPERM)),
            Some(way) => check_range(self, at, run.len(), io::ErrorKind::InvalidInput)
                .and_then(|()| way.write(&self.file, at, run, &self.rings)),
        };
        written.map_err(|error| self.named("a durable write", error))
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| self.named("a data sync", error))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.way.map(|_| self.file.as_fd())
    }
}

impl fmt::Debug for DirectoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryFile")
            .field("path", &self.path)
            .field("len", &self.len)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}
