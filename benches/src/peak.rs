//! Memory of this process, as the kernel counts it.

use std::fs;

/// KiB of resident memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// The most there ever was, mapped files included.
    pub peak_kib: u64,
    /// Now, what the process allocated itself.
    pub own_kib: u64,
    /// Now, pages of mapped files and shared memory.
    pub mapped_kib: u64,
}

impl Memory {
    /// From `/proc/self/status`.
    ///
    /// # Errors
    /// A sentence, if a line is missing.
    pub fn now() -> Result<Memory, String> {
        let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| {
                rest.trim_start_matches(':').trim().strip_suffix(" kB")?.parse::<u64>().ok()
            });
            number.ok_or_else(|| format!("no {name} in /proc/self/status"))
        };
        Ok(Memory {
            peak_kib: kib("VmHWM")?,
            own_kib: kib("RssAnon")?,
            mapped_kib: kib("RssFile")? + kib("RssShmem")?,
        })
    }
}
