//! Where the kernel tells of itself. Tests have roots of their own.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The places where sysfs and procfs are mounted.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    pub(super) sys: PathBuf,
    pub(super) proc: PathBuf,
}

/// A line of /proc/self/mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: PathBuf,
    pub(super) fs: String,
    pub(super) source: String,
    /// Of the mount and of the file system.
    pub(super) options: Vec<String>,
    number: String,
}

impl Mount {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option)
    }

    /// A file system without a device here that tells what a write survives.
    pub(super) fn lies(&self) -> Option<&'static str> {
        Some(match self.fs.as_str() {
            "tmpfs" | "ramfs" | "hugetlbfs" | "devtmpfs" => "memory: gone with power",
            "overlay" | "aufs" => "a container's layers: gone with the container",
            "9p" | "virtiofs" => "the host's files: a flush is the host's word",
            "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "lustre" | "afs" => {
                "a network: a flush is the server's word"
            }
            fs if fs.starts_with("fuse") => "a program of some user: a flush is its word",
            _ => return None,
        })
    }
}

impl Roots {
    pub(super) fn machine() -> Self {
        Roots { sys: "/sys".into(), proc: "/proc".into() }
    }

    /// A file below /sys, trimmed.
    pub(super) fn sys(&self, path: impl AsRef<Path>) -> Option<String> {
        text(&self.sys.join(path))
    }

    /// A file below /proc, trimmed.
    pub(super) fn proc(&self, path: impl AsRef<Path>) -> Option<String> {
        text(&self.proc.join(path))
    }

    /// The mount that a path lies on: of the innermost mount points around it, the one mounted last.
    pub(super) fn mount_of(&self, path: &Path) -> Option<Mount> {
        let path = existing(path)?;
        let mounts = self.proc("self/mountinfo")?;
        let around = mounts.lines().filter_map(parse_mount).filter(|mount| path.starts_with(&mount.point));
        around.max_by_key(|mount| mount.point.components().count())
    }

    /// What sysfs has of the block device below a mount: the directory of the disk itself, for a partition too.
    pub(super) fn device_of(&self, mount: &Mount) -> Option<PathBuf> {
        let own = match mount.number.starts_with("0:") {
            // Anonymous, as btrfs has it: what was mounted is a device node.
            true => {
                let node =
                    fs::metadata(&mount.source).ok().filter(|node| node.file_type().is_block_device())?;
                let number = node.rdev();
                format!("{}:{}", major(number), minor(number))
            }
            false => mount.number.clone(),
        };
        fs::canonicalize(self.sys.join("dev/block").join(own)).ok()
    }

    /// What sysfs has of a character device.
    pub(super) fn character(&self, path: &Path) -> Option<PathBuf> {
        let node = fs::metadata(path).ok().filter(|node| node.file_type().is_char_device())?;
        let number = format!("{}:{}", major(node.rdev()), minor(node.rdev()));
        fs::canonicalize(self.sys.join("dev/char").join(number)).ok()
    }
}

/// A directory of sysfs, or that of the whole disk for a partition, that has `name`.
pub(super) fn attribute(device: &Path, name: &str) -> Option<String> {
    text(&device.join(name)).or_else(|| text(&device.parent()?.join(name)))
}

/// The nearest of a path and its parents that is there, without links.
pub(super) fn existing(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|part| fs::canonicalize(part).ok())
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let (left, right): (Vec<&str>, Vec<&str>) = (left.split(' ').collect(), right.split(' ').collect());
    let options = left.get(5)?.split(',').chain(right.get(2)?.split(','));
    Some(Mount {
        // Spaces are written as octal numbers.
        point: left.get(4)?.replace("\\040", " ").into(),
        fs: right.first()?.to_string(),
        source: right.get(1)?.to_string(),
        options: options.map(String::from).collect(),
        number: left.get(2)?.to_string(),
    })
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_string())
}

/// Of a device number as the kernel gives it to programs.
fn major(number: u64) -> u64 {
    (number >> 8) & 0xfff | (number >> 32) & !0xfff
}

fn minor(number: u64) -> u64 {
    number & 0xff | (number >> 12) & !0xff & 0xffff_ffff
}
