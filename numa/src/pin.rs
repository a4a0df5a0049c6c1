//! Pinning the calling thread.

use std::io;

use crate::Cpu;
use crate::affinity;

/// core_affinity shifts into a mask of this many bits and aborts beyond it.
const CORE_AFFINITY_CPUS: u32 = 1024;

/// Why a thread was not pinned. It runs on where it did before.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// No CPU was named, as for a node of memory alone: leave the thread unpinned, or take another node's
    /// CPUs.
    #[error("no CPU to pin to: the node has none that this process may use")]
    NoCpu,
    /// The process may not use this CPU: take CPUs from `Topology::detect`, or widen the cpuset or taskset.
    #[error("{0} is not among the CPUs this process started with; widen its cpuset or choose another")]
    NotAllowed(Cpu),
    /// The CPUs of the process could not be read, so none can be checked.
    #[error(
        "the CPUs of this process are not known (sched_getaffinity: {0}); allow the call or run unpinned"
    )]
    Unknown(#[source] io::Error),
    /// The kernel refused: the CPUs went offline or left the cpuset since the start, or a filter forbids the
    /// call.
    #[error("sched_setaffinity refused: {0}; the cpuset changed or the call is filtered")]
    Refused(#[source] io::Error),
}

/// Pins the calling thread, and the threads it starts from then on, to any of `cpus`. Order and repeats do
/// not matter. One system call.
///
/// # Errors
/// [`PinError`]; each CPU is checked before any is asked for, so the thread is then as it was.
pub fn pin_to(cpus: &[Cpu]) -> Result<(), PinError> {
    let allowed = affinity::allowed().map_err(PinError::Unknown)?;
    if let Some(cpu) = cpus.iter().find(|cpu| allowed.binary_search(cpu).is_err()) {
        return Err(PinError::NotAllowed(*cpu));
    }
    match cpus {
        [] => Err(PinError::NoCpu),
        [one] if one.0 < CORE_AFFINITY_CPUS => pin_to_one(*one),
        several => affinity::restrict_thread(several).map_err(PinError::Refused),
    }
}

fn pin_to_one(cpu: Cpu) -> Result<(), PinError> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu.0 as usize }) {
        return Ok(());
    }
    // Its answer is a bool, given right after the call: errno is still the call's.
    Err(PinError::Refused(io::Error::last_os_error()))
}

#[cfg(test)]
mod tests;
