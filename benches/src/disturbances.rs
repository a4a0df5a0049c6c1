//! What kept the calling thread from running: page faults, waits in the kernel, other threads on its CPU.

use std::fmt;
use std::fs;

/// Counted by the kernel since the thread began.
#[derive(Debug, Clone, Copy)]
pub struct Disturbances {
    faults: u64,
    waits: u64,
    preemptions: u64,
}

impl Disturbances {
    /// From `/proc/thread-self`.
    ///
    /// # Errors
    /// A sentence, if a field is missing.
    pub fn now() -> Result<Disturbances, String> {
        let read = |name: &str| {
            fs::read_to_string(format!("/proc/thread-self/{name}")).map_err(|error| error.to_string())
        };
        let (status, stat) = (read("status")?, read("stat")?);
        let switches = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok())
                .ok_or_else(|| format!("no {name} in /proc/thread-self/status"))
        };
        // Fields 10 and 12, minor and major faults; the name, field 2, may hold spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let field =
            |n: usize| fields.split_whitespace().nth(n - 3).and_then(|field| field.parse::<u64>().ok());
        let faults = field(10)
            .zip(field(12))
            .map(|(minor, major)| minor + major)
            .ok_or("no faults in /proc/thread-self/stat")?;
        let (waits, preemptions) =
            (switches("voluntary_ctxt_switches:")?, switches("nonvoluntary_ctxt_switches:")?);
        Ok(Disturbances { faults, waits, preemptions })
    }

    /// How many more there are now.
    ///
    /// # Errors
    /// As for [`now`](Disturbances::now).
    pub fn since(self) -> Result<Disturbances, String> {
        let now = Disturbances::now()?;
        Ok(Disturbances {
            faults: now.faults - self.faults,
            waits: now.waits - self.waits,
            preemptions: now.preemptions - self.preemptions,
        })
    }
}

impl fmt::Display for Disturbances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disturbances { faults, waits, preemptions } = self;
        write!(f, "{faults} page faults, {waits} waits in the kernel, {preemptions} preemptions")
    }
}
