//! aarch64: DC CVAP and DSB. Not run on hardware by this project.

use std::arch::asm;

use super::lines::lines;
use super::{Flush, LINE};

/// Witness of `DC CVAP` with cache lines of at least 64 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Cvap(());

impl Cvap {
    /// `HWCAP_DCPOP` of the auxiliary vector, and the line size of `CTR_EL0`.
    pub fn detect() -> Option<Cvap> {
        const HWCAP_DCPOP: u64 = 1 << 16;
        // SAFETY: getauxval reads the process's own vector.
        let has = unsafe { libc::getauxval(libc::AT_HWCAP) } & HWCAP_DCPOP != 0;
        let ctr: u64;
        // SAFETY: Linux lets user space read CTR_EL0, by trap where need be.
        unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
        let line = 4usize << (ctr >> 16 & 0xf);
        (has && line >= LINE).then_some(Cvap(()))
    }

    /// Starts the clean of every line of the range to the point of persistence.
    ///
    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: the instruction exists (witness), the line is mapped (caller). SYS spells DC CVAP for assemblers
        // without the extension.
        let clean = |line: *const u8| unsafe {
            asm!("sys #3, c7, c12, #1, {}", in(reg) line, options(nostack, preserves_flags))
        };
        lines(at, len, clean);
    }
}

/// The write-back in use.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    Cvap(Cvap),
    Fence,
}

pub(super) fn line(named: Option<Flush>) -> Option<Line> {
    match named {
        None | Some(Flush::Cvap) => Cvap::detect().map(Line::Cvap),
        Some(Flush::Fence) => Some(Line::Fence),
        Some(Flush::Clwb | Flush::Clflushopt | Flush::Clflush) => None,
    }
}

impl Line {
    pub(super) fn flush(self) -> Flush {
        match self {
            Line::Cvap(_) => Flush::Cvap,
            Line::Fence => Flush::Fence,
        }
    }

    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub(super) unsafe fn write_back(self, at: *const u8, len: usize) {
        if let Line::Cvap(i) = self {
            // SAFETY: the caller's promise.
            unsafe { i.write_back(at, len) }
        }
    }
}

/// No stores past the cache: STNP is a hint without an ordering of its own, so copy and clean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nt;

pub(super) fn nt() -> Nt {
    Nt
}

impl Nt {
    pub(super) fn name(self) -> &'static str {
        "copy"
    }

    /// # Safety
    /// `to` starts `bytes.len()` bytes of writable memory owned by the caller, apart from `bytes`.
    #[inline]
    pub(super) unsafe fn stream(self, line: Line, to: *mut u8, bytes: &[u8]) {
        // SAFETY: the caller's promise.
        unsafe {
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            line.write_back(to, bytes.len());
        }
    }
}

#[inline]
pub(super) fn fence() {
    // SAFETY: a barrier without operands.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// The virtual counter, read in order.
pub(super) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads a register that Linux opens to user space.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", "isb", out(reg) ticks, options(nostack, preserves_flags)) };
    ticks
}
