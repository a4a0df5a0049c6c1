//! What a tail at some path would be, without making one.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::medium::Facts;
use super::{ALIGN, MapError, MediumAsk, TailMedium, domain, file};

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What the path, left to itself, is taken for; why not, where it cannot be had.
    pub medium: Result<TailMedium, &'static str>,
    /// The file system gives direct access (`STATX_ATTR_DAX`), or there is none.
    pub dax: bool,
    /// `MAP_SYNC` is taken.
    pub map_sync: bool,
    /// The regions below name a persistence domain.
    pub domain: bool,
}

/// Probes a tail's file, the directory that it will lie in (by a file without a name), or a device-DAX region. Nothing is
/// left behind.
///
/// # Errors
/// [`MapError`] where it cannot be opened for writing, or the file system takes no file without a name.
pub fn probe(path: &Path) -> Result<Probed, MapError> {
    let file = open(path)?;
    let io = |e| MapError::new(path, "probe", e);
    // MAP_SYNC is tried on the first page.
    if file.metadata().map_err(io)?.is_file() && file.metadata().map_err(io)?.len() == 0 {
        file.set_len(ALIGN).map_err(io)?;
    }
    let facts = Facts::probe(&file, Path::new(file::SYS)).map_err(io)?;
    let Facts { map_sync, dax, domain, .. } = facts;
    Ok(Probed { medium: facts.medium(MediumAsk::Auto), dax, map_sync, domain: domain.is_some() })
}

/// Whether the regions under a block device or device-DAX region, by its directory in sysfs mounted at `sys`, name a
/// persistence domain; with it whether caches are inside (eADR).
pub fn persistence_domain(sys: &Path, device: &Path) -> Option<bool> {
    domain::of_device(sys, device).map(|found| found == domain::Domain::Caches)
}

fn open(path: &Path) -> Result<File, MapError> {
    let status = std::fs::metadata(path).map_err(|e| MapError::new(path, "stat", e))?;
    let flags = if status.is_dir() { libc::O_TMPFILE } else { libc::O_NOFOLLOW | libc::O_NONBLOCK };
    if !status.is_dir() && !status.is_file() && !status.file_type().is_char_device() {
        return Err(MapError::foreign(path, "no place for a tail"));
    }
    let opened = OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags).open(path);
    opened.map_err(|e| MapError::new(path, "open", e))
}
