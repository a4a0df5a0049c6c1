//! One CPU for what is measured, the others for the background.

use std::fs;

use tierlog_numa::{Cpu, pin_to};

/// The CPUs of this process, split.
#[derive(Debug, Clone)]
pub struct Cpus {
    measured: u32,
    others: Vec<u32>,
}

impl Cpus {
    /// Takes `wanted`, or the last CPU that this process may use, for what is measured.
    ///
    /// # Errors
    /// A sentence, if the CPUs are not known or `wanted` is not among them.
    pub fn split(wanted: Option<u32>) -> Result<Cpus, String> {
        let all = allowed()?;
        let measured = wanted.or(all.last().copied()).ok_or("no CPU")?;
        if !all.contains(&measured) {
            return Err(format!("CPU {measured} is not among {all:?}"));
        }
        let others: Vec<u32> = all.into_iter().filter(|cpu| *cpu != measured).collect();
        Ok(Cpus { measured, others })
    }

    /// Runs `work` where the background belongs: threads that it starts stay there.
    ///
    /// # Errors
    /// A sentence, if the thread cannot be pinned.
    pub fn in_background<T>(&self, work: impl FnOnce() -> T) -> Result<T, String> {
        pin(if self.others.is_empty() { std::slice::from_ref(&self.measured) } else { &self.others })?;
        Ok(work())
    }

    /// Pins the calling thread to the CPU for what is measured.
    ///
    /// # Errors
    /// A sentence, if it cannot be pinned.
    pub fn take(&self) -> Result<(), String> {
        pin(&[self.measured])
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!("measured on CPU {}, background on {:?}", self.measured, self.others)
    }
}

fn pin(cpus: &[u32]) -> Result<(), String> {
    let wanted: Vec<Cpu> = cpus.iter().copied().map(Cpu).collect();
    pin_to(&wanted).map_err(|error| error.to_string())?;
    let now = allowed()?;
    if now == cpus { Ok(()) } else { Err(format!("pinned to {cpus:?}, but the kernel says {now:?}")) }
}

/// CPUs of the calling thread, as the kernel tells them.
fn allowed() -> Result<Vec<u32>, String> {
    let status = fs::read_to_string("/proc/thread-self/status").map_err(|error| error.to_string())?;
    let list =
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).ok_or("no CPU list")?;
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text:?}: {error}"));
        cpus.extend(number(from)?..=number(to)?);
    }
    Ok(cpus)
}

/// What else the machine was doing: load averages, and CPU ticks stolen by other guests since it was up.
pub fn noise() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = stat.lines().next().and_then(|line| line.split_whitespace().nth(8)).unwrap_or("unknown");
    format!("load {}, stolen ticks so far {steal}", load.join(" "))
}
