//! Flushes that a disk was sent, by the kernel's count. It joins those that are wanted at the same moment: threads that
//! become durable together share one, and none of them leads.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Flushes so far of the disk below `dir`; none where the kernel does not count them (before 5.5, or no disk).
pub fn flushes(dir: &Path) -> Option<u64> {
    let number = fs::metadata(dir).ok()?.dev();
    let device = format!("/sys/dev/block/{}:{}", libc::major(number), libc::minor(number));
    let device = fs::canonicalize(device).ok()?;
    // A partition's are counted with its disk's.
    let disk = if device.join("partition").exists() { device.parent()? } else { &device };
    fs::read_to_string(disk.join("stat")).ok()?.split_whitespace().nth(15)?.parse().ok()
}
