//! Time for short stretches: a counter read between barriers, so that nothing timed leaks out of its bracket.
//!
//! SFENCE does not hold RDTSC back, and not even RDTSCP waits for more of a store than that it has retired: a 64-byte persist
//! looked like 10 ns where a loop of them took 160 each. MFENCE waits until stores and write-backs have arrived, RDTSCP until
//! all else has been executed, and the LFENCE behind keeps what follows from starting early (Intel SDM volume 2).

use std::time::{Duration, Instant};

use super::beside::beside;

const CALIBRATION: Duration = Duration::from_millis(50);
/// Empty brackets that are looked at for their cost.
const BRACKETS: usize = 2001;
/// Dependent operations of one cycle each, to see the processor's speed: about 50 us.
const CHAIN: u64 = 200_000;

/// The counter, its rate, and what reading it costs.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    ns_per_tick: f64,
    bracket: u64,
    #[cfg(target_arch = "x86_64")]
    rdtscp: Option<Rdtscp>,
}

impl Ticks {
    /// Compares the counter with the system's clock for 50 ms, and takes the median of empty brackets. The thread is best
    /// pinned already, and the processor warm.
    #[must_use]
    pub fn calibrate() -> Ticks {
        let mut ticks = Ticks {
            ns_per_tick: 1.0,
            bracket: 0,
            #[cfg(target_arch = "x86_64")]
            rdtscp: Rdtscp::detect(),
        };
        let (from, start) = beside(|| ticks.now(), Instant::now);
        while start.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        let (to, end) = beside(|| ticks.now(), Instant::now);
        ticks.ns_per_tick = (end - start).as_nanos() as f64 / (to - from).max(1) as f64;
        let mut brackets: Vec<u64> = (0..BRACKETS).map(|_| ticks.now().abs_diff(ticks.now())).collect();
        brackets.sort_unstable();
        ticks.bracket = brackets[BRACKETS / 2];
        ticks
    }

    /// The counter, after everything before it has been executed, stores have arrived, and before anything behind it starts.
    /// About 40 ns.
    #[inline(always)]
    #[must_use]
    pub fn now(self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        return match self.rdtscp {
            Some(rdtscp) => rdtscp.read(),
            None => crate::persist::ticks(),
        };
        #[cfg(not(target_arch = "x86_64"))]
        monotonic_ns()
    }

    /// So many ticks in nanoseconds.
    #[inline]
    #[must_use]
    pub fn ns(self, ticks: u64) -> f64 {
        ticks as f64 * self.ns_per_tick
    }

    /// Nanoseconds of what ran since `start`, without the bracket's own cost: never below 0.
    #[inline(always)]
    #[must_use]
    pub fn since(self, start: u64) -> f64 {
        self.ns(self.now().saturating_sub(start).saturating_sub(self.bracket))
    }

    /// The cost of one empty bracket in nanoseconds: what [`since`](Ticks::since) subtracts.
    #[must_use]
    pub fn bracket_ns(self) -> f64 {
        self.ns(self.bracket)
    }

    /// Ticks a second.
    #[must_use]
    pub fn hz(self) -> f64 {
        1e9 / self.ns_per_tick
    }

    /// Cycles of the processor in a nanosecond at its present speed, from a chain of dependent operations of one cycle
    /// each (50 us): its speed moves, the counter's does not. The fastest of three: an interrupt only ever slows one.
    #[must_use]
    pub fn cycles_per_ns(self) -> f64 {
        let chain = || {
            let start = self.now();
            one_cycle_each(CHAIN);
            CHAIN as f64 / self.since(start).max(1.0)
        };
        (0..3).map(|_| chain()).fold(0.0, f64::max)
    }
}

/// Proof that `RDTSCP` exists.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Rdtscp(());

#[cfg(target_arch = "x86_64")]
impl Rdtscp {
    /// CPUID leaf 8000_0001h, EDX bit 27.
    fn detect() -> Option<Rdtscp> {
        use std::arch::x86_64::__cpuid;
        const LEAF: u32 = 0x8000_0001;
        let known = !cfg!(miri) && __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & 1 << 27 != 0;
        known.then_some(Rdtscp(()))
    }

    #[inline(always)]
    fn read(self) -> u64 {
        let (low, high): (u64, u64);
        // SAFETY: RDTSCP exists (witness), the fences on every x86-64; they write RAX, RCX and RDX and touch no memory.
        // Memory is not declared untouched, so the compiler moves nothing across.
        unsafe {
            std::arch::asm!("mfence", "rdtscp", "lfence", out("rax") low, out("rdx") high, out("rcx") _,
                options(nostack, preserves_flags));
        }
        high << 32 | low
    }
}

/// Nanoseconds of the system's clock.
#[cfg(not(target_arch = "x86_64"))]
fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// `count` exclusive ors (rounded down to 16), each of the result before: one cycle each on every processor there is.
#[inline(never)]
fn one_cycle_each(count: u64) {
    let mut value = 1_u64;
    for _ in 0..count / 16 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: changes two registers that are declared and nothing else. XOR of two registers is never folded away.
        unsafe {
            std::arch::asm!(".rept 16", "xor {v}, {o}", ".endr", v = inout(reg) value, o = in(reg) 3_u64,
                options(nomem, nostack));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            std::arch::asm!(".rept 16", "eor {v}, {v}, {o}", ".endr", v = inout(reg) value, o = in(reg) 3_u64,
                options(nomem, nostack));
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        for _ in 0..16 {
            value = std::hint::black_box(value ^ 3);
        }
    }
    std::hint::black_box(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_is_one_and_nothing_is_about_nothing() {
        let ticks = Ticks::calibrate();
        assert!(ticks.bracket_ns() > 0.0 && ticks.bracket_ns() < 10_000.0, "{ticks:?}");
        // One clock begins and ends outside, one inside: a thread that loses its processor in between changes nothing.
        let (outer, start, inner) = (Instant::now(), ticks.now(), Instant::now());
        while inner.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        let (ns, truth) = (ticks.since(start), outer.elapsed().as_nanos() as f64);
        assert!(ns >= 0.99e6 && ns <= truth * 1.05, "{ns} {truth}");
        let mut empty: Vec<f64> = (0..101).map(|_| ticks.since(ticks.now())).collect();
        empty.sort_by(f64::total_cmp);
        assert!(empty[50] <= ticks.bracket_ns(), "{empty:?}");
    }

    #[test]
    fn a_processor_has_a_speed() {
        let speed = Ticks::calibrate().cycles_per_ns();
        assert!((0.05..20.0).contains(&speed), "{speed} GHz");
    }
}
