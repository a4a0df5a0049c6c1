//! What went wrong with a directory, told apart by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a directory, or a file in it, did not do what was asked. Names the path and says what to do.
///
/// The methods of [`Nvme`](super::Nvme) and its files return it inside an [`io::Error`] of a matching kind.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is not there (`NotFound`).
    #[error("{}: not there: correct the path, or create it", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// This user, mount or open may not (`PermissionDenied`).
    #[error("{}: {doing} is not allowed: check owner, mode and mount ({source})", path.display())]
    Denied {
        /// What was refused.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// As the system says.
        source: io::Error,
    },
    /// Something else stands there (`InvalidData`).
    #[error("{}: {what}: move it away, or use another directory", path.display())]
    Foreign {
        /// What does not belong.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is open for writing elsewhere (`WouldBlock`).
    #[error("{}: held by a process or its forked child (waited {waited_ms} ms): stop it, or wait longer", path.display())]
    Held {
        /// The locked file.
        path: PathBuf,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// No space or quota is left (`StorageFull`).
    #[error("{}: {doing} needs more space: free some ({source})", path.display())]
    Full {
        /// What did not fit.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// As the system says.
        source: io::Error,
    },
    /// Anything else (the kind of `source`): after an I/O error, check the device before using the file again.
    #[error("{}: {doing} failed: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// As the system says.
        source: io::Error,
    },
}

impl DirectoryError {
    /// Sorts what the system said while `doing` something at `path`.
    pub(crate) fn new(path: &Path, doing: &'static str, source: io::Error) -> DirectoryError {
        let path = path.to_path_buf();
        match source.raw_os_error() {
            Some(libc::ENOENT) => DirectoryError::Missing { path },
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => DirectoryError::Denied { path, doing, source },
            Some(libc::ELOOP) => DirectoryError::Foreign { path, what: "a symbolic link" },
            Some(libc::ENOTDIR) => DirectoryError::Foreign { path, what: "not a directory" },
            Some(libc::EISDIR) => DirectoryError::Foreign { path, what: "a directory" },
            Some(libc::ENXIO) => DirectoryError::Foreign { path, what: "not a regular file" },
            Some(libc::ENOSPC | libc::EDQUOT) => DirectoryError::Full { path, doing, source },
            _ => DirectoryError::Io { path, doing, source },
        }
    }

    fn kind(&self) -> io::ErrorKind {
        match self {
            DirectoryError::Missing { .. } => io::ErrorKind::NotFound,
            DirectoryError::Denied { .. } => io::ErrorKind::PermissionDenied,
            DirectoryError::Foreign { .. } => io::ErrorKind::InvalidData,
            DirectoryError::Held { .. } => io::ErrorKind::WouldBlock,
            DirectoryError::Full { .. } => io::ErrorKind::StorageFull,
            DirectoryError::Io { source, .. } => source.kind(),
        }
    }
}

impl From<DirectoryError> for io::Error {
    fn from(error: DirectoryError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}
