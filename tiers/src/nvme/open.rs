//! Opening and creating the files of a directory.
//!
//! Invariants: a file that may be written is locked by the very open it is written through; a creation that fails
//! leaves nothing behind.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::durable::write_plain;
use super::file::DirectoryFile;
use super::{BLOCK_BYTES, Block, Directory, DirectoryError, DurableWay, FileName, NvmeFile, lock, syscall};

/// Zeros are written in pieces of this many bytes: a commit to another file waits for one piece at most.
const ZEROS_BYTES: u64 = 64 << 10;
/// What a file is filled with beside commits leaves the device to them for so many times as long as each piece took.
pub(super) const PAUSES: u32 = 3;
const CREATE: i32 = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;

/// What is in a file when it is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fill {
    /// Nothing that was written: blocks that were found.
    Nothing,
    /// Zeros that were written, so that no later write has anything to allocate or journal.
    Zeros {
        /// Pauses between pieces, in times as long as the piece took.
        pauses: u32,
    },
}

type Opened = Result<Arc<dyn NvmeFile>, DirectoryError>;

impl Directory {
    pub(super) fn open_file(&self, name: FileName, write: bool) -> Opened {
        let path = self.path_of(name);
        let way = if write { Some(self.writable(&path, "opening for writing")?) } else { None };
        let access = if write { libc::O_RDWR } else { libc::O_RDONLY };
        let began = Instant::now();
        loop {
            let file = syscall::open_at(&self.dir, name, access, 0)
                .map_err(|error| DirectoryError::new(&path, "opening", error))?;
            self.prepare(&file, &path)?;
            // Removed while it was waited for: look again what the name stands for.
            if !write || self.lock(&file, &path, began)? {
                return self.wrap(file, name, way);
            }
        }
    }

    pub(super) fn create_file(&self, name: FileName, len: u64, fill: Fill) -> Opened {
        let path = self.path_of(name);
        let way = self.writable(&path, "creating")?;
        let failed = |error| DirectoryError::new(&path, "creating", error);
        if len == 0 || !len.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        let file = syscall::open_at(&self.dir, name, CREATE, 0o600).map_err(failed)?;
        let filled = self.fill(&file, &path, len, fill).and_then(|()| self.wrap(file, name, Some(way)));
        filled.map_err(|first| match self.remove_file(name) {
            Ok(()) => first,
            Err(second) => {
                let kind = io::Error::from(second).kind();
                tracing::error!(path = %path.display(), ?kind, "a file only begun could not be removed");
                first
            }
        })
    }

    /// Checks what was opened and turns on direct I/O where the directory has it, or, read-only, where it can be had:
    /// an empty directory could not be tried.
    fn prepare(&self, file: &File, path: &Path) -> Result<(), DirectoryError> {
        let facts = syscall::facts(file);
        if !facts.map_err(|error| DirectoryError::new(path, "looking at it", error))?.regular {
            return Err(DirectoryError::Foreign { path: path.to_path_buf(), what: "not a regular file" });
        }
        let read_only = self.medium.way.is_none();
        self.set_direct(file, self.medium.direct || read_only).map(drop)
    }

    /// Waits for the lock of an open file; `false` if it has lost its name meanwhile.
    fn lock(&self, file: &File, path: &Path, began: Instant) -> Result<bool, DirectoryError> {
        let failed = |error| DirectoryError::new(path, "locking", error);
        if !lock::wait(file, began, self.lock_wait_max).map_err(failed)? {
            let waited_ms = u64::try_from(self.lock_wait_max.as_millis()).unwrap_or(u64::MAX);
            return Err(DirectoryError::Held { path: path.to_path_buf(), waited_ms });
        }
        Ok(syscall::facts(file).map_err(failed)?.links > 0)
    }

    fn wrap(&self, file: File, name: FileName, way: Option<DurableWay>) -> Opened {
        let path = self.path_of(name);
        let len = match syscall::facts(&file) {
            Ok(facts) => facts.len,
            Err(error) => return Err(DirectoryError::new(&path, "looking at it", error)),
        };
        Ok(Arc::new(DirectoryFile { file, name, path, len, way, rings: self.rings.clone() }))
    }

    /// Locks a new file and finds room for `len` bytes.
    fn fill(&self, file: &File, path: &Path, len: u64, fill: Fill) -> Result<(), DirectoryError> {
        let failed = |error| DirectoryError::new(path, "filling with zeros", error);
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        self.prepare(file, path)?;
        if !self.lock(file, path, Instant::now())? {
            return Err(DirectoryError::Missing { path: path.to_path_buf() });
        }
        syscall::reserve(file, len).map_err(failed)?;
        match fill {
            Fill::Nothing => file.set_len(len),
            Fill::Zeros { pauses } => write_zeros(file, len, pauses),
        }
        .map_err(failed)?;
        file.sync_data().and_then(|()| self.dir.sync_all()).map_err(failed)
    }
}

fn write_zeros(file: &File, len: u64, pauses: u32) -> io::Result<()> {
    let zeros = Block::zeroed(ZEROS_BYTES.min(len) as usize);
    let mut at = 0;
    while at < len {
        let piece = ZEROS_BYTES.min(len - at);
        let began = Instant::now();
        write_plain(file.as_fd(), at, &zeros[..piece as usize])?;
        if pauses > 0 {
            std::thread::sleep(began.elapsed() * pauses);
        }
        at += piece;
    }
    Ok(())
}
