//! Which processors measure, and which are left to the background.

use tierlog_numa::{Cpu, PinError, Topology, pin_to};

/// The processors of this process, those for what is measured first.
#[derive(Debug, Clone)]
pub struct Cpus(Vec<Cpu>);

impl Cpus {
    /// All that this process may use; the last one measures first, since the first serves most interrupts.
    pub fn detect() -> Cpus {
        let topology = Topology::detect();
        Cpus(topology.nodes().iter().flat_map(|node| node.cpus.iter().copied()).rev().collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Pins the calling thread to the `nth` measuring processor, round and round.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn take(&self, nth: usize) -> Result<(), PinError> {
        if self.0.is_empty() { Ok(()) } else { pin_to(&[self.0[nth % self.0.len()]]) }
    }

    /// Runs `work` on what `measuring` threads leave, or anywhere where they leave nothing: threads that it starts stay there.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn in_background<T>(&self, measuring: usize, work: impl FnOnce() -> T) -> Result<T, PinError> {
        let others = self.0.get(measuring..).filter(|others| !others.is_empty());
        pin_to(others.unwrap_or(&self.0))?;
        Ok(work())
    }

    /// Lets the calling thread run anywhere again.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn release(&self) -> Result<(), PinError> {
        if self.0.is_empty() { Ok(()) } else { pin_to(&self.0) }
    }
}
