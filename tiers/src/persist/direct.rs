//! x86-64: whole lines by MOVDIR64B, and stores past the cache of 16 bytes each. For measurements: a tail uses neither.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _mm_loadu_si128};

use super::LINE;

/// Witness of `MOVDIR64B`.
#[derive(Debug, Clone, Copy)]
pub struct Movdir64b(());

impl Movdir64b {
    /// CPUID leaf 7, ECX bit 28.
    pub fn detect() -> Option<Movdir64b> {
        let has = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ecx & 1 << 28 != 0;
        has.then_some(Movdir64b(()))
    }

    /// Copies line by line, each as one store past the cache.
    ///
    /// # Safety
    /// `to` starts `bytes.len()` bytes of writable memory, whole cache lines, owned by the caller, apart from `bytes`.
    #[inline]
    pub unsafe fn stream(self, to: *mut u8, bytes: &[u8]) {
        for (line, from) in bytes.chunks_exact(LINE).enumerate() {
            // SAFETY: the instruction exists (witness); it reads the 64 bytes of `from` and writes an aligned line of the
            // caller's range.
            unsafe {
                asm!("movdir64b {}, [{}]", in(reg) to.add(line * LINE), in(reg) from.as_ptr(),
                    options(nostack, preserves_flags));
            }
        }
    }
}

/// Stores past the cache of 16 bytes each (SSE2, hence on every x86-64).
///
/// # Safety
/// As for [`Movdir64b::stream`].
#[inline]
pub(super) unsafe fn stream_sse(to: *mut u8, bytes: &[u8]) {
    for (quarter, from) in bytes.chunks_exact(16).enumerate() {
        // SAFETY: `from` has 16 bytes; the target lies in the caller's range and is aligned.
        unsafe {
            let v = _mm_loadu_si128(from.as_ptr().cast());
            asm!("movntdq [{}], {}", in(reg) to.add(quarter * 16), in(xmm_reg) v, options(nostack, preserves_flags));
        }
    }
}
