//! The node of the device that a path lies on.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::{Node, attribute, idlist};

/// The node next to the block device under `path` (a file, a directory, a block device or a
/// device-DAX region), or under its
/// nearest parent that exists. `None` where no such thing is known: one node only, file systems without a
/// device of their own (tmpfs, btrfs, overlayfs), stacked devices (device-mapper, md, loop, multipath NVMe).
/// A few reads in sysfs.
pub fn node_of_path(path: &Path) -> Option<Node> {
    node_of_path_in(path, Path::new("/sys"))
}

/// The same, where sysfs is mounted at `sys`.
pub fn node_of_path_in(path: &Path, sys: &Path) -> Option<Node> {
    let device = sys.join(device_under(path)?);
    // The link leads into sys/devices, where each directory is a part of the one above it.
    let (device, sys) = (canonical(&device)?, canonical(sys)?);
    device
        .ancestors()
        .take_while(|part| **part != sys)
        .find_map(|part| node_in(&part.join("numa_node")).or_else(|| node_in(&part.join("device/numa_node"))))
}

/// The nearest device, below sysfs.
fn device_under(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).inspect_err(|error| skipped(path, error)).ok()?;
    for place in path.ancestors() {
        match std::fs::metadata(place) {
            Ok(found) => {
                let kind = found.file_type();
                let (class, device) = match (kind.is_block_device(), kind.is_char_device()) {
                    (true, _) => ("block", found.rdev()),
                    (_, true) => ("char", found.rdev()),
                    _ => ("block", found.dev()),
                };
                return Some(format!("dev/{class}/{}:{}", libc::major(device), libc::minor(device)));
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                skipped(place, &error);
                return None;
            }
        }
    }
    None
}

fn canonical(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(path) => Some(path),
        Err(error) => {
            skipped(path, &error);
            None
        }
    }
}

/// The kernel writes -1 where it does not know.
fn node_in(attribute: &Path) -> Option<Node> {
    let text = attribute::read(attribute).inspect_err(|error| skipped(attribute, error)).ok()??;
    text.parse().ok().filter(|id| *id <= idlist::ID_MAX).map(Node)
}

fn skipped(path: &Path, error: &std::io::Error) {
    tracing::debug!(path = %path.display(), %error, "no NUMA node from here");
}

#[cfg(test)]
mod tests;
