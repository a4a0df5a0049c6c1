//! One thread pays the memory barrier for all: membarrier(2), private and expedited.
//!
//! The rare side calls [`Membarrier::all_threads`] where it would need a full fence; the frequent side then needs
//! none, only a compiler fence in the same place.

use std::io;

/// Proof that this process is registered for expedited barriers.
#[derive(Debug, Clone, Copy)]
pub struct Membarrier(());

impl Membarrier {
    /// Registers this process. `None` where the kernel (before 4.14) or a sandbox refuses: both sides then need full
    /// fences. Registering again is free, and a forked child stays registered.
    #[must_use]
    pub fn register() -> Option<Self> {
        if cfg!(any(loom, shuttle)) {
            // No model checker knows this barrier: the fences are checked in its place.
            return None;
        }
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED).ok().map(|()| Self(()))
    }

    /// A full memory barrier on every running thread of this process, the caller included: a few microseconds, and an
    /// interrupt on each CPU that runs one of them.
    ///
    /// # Panics
    /// If the kernel takes back what it granted at registration (a sandbox set up later): going on without the
    /// barrier would be silent corruption.
    pub fn all_threads(self) {
        if let Err(error) = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            panic!("membarrier(2) refused after registration: {error}");
        }
    }
}

fn membarrier(command: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes three integers and touches none of the caller's memory.
    match unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
    use std::sync::atomic::{AtomicU64, compiler_fence};
    use std::thread;

    /// Dekker's handshake, the frequent side without a fence: both may see the other, never neither.
    #[test]
    fn never_do_both_sides_miss_each_other() {
        let barrier = Membarrier::register().expect("Linux 4.14 or newer");
        let handshake = Handshake::default();
        let missed = thread::scope(|scope| {
            scope.spawn(|| handshake.frequent_side());
            let missed = (1..=ROUNDS).find(|round| handshake.rare_side(*round, barrier));
            handshake.start.store(STOP, Release);
            missed
        });
        assert_eq!(missed, None, "neither side saw the other");
    }

    const ROUNDS: u64 = 20_000;
    const STOP: u64 = u64::MAX;

    #[derive(Default)]
    struct Handshake {
        start: Line,
        frequent: Line,
        rare: Line,
        outcome: Line,
    }

    /// A cache line of its own, so that the stores of the two sides stay in their buffers for a while.
    #[derive(Default)]
    #[repr(align(128))]
    struct Line(AtomicU64);

    impl std::ops::Deref for Line {
        type Target = AtomicU64;
        fn deref(&self) -> &AtomicU64 {
            &self.0
        }
    }

    impl Handshake {
        fn frequent_side(&self) {
            let mut done = 0;
            loop {
                let round = await_change(&self.start, done);
                if round == STOP {
                    return;
                }
                self.frequent.store(round, Relaxed);
                compiler_fence(SeqCst);
                let saw = self.rare.load(Relaxed) == round;
                self.outcome.store(round << 1 | u64::from(saw), Release);
                done = round;
            }
        }

        /// Whether both missed each other.
        fn rare_side(&self, round: u64, barrier: Membarrier) -> bool {
            let before = self.outcome.load(Relaxed);
            self.start.store(round, Release);
            for _ in 0..round % 128 {
                std::hint::spin_loop();
            }
            self.rare.store(round, Relaxed);
            barrier.all_threads();
            let saw = self.frequent.load(Relaxed) == round;
            let seen = await_change(&self.outcome, before) & 1 == 1;
            !saw && !seen
        }
    }

    fn await_change(word: &AtomicU64, from: u64) -> u64 {
        let mut spins = 0_u32;
        while word.load(Acquire) == from {
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(1024) {
                thread::yield_now();
            }
        }
        word.load(Acquire)
    }
}
