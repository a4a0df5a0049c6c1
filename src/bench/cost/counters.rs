//! The processor's own counters, of this thread in user mode: perf_event_open(2).

use std::io;

use perf_event::events::Hardware;
use perf_event::{Builder, Counter, Group};

const COUNTED: [(&str, Hardware); 4] = [
    ("instructions", Hardware::INSTRUCTIONS),
    ("cycles", Hardware::CPU_CYCLES),
    ("cache_misses", Hardware::CACHE_MISSES),
    ("branch_misses", Hardware::BRANCH_MISSES),
];

/// Counters that run together.
pub struct Counters {
    group: Group,
    counters: Vec<(&'static str, Counter)>,
}

impl Counters {
    /// Counters of the calling thread, stopped.
    ///
    /// # Errors
    /// Where there are none: a hypervisor that passes none on (`NotFound`), a kernel that does not let this user count.
    pub fn open() -> io::Result<Counters> {
        let mut group = Group::new()?;
        let mut counters = Vec::new();
        for (name, event) in COUNTED {
            counters.push((name, Builder::new().group(&mut group).kind(event).build()?));
        }
        Ok(Counters { group, counters })
    }

    /// What `work` took, by name.
    ///
    /// # Errors
    /// As the system says; where the counters never ran, because others have them.
    pub fn count<T>(&mut self, work: impl FnOnce() -> T) -> io::Result<(T, Vec<(&'static str, u64)>)> {
        self.group.reset()?;
        self.group.enable()?;
        let done = work();
        self.group.disable()?;
        let counts = self.group.read()?;
        let counts: Vec<_> = self.counters.iter().map(|(name, counter)| (*name, counts[counter])).collect();
        match counts.iter().any(|(_, count)| *count > 0) {
            true => Ok((done, counts)),
            false => Err(io::Error::other("the processor's counters never ran: others use them")),
        }
    }
}
