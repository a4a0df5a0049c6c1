//! Why a file could not be mapped.

use std::io;
use std::path::Path;

/// Why a tail or a page could not be created or opened, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Another open, in this process or another, has the file.
    #[error("{path}: held by a process, or its forked child, for {waited_ms} ms: end it, or wait longer")]
    Held {
        /// The file.
        path: String,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// Nothing there.
    #[error("{path}: no such file: create it, or mount what it lies on")]
    Missing {
        /// The file.
        path: String,
    },
    /// Creation met something under that name.
    #[error("{path}: exists already: open it, or remove it")]
    Exists {
        /// The file.
        path: String,
    },
    /// The operating system refuses this user.
    #[error("{path}: {source}: run as the file's owner, or change its mode")]
    Denied {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// No room: on the file system, in memory, or among the mappings that are guarded.
    #[error("{path}: {source}: free some room, or ask for less")]
    Full {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// What lies there is not, or cannot be, what was asked for.
    #[error("{path}: {why}: name another file, or mend this one")]
    Foreign {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The medium or the flush asked for by name cannot be had here.
    #[error("{path}: {why}: ask for another medium or flush")]
    Unfit {
        /// The file.
        path: String,
        /// Why it cannot be had.
        why: String,
    },
    /// Anything else that the operating system said.
    #[error("{path}: cannot {doing}: {source}: look at the device and its file system")]
    Io {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl MapError {
    /// Sorts the system's answer.
    pub(crate) fn new(path: &Path, doing: &'static str, source: io::Error) -> MapError {
        let errno = source.raw_os_error().unwrap_or(0);
        let path = path.display().to_string();
        match errno {
            libc::ENOENT => MapError::Missing { path },
            libc::EEXIST => MapError::Exists { path },
            libc::EACCES | libc::EPERM | libc::EROFS => MapError::Denied { path, source },
            libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::ENOMEM | libc::EMFILE | libc::ENFILE => {
                MapError::Full { path, source }
            }
            libc::ELOOP => MapError::Foreign { path, why: "a symbolic link" },
            libc::EISDIR => MapError::Foreign { path, why: "a directory" },
            libc::ENXIO => MapError::Foreign { path, why: "not a regular file" },
            _ => MapError::Io { path, doing, source },
        }
    }

    pub(crate) fn foreign(path: &Path, why: &'static str) -> MapError {
        MapError::Foreign { path: path.display().to_string(), why }
    }

    pub(crate) fn unfit(path: &Path, why: impl Into<String>) -> MapError {
        MapError::Unfit { path: path.display().to_string(), why: why.into() }
    }
}
