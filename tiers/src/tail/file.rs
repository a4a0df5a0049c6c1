//! The file under a mapping: opened without following links, locked, filled, made durable.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::region::{self, Region};
use super::{ALIGN, MapError};

/// Where the kernel tells of devices.
pub(super) const SYS: &str = "/sys";

/// Opens an existing regular file; never waits on a pipe, never follows a link.
pub(crate) fn open(path: &Path, write: bool) -> Result<File, MapError> {
    let (file, status) = open_any(path, write)?;
    if !status.is_file() {
        return Err(MapError::foreign(path, "not a regular file"));
    }
    Ok(file)
}

/// Opens what a tail can lie on: a regular file, or a device-DAX region.
pub(super) fn open_tail(path: &Path, write: bool) -> Result<(File, Option<Region>), MapError> {
    let (file, status) = open_any(path, write)?;
    let region = region::under(Path::new(SYS), path, &status)?;
    if region.is_none() && !status.is_file() {
        return Err(MapError::foreign(path, "neither a regular file nor a device-DAX region"));
    }
    Ok((file, region))
}

fn open_any(path: &Path, write: bool) -> Result<(File, Metadata), MapError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = opened.map_err(|e| MapError::new(path, "open", e))?;
    let status = file.metadata().map_err(|e| MapError::new(path, "stat", e))?;
    Ok((file, status))
}

/// Creates a file of mode 0600 whatever the umask.
pub(crate) fn create(path: &Path) -> Result<File, MapError> {
    let created = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path);
    let file = created.map_err(|e| MapError::new(path, "create", e))?;
    make_private(&file, path)?;
    Ok(file)
}

/// Sets mode 0600.
pub(crate) fn make_private(file: &File, path: &Path) -> Result<(), MapError> {
    file.set_permissions(Permissions::from_mode(0o600)).map_err(|e| MapError::new(path, "set the mode of", e))
}

/// Takes the write lock of the open file description: it excludes any other open, in this process too, and goes with
/// the last descriptor, mapping or request in flight on this one; a child being started has one until its exec.
pub(super) fn lock(file: &File, path: &Path, wait_ms_max: u64) -> Result<(), MapError> {
    const PAUSE: Duration = Duration::from_millis(5);
    let started = Instant::now();
    loop {
        match try_lock(file) {
            Ok(()) => return Ok(()),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {}
            Err(e) => return Err(MapError::new(path, "lock", e)),
        }
        let left = Duration::from_millis(wait_ms_max).saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(MapError::Held { path: path.display().to_string(), waited_ms: wait_ms_max });
        }
        sleep(left.min(PAUSE));
    }
}

fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: all zeros is a valid flock: from the start, to the end, pid 0 as OFD locks want it.
    let mut whole: libc::flock = unsafe { std::mem::zeroed() };
    whole.l_type = libc::F_WRLCK as libc::c_short;
    whole.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: an open descriptor and a local.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &whole) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Allocates `len` bytes and writes zeros over them: extents that are only allocated cost a journal entry at their
/// first write.
pub(super) fn fill(file: &File, path: &Path, len: u64) -> Result<(), MapError> {
    allocate(file, len).map_err(|e| MapError::new(path, "allocate", e))?;
    zero(file, len).map_err(|e| MapError::new(path, "write zeros to", e))
}

/// Writes `len` zeros from the start.
pub(crate) fn zero(file: &File, len: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 20)];
    let mut at = 0;
    while at < len {
        let piece = zeros.len().min(usize::try_from(len - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}

/// Asks for extents as large as there are; file systems without `fallocate` allocate as zeros are written.
fn allocate(file: &File, len: u64) -> io::Result<()> {
    let len = libc::off_t::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    loop {
        // SAFETY: an open descriptor and two numbers.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, len) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => {}
            e if e.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(()),
            e => return Err(e),
        }
    }
}

/// A file that is being made, under a name of its own.
pub(super) struct Unmade(PathBuf);

impl Unmade {
    /// Begins; what an earlier attempt left behind goes. Who makes a tail holds its log's lock.
    pub(super) fn create(path: &Path) -> Result<(Unmade, File), MapError> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(MapError::Exists { path: path.display().to_string() });
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".unmade");
        let name = PathBuf::from(name);
        match fs::remove_file(&name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(MapError::new(&name, "remove", e)),
            _ => {}
        }
        let file = create(&name)?;
        Ok((Unmade(name), file))
    }

    /// Gives it its name, durably.
    pub(super) fn name(&self, path: &Path) -> Result<(), MapError> {
        fs::rename(&self.0, path).map_err(|e| MapError::new(path, "name", e))?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = File::open(parent).map_err(|e| MapError::new(parent, "open", e))?;
        directory.sync_all().map_err(|e| MapError::new(parent, "sync", e))
    }

    /// Removes what could not be made; the failure is what the caller hears of.
    pub(super) fn abandon(self) {
        match fs::remove_file(&self.0) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.0.display(), error = %e, "a file whose creation failed stays behind");
            }
            _ => {}
        }
    }
}

/// The length of a file or region, if it can be a tail's.
pub(super) fn length(file: &File, region: Option<Region>, path: &Path) -> Result<usize, MapError> {
    let status = file.metadata().map_err(|e| MapError::new(path, "stat", e))?;
    usable(path, region.map_or(status.len(), |region| region.len))
}

/// What a mapping is aligned to, and how much of it a fault takes.
pub(super) fn units(region: Option<Region>) -> (usize, usize) {
    let unit = region.map_or(1, |region| region.unit as usize);
    (unit.max(ALIGN as usize), unit)
}

/// The length in this machine's terms, if it can be a tail's.
pub(super) fn usable(path: &Path, len: u64) -> Result<usize, MapError> {
    if len == 0 || !len.is_multiple_of(ALIGN) {
        return Err(MapError::foreign(path, "a tail's length is a multiple of 2 MiB, and not 0"));
    }
    usize::try_from(len).map_err(|_| MapError::foreign(path, "longer than this machine's addresses"))
}
