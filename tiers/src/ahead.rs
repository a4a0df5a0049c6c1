//! Asking for memory ahead of where it is read. Frame after frame, where the next one lies is known only when this one's
//! header has arrived, and the processor by itself does not look so far.

/// How far.
const AHEAD_BYTES: usize = 2048;

/// A hint that what lies behind `at` is read next, whatever that is.
#[inline(always)]
pub(crate) fn ask_ahead<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of every x86-64; a prefetch of any address at all does nothing that can be seen.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(AHEAD_BYTES)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
