//! What lies below a directory: file system, device, write cache.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DurableWay;
use super::syscall::Facts;

/// A device's write cache, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteCache {
    /// A completed write is lost with power until it is flushed, or was forced.
    Volatile {
        /// The drive can force a single write (FUA); else each is followed by a flush.
        fua: bool,
    },
    /// A completed write is durable.
    None,
    /// Not told.
    Unknown,
}

/// Medians of one durable write of 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// With processors free.
    pub idle: Duration,
    /// With every processor busy; not measured on a disk so slow that it makes no difference.
    pub busy: Option<Duration>,
}

impl Calibration {
    /// The larger of both.
    pub(super) fn worse(&self) -> Duration {
        self.idle.max(self.busy.unwrap_or_default())
    }
}

/// What a directory was found to be when it was opened. Its `Display` is one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryMedium {
    /// Where it is.
    pub path: PathBuf,
    /// Name of the file system, as in /proc/self/mountinfo.
    pub fs: String,
    /// The block device below, or what was mounted.
    pub device: Option<String>,
    /// How a durable write is made; none if opened read-only.
    pub way: Option<DurableWay>,
    /// What that costs, if it was measured.
    pub calibration: Option<Calibration>,
    /// The device's write cache.
    pub write_cache: WriteCache,
    /// Files are read and written past the page cache.
    pub direct: bool,
    /// A block device lies below that is not memory: a durable write survives power loss.
    pub block_backed: bool,
    /// Why runs go by plain writes; none if they go by io_uring.
    pub uring_refused: Option<String>,
}

impl DirectoryMedium {
    /// What lies below the open directory with these facts, going by `proc` and `sys` (`/proc`, `/sys`).
    pub(super) fn probe(path: &Path, facts: &Facts, proc: &Path, sys: &Path) -> DirectoryMedium {
        let mounts = fs::read(proc.join("self/mountinfo")).unwrap_or_default();
        let mounts = String::from_utf8_lossy(&mounts);
        let (fs, source) = mount_of(&mounts, facts).unwrap_or_default();
        let number = match facts.device {
            (0, _) => block_number(source), // anonymous, as btrfs has it
            number => Some(number),
        };
        let queue = number.and_then(|number| Disk::find(sys, number));
        DirectoryMedium {
            path: path.to_path_buf(),
            fs: if fs.is_empty() { "unknown file system" } else { fs }.to_owned(),
            device: match &queue {
                Some(disk) => Some(format!("/dev/{}", disk.name)),
                None => (!source.is_empty()).then(|| source.to_owned()),
            },
            way: None,
            calibration: None,
            write_cache: queue.as_ref().map_or(WriteCache::Unknown, |disk| disk.write_cache),
            direct: false,
            block_backed: queue.is_some_and(|disk| !disk.is_memory()),
            uring_refused: None,
        }
    }

    fn is_memory(&self) -> bool {
        matches!(self.fs.as_str(), "tmpfs" | "ramfs" | "hugetlbfs" | "devtmpfs")
            || self.device.as_deref().is_some_and(|name| is_memory_name(name.trim_start_matches("/dev/")))
    }
}

/// File system and source of the mount that the facts are of.
fn mount_of<'a>(mounts: &'a str, facts: &Facts) -> Option<(&'a str, &'a str)> {
    let device = format!("{}:{}", facts.device.0, facts.device.1);
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let (id, number) = (left.next()?, left.nth(1)?);
        let ours = match facts.mount {
            Some(mount) => id.parse() == Ok(mount),
            None => number == device,
        };
        let mut right = right.split(' ');
        ours.then_some((right.next()?, right.next()?))
    })
}

fn block_number(source: &str) -> Option<(u32, u32)> {
    let node = fs::metadata(source).ok().filter(|node| node.file_type().is_block_device())?;
    Some((libc::major(node.rdev()), libc::minor(node.rdev())))
}

/// A block device as sysfs shows it.
struct Disk {
    name: String,
    write_cache: WriteCache,
}

impl Disk {
    fn find(sys: &Path, (major, minor): (u32, u32)) -> Option<Disk> {
        let dir = sys.join(format!("dev/block/{major}:{minor}"));
        let name = fs::canonicalize(&dir).ok()?.file_name()?.to_str()?.to_owned();
        let told = |what| {
            ["queue", "../queue"] // a partition has its disk's queue
                .iter()
                .find_map(|queue| fs::read_to_string(dir.join(queue).join(what)).ok())
        };
        let write_cache = match told("write_cache").as_deref().map(str::trim) {
            Some("write back") => {
                WriteCache::Volatile { fua: told("fua").is_some_and(|fua| fua.trim() == "1") }
            }
            Some("write through") => WriteCache::None,
            _ => WriteCache::Unknown,
        };
        Some(Disk { name, write_cache })
    }

    fn is_memory(&self) -> bool {
        is_memory_name(&self.name)
    }
}

fn is_memory_name(name: &str) -> bool {
    let number = name.strip_prefix("zram").or_else(|| name.strip_prefix("ram"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

impl fmt::Display for DirectoryMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only what lies on a device is called safe from a power loss.
        let promise = if self.block_backed { "Power" } else { "writes" };
        match self.way {
            Some(way) => write!(f, "{promise} by {way}")?,
            None => f.write_str("read only")?,
        }
        let device = self.device.as_deref().unwrap_or("unknown device");
        let buffers = if self.direct { "O_DIRECT" } else { "page cache (no O_DIRECT)" };
        write!(f, ", {buffers}, on {device} ({}) at {}, ", self.fs, self.path.display())?;
        f.write_str(match (self.block_backed, self.is_memory(), self.write_cache) {
            (false, true, _) => "memory: survives nothing but the process",
            (false, false, _) => "no block device below: what it survives is not known",
            (true, _, WriteCache::Volatile { fua: true }) => "volatile write cache with FUA",
            (true, _, WriteCache::Volatile { fua: false }) => "volatile write cache without FUA",
            (true, _, WriteCache::None) => "no volatile write cache",
            (true, _, WriteCache::Unknown) => "write cache unknown",
        })?;
        match (self.way, self.calibration) {
            (Some(_), Some(Calibration { idle, busy: Some(busy) })) => {
                write!(f, ", calibrated idle {} us, busy {} us", idle.as_micros(), busy.as_micros())?;
            }
            (Some(_), Some(Calibration { idle, busy: None })) => {
                write!(f, ", calibrated idle {} us", idle.as_micros())?;
            }
            (Some(_), None) => f.write_str(", not calibrated")?,
            (None, _) => {}
        }
        match (self.way, &self.uring_refused) {
            (None, _) => Ok(()),
            (_, None) => f.write_str(", runs by io_uring"),
            (_, Some(why)) => write!(f, ", runs by pwrite (io_uring: {why})"),
        }
    }
}
