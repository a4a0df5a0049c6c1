//! What the kernel says of this process.

use std::fs;
use std::io;

/// Bytes of memory that is this process's alone.
///
/// # Errors
/// As the system says; `InvalidData` for a kernel that does not tell.
pub fn memory_bytes() -> io::Result<u64> {
    let kib = labelled("/proc/self/status", "RssAnon:")?;
    Ok(kib * 1024)
}

/// Bytes that this process had written to block devices.
///
/// # Errors
/// As for [`memory_bytes`].
pub fn written_bytes() -> io::Result<u64> {
    labelled("/proc/self/io", "write_bytes:")
}

/// Nanoseconds on a processor of this process's threads, by the first of `names` that a thread's name begins with.
///
/// # Errors
/// As for [`memory_bytes`].
pub fn threads_ns<const N: usize>(names: [&str; N]) -> io::Result<[u64; N]> {
    let mut sums = [0; N];
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        // A thread may end at any time.
        let Ok(comm) = fs::read_to_string(task.join("comm")) else { continue };
        let Some(which) = names.iter().position(|name| comm.starts_with(name)) else { continue };
        let Ok(times) = fs::read_to_string(task.join("schedstat")) else { continue };
        sums[which] +=
            times.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(sums)
}

/// The number behind a label.
fn labelled(path: &str, label: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let number =
        text.lines().find_map(|line| line.strip_prefix(label)?.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{path}: no {label}")))
}
