//! A file to try ways on, and system calls on it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::nvme::durable::write_plain;
use crate::nvme::{BLOCK_BYTES, Block, syscall};

const ZEROS_BYTES: usize = 1 << 20;

/// What makes a write durable before it counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrialSync {
    /// Nothing: a completed O_DIRECT write is not durable where the device has a volatile cache, and not found again
    /// where the file system still owes it metadata.
    Nothing,
    /// The file is opened with `O_DSYNC`.
    Odsync,
    /// `RWF_DSYNC` on each write.
    Dsync,
    /// A data sync of its own behind each write: fdatasync, or linked with it in one submission.
    Datasync,
}

/// A file of written zeros, for writes past the page cache. Its owner removes it.
#[derive(Debug)]
pub struct TrialFile {
    path: PathBuf,
    len: u64,
}

impl TrialFile {
    /// Makes a file of `len` zeros, written and flushed: no write into it has anything to allocate. The mode is 0600.
    ///
    /// # Errors
    /// `InvalidInput` for a length that is 0 or no multiple of 1 MiB, or where there is no direct I/O; as the system says.
    pub fn create(path: &Path, len: u64) -> io::Result<TrialFile> {
        if len == 0 || !len.is_multiple_of(ZEROS_BYTES as u64) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = libc::O_DIRECT | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)?;
        let zeros = Block::zeroed(ZEROS_BYTES);
        for at in (0..len).step_by(ZEROS_BYTES) {
            write_plain(file.as_fd(), at, &zeros)?;
        }
        file.sync_all()?;
        Ok(TrialFile { path: path.to_path_buf(), len })
    }

    /// A writer of this file.
    ///
    /// # Errors
    /// As the system says.
    pub fn writer(&self, sync: TrialSync) -> io::Result<TrialWriter> {
        let dsync = if sync == TrialSync::Odsync { libc::O_DSYNC } else { 0 };
        let flags = libc::O_DIRECT | libc::O_NOFOLLOW | libc::O_CLOEXEC | dsync;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&self.path)?;
        Ok(TrialWriter { file, len: self.len, sync })
    }
}

/// Writes by system calls.
#[derive(Debug)]
pub struct TrialWriter {
    pub(super) file: File,
    pub(super) len: u64,
    pub(super) sync: TrialSync,
}

impl TrialWriter {
    /// Length of the file in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a file without bytes; none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Overwrites from `at`, a multiple of [`BLOCK_BYTES`]; on return as durable as the [`TrialSync`] makes it.
    ///
    /// # Errors
    /// `InvalidInput` beyond the end; `WriteZero` for a short write; as the system says.
    pub fn write(&self, at: u64, block: &Block) -> io::Result<()> {
        check(at, block.len(), self.len)?;
        let done = match self.sync {
            TrialSync::Dsync => syscall::write_forced(&self.file, block, at, 0)?,
            _ => syscall::write(self.file.as_fd(), block, at)?,
        };
        if done != block.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if self.sync == TrialSync::Datasync { self.flush() } else { Ok(()) }
    }

    /// Fills the block from `at`.
    ///
    /// # Errors
    /// As the system says.
    pub fn read(&self, at: u64, block: &mut Block) -> io::Result<()> {
        self.file.read_exact_at(block, at)
    }

    /// fdatasync.
    ///
    /// # Errors
    /// As the system says.
    pub fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Whole blocks inside the file: nothing grows it.
pub(super) fn check(at: u64, bytes: usize, len: u64) -> io::Result<()> {
    let inside = at.checked_add(bytes as u64).is_some_and(|end| end <= len);
    match inside && at.is_multiple_of(BLOCK_BYTES as u64) {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}
