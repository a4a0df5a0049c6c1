//! Time for short stretches: the time stamp counter between LFENCEs, so that nothing timed leaks out of its bracket.

use std::time::{Duration, Instant};

const CALIBRATION: Duration = Duration::from_millis(50);

/// The counter and its rate.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    ns_per_tick: f64,
}

impl Ticks {
    /// Compares the counter with the system's clock for 50 ms.
    pub fn calibrate() -> Ticks {
        let (start, from) = (Instant::now(), now());
        while start.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        Ticks { ns_per_tick: start.elapsed().as_nanos() as f64 / (now() - from) as f64 }
    }

    /// So many ticks in nanoseconds.
    pub fn ns(self, ticks: u64) -> f64 {
        ticks as f64 * self.ns_per_tick
    }

    /// The cost of one empty bracket in nanoseconds: part of every latency, not of a burst.
    pub fn bracket_ns(self) -> f64 {
        let mut ticks: Vec<u64> = (0..1001).map(|_| now().abs_diff(now())).collect();
        ticks.sort_unstable();
        self.ns(ticks[ticks.len() / 2])
    }
}

/// The counter, after everything before it has completed (stores: has retired) and before anything behind it starts.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: every x86-64 has these; they write RAX and RDX and touch no memory. Memory is not declared untouched, so the
    // compiler moves nothing across.
    unsafe {
        std::arch::asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack, preserves_flags));
    }
    high << 32 | low
}

/// Nanoseconds of the system's clock.
#[cfg(not(target_arch = "x86_64"))]
pub fn now() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
