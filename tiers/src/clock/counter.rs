//! What is counted between two looks at UTC: the processor's time stamp counter, or CLOCK_MONOTONIC.

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime};

use super::beside::beside;

/// A counter that rises steadily and alike on all CPUs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter {
    /// The time stamp counter.
    Tsc(Tsc),
    /// Nanoseconds of CLOCK_MONOTONIC since this instant.
    Monotonic(Instant),
}

/// The counter and UTC at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// The counter.
    pub(super) ticks: u64,
    /// CLOCK_MONOTONIC since the counter was chosen: it shares its rate with UTC, and is never stepped.
    pub(super) steady_ns: u64,
    /// UTC since 1970; 0 before.
    pub(super) utc_ns: u64,
}

impl Counter {
    /// The time stamp counter where the kernel keeps its own time by it and the processor says that it is invariant;
    /// otherwise CLOCK_MONOTONIC. `sysfs` is where sysfs is mounted.
    pub(super) fn detect(sysfs: &Path) -> Self {
        match Tsc::detect() {
            Some(tsc) if kernel_source(sysfs).is_some_and(|source| source == "tsc") => Self::Tsc(tsc),
            _ => Self::Monotonic(Instant::now()),
        }
    }

    /// The counter now, read after every earlier load of this thread.
    #[inline]
    pub(super) fn ticks(self) -> u64 {
        match self {
            Self::Tsc(tsc) => tsc.ticks(),
            Self::Monotonic(start) => nanoseconds(start.elapsed()),
        }
    }

    /// The counter and UTC at the same moment, to within what an undisturbed look at the clocks takes (100 ns).
    pub(super) fn sample(self, start: Instant) -> Sample {
        let look = || (nanoseconds(start.elapsed()), SystemTime::now());
        let (ticks, (steady_ns, utc)) = beside(|| self.ticks(), look);
        // A machine that believes itself before 1970 has no UTC yet: 0, and `Clock::trusted` will tell.
        let utc_ns = utc.duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds);
        Sample { ticks, steady_ns, utc_ns }
    }
}

/// Nanoseconds in 64 bits: enough until the year 2554.
fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The kernel's clocksource, or `None` where it cannot be read.
pub(super) fn kernel_source(sysfs: &Path) -> Option<String> {
    let path = sysfs.join("devices/system/clocksource/clocksource0/current_clocksource");
    fs::read_to_string(path).ok().map(|source| source.trim().to_owned())
}

/// Proof that the time stamp counter exists and is invariant: the same rate in every state of the processor.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Tsc(());

#[cfg(target_arch = "x86_64")]
impl Tsc {
    fn detect() -> Option<Self> {
        use std::arch::x86_64::__cpuid;
        const POWER: u32 = 0x8000_0007;
        let invariant = !cfg!(miri) && __cpuid(0x8000_0000).eax >= POWER && __cpuid(POWER).edx & 1 << 8 != 0;
        invariant.then_some(Self(()))
    }

    /// LFENCE first: RDTSC alone may run before earlier loads, and a thread that has read another's time would get a
    /// lower one (10 ns cheaper, and wrong).
    #[inline(always)]
    pub(super) fn ticks(self) -> u64 {
        let (low, high): (u64, u64);
        // SAFETY: every x86-64 has both instructions; they write RAX and RDX only. Memory is not declared untouched,
        // so the compiler moves no access across.
        unsafe {
            std::arch::asm!("lfence", "rdtsc", out("rax") low, out("rdx") high, options(nostack, preserves_flags));
        }
        high << 32 | low
    }
}

/// No such counter here: no value of this type exists.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Debug, Clone, Copy)]
pub(super) enum Tsc {}

#[cfg(not(target_arch = "x86_64"))]
impl Tsc {
    fn detect() -> Option<Self> {
        None
    }

    pub(super) fn ticks(self) -> u64 {
        match self {}
    }
}
