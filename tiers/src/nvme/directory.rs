//! A directory of files.
//!
//! Owns the directory's descriptor; every file is opened relative to it, so that a rename of a parent changes nothing.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ledger::Ledger;
use super::listing::Listing;
use super::open::{Fill, PAUSES};
use super::plain::PlainQueue;
use super::ring::{Ring, Rings};
use super::uring::UringQueue;
use super::{DirectoryError, DirectoryMedium, DurableWay, FileName, Nvme, NvmeFile, RunQueue, syscall};

/// How to open a [`Directory`].
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    /// Make the directory (mode 0700) if it is missing; its parent must be there. Default `false`.
    pub create: bool,
    /// How long to wait for a file that is open for writing elsewhere, in milliseconds. Default 5,000.
    pub lock_wait_ms_max: u64,
    /// Make writes durable in this way instead of the one measured to be cheapest. Default none.
    pub durable_way: Option<DurableWay>,
    /// Use io_uring where the system allows it. Default `true`.
    pub uring: bool,
    /// Refuse everything that changes the directory; nothing is measured. Default `false`.
    pub read_only: bool,
}

impl Default for DirectoryOptions {
    fn default() -> DirectoryOptions {
        DirectoryOptions {
            create: false,
            lock_wait_ms_max: 5000,
            durable_way: None,
            uring: true,
            read_only: false,
        }
    }
}

/// An open directory of files.
///
/// Beside what [`Nvme`] promises: a file grows as its creation fills it, so one that a crash cut short is shorter than
/// was asked for. Whoever opens it later must check its length, and remove it or start it anew.
#[derive(Debug)]
pub struct Directory {
    pub(super) dir: File,
    pub(super) medium: DirectoryMedium,
    pub(super) lock_wait_max: Duration,
    pub(super) rings: Arc<Rings>,
}

impl Directory {
    /// Opens a directory and finds out what it is; unless read-only, measures how a write is best made durable, with
    /// a file that never gets a name. Takes about 10 ms on a fast disk, at most about 150 ms.
    ///
    /// # Errors
    /// [`DirectoryError`]. A full disk is none: the open then goes on without measuring.
    pub fn open(path: impl AsRef<Path>, options: &DirectoryOptions) -> Result<Directory, DirectoryError> {
        // Put together anew, it has no trailing slash, which would follow a symbolic link.
        let path: PathBuf = path.as_ref().components().collect();
        let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
        let failed = |doing, error| DirectoryError::new(&path, doing, error);
        let made = options.create && !options.read_only && make(&path).map_err(|e| failed("creating", e))?;
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let dir = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let dir = dir.map_err(|e| failed("opening", e))?;
        if made {
            dir.set_permissions(Permissions::from_mode(0o700)).map_err(|e| failed("setting the mode", e))?;
        }
        let facts = syscall::facts(&dir).map_err(|e| failed("looking at it", e))?;
        let mut medium = DirectoryMedium::probe(&path, &facts, Path::new("/proc"), Path::new("/sys"));
        medium.uring_refused = match options.uring {
            true => Ring::open(2).err().map(|error| error.to_string()),
            false => Some("switched off".to_owned()),
        };
        let lock_wait_max = Duration::from_millis(options.lock_wait_ms_max);
        let mut directory = Directory { dir, medium, lock_wait_max, rings: Arc::default() };
        directory.measure(options)?;
        Ok(directory)
    }

    /// What the directory was found to be.
    pub fn medium(&self) -> &DirectoryMedium {
        &self.medium
    }

    pub(super) fn path_of(&self, name: FileName) -> PathBuf {
        self.medium.path.join(name.to_string())
    }

    /// The way to write, or the refusal of a directory opened read-only to do so at `path`.
    pub(super) fn writable(&self, path: &Path, doing: &'static str) -> Result<DurableWay, DirectoryError> {
        let source = || io::Error::other("the directory was opened read-only");
        let refused = || DirectoryError::Denied { path: path.to_path_buf(), doing, source: source() };
        self.medium.way.ok_or_else(refused)
    }

    pub(super) fn remove_file(&self, name: FileName) -> Result<(), DirectoryError> {
        let path = self.path_of(name);
        self.writable(&path, "removing")?;
        let removed = syscall::unlink_at(&self.dir, name).and_then(|()| self.dir.sync_all());
        removed.map_err(|error| DirectoryError::new(&path, "removing", error))
    }

    fn names(&self) -> Result<Vec<FileName>, DirectoryError> {
        let failed = |error| DirectoryError::new(&self.medium.path, "listing", error);
        let mut names = Vec::new();
        for found in Listing::open(&self.dir).map_err(failed)? {
            let found = found.map_err(failed)?;
            let name = found.to_str().and_then(FileName::parse).ok_or_else(|| DirectoryError::Foreign {
                path: self.medium.path.join(&found),
                what: "does not belong here",
            })?;
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Makes a directory, its name durable; `false` if there is something of that name.
fn make(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    Ok(true)
}

impl Nvme for Directory {
    fn files(&self) -> io::Result<Vec<FileName>> {
        Ok(self.names()?)
    }

    fn create(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        Ok(self.create_file(name, len, Fill::Zeros { pauses: 0 })?)
    }

    fn create_beside(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        Ok(self.create_file(name, len, Fill::Zeros { pauses: PAUSES })?)
    }

    fn allocate(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        Ok(self.create_file(name, len, Fill::Nothing)?)
    }

    fn open(&self, name: FileName, write: bool) -> io::Result<Arc<dyn NvmeFile>> {
        Ok(self.open_file(name, write)?)
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        Ok(self.remove_file(name)?)
    }

    fn queue(&self) -> io::Result<Box<dyn RunQueue>> {
        let path = &self.medium.path;
        self.writable(path, "queueing writes")?;
        let plain = || Box::new(PlainQueue::new(Ledger::new(path.clone())));
        if self.medium.uring_refused.is_some() {
            return Ok(plain());
        }
        match UringQueue::open(path) {
            Ok(queue) => Ok(Box::new(queue)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "io_uring refused: plain writes instead");
                Ok(plain())
            }
        }
    }

    fn power_safe(&self) -> bool {
        self.medium.block_backed
    }

    fn describe(&self) -> String {
        self.medium.to_string()
    }

    fn fingerprint(&self) -> io::Result<u64> {
        let name = FileName::Superblock;
        let facts = syscall::facts_at(&self.dir, name)
            .map_err(|error| DirectoryError::new(&self.path_of(name), "looking at it", error))?;
        // Numbers of devices change from boot to boot: when the file was made tells as well where it was made.
        let device = (u64::from(facts.device.0) << 32) | u64::from(facts.device.1);
        let device = facts.born_ns.unwrap_or(device);
        // Any mixing will do: it is only ever compared. Never 0, which says that there is none.
        Ok((device.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ facts.inode).max(1))
    }
}
