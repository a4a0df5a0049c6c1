//! The choice of instructions for one mapping.

use super::arch::{self, Line, Nt};

/// The instruction that starts the write-back of a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flush {
    /// x86-64 `CLWB`: writes the line back and may keep it cached.
    Clwb,
    /// x86-64 `CLFLUSHOPT`: writes the line back and drops it, weakly ordered.
    Clflushopt,
    /// x86-64 `CLFLUSH`: writes the line back and drops it, one after the other.
    Clflush,
    /// aarch64 `DC CVAP`: cleans the line to the point of persistence.
    Cvap,
    /// Nothing but the fence: the caches are inside the persistence domain (eADR).
    Fence,
}

impl Flush {
    /// The name as a person knows it, fence included.
    pub fn name(self) -> &'static str {
        match self {
            Flush::Clwb => "CLWB+SFENCE",
            Flush::Clflushopt => "CLFLUSHOPT+SFENCE",
            Flush::Clflush => "CLFLUSH+SFENCE",
            Flush::Cvap => "DC CVAP+DSB",
            Flush::Fence => "fence only",
        }
    }
}

/// This processor has no such instruction (or, with nothing named, none that this crate knows).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this processor has no {}", .0.map_or("known cache write-back instruction", Flush::name))]
pub struct NoFlush(
    /// What was asked for by name.
    pub Option<Flush>,
);

/// How stores are made durable here. Possession proves that the instructions exist; copying it is free.
#[derive(Debug, Clone, Copy)]
pub struct Persist {
    line: Line,
    nt: Nt,
}

impl Persist {
    /// The instruction named, or the best that the processor has: CLWB, CLFLUSHOPT, CLFLUSH; DC CVAP.
    ///
    /// [`Flush::Fence`] is only ever chosen by name: it makes nothing durable unless the platform has eADR.
    ///
    /// # Errors
    /// [`NoFlush`] if the processor lacks it.
    pub fn detect(named: Option<Flush>) -> Result<Persist, NoFlush> {
        let line = arch::line(named).ok_or(NoFlush(named))?;
        Ok(Persist { line, nt: arch::nt() })
    }

    /// The instruction in use.
    pub fn flush(self) -> Flush {
        self.line.flush()
    }

    /// What non-temporal stores are made of, for people.
    pub fn stream_name(self) -> &'static str {
        self.nt.name()
    }

    /// Starts the write-back of every cache line that `at..at + len` touches.
    ///
    /// # Safety
    /// The range lies in memory that is mapped readable until the call returns.
    #[inline]
    pub unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: the caller's promise is handed on as it is.
        unsafe { self.line.write_back(at, len) }
    }

    /// Copies `bytes` to `to` past the caches, where the processor can; otherwise copies and writes back.
    ///
    /// Lines become durable at the next [`fence`](Persist::fence) by this thread.
    ///
    /// # Safety
    /// `to..to + bytes.len()` is mapped writable, belongs to the caller alone, and does not overlap `bytes`.
    ///
    /// # Panics
    /// If `to` or the length is not a multiple of [`LINE`](super::LINE).
    #[inline]
    pub unsafe fn stream(self, to: *mut u8, bytes: &[u8]) {
        assert!((to.addr() | bytes.len()).is_multiple_of(super::LINE), "stream of partial cache lines");
        // SAFETY: the caller's promise; whole lines by the assertion.
        unsafe { self.nt.stream(self.line, to, bytes) }
    }

    /// The same for one line, from its words, stored little-endian. They go from registers: a wide load of what was stored
    /// in narrower pieces waits until those have reached the cache, behind the fence before them (100 ns on Intel).
    ///
    /// # Safety
    /// As for [`stream`](Persist::stream).
    ///
    /// # Panics
    /// If `to` is not a multiple of [`LINE`](super::LINE).
    #[inline(always)]
    pub unsafe fn stream_line(self, to: *mut u8, words: [u64; super::LINE / 8]) {
        assert!(to.addr().is_multiple_of(super::LINE), "stream of a partial cache line");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise; a whole line by the assertion.
        unsafe {
            arch::stream_line(to, words)
        };
        #[cfg(not(target_arch = "x86_64"))]
        // SAFETY: as above.
        unsafe {
            self.nt.stream(self.line, to, words.map(u64::to_le_bytes).as_flattened())
        };
    }

    /// Waits until everything this thread wrote back or streamed is in the persistence domain.
    #[inline]
    pub fn fence(self) {
        arch::fence();
    }
}
