//! The `crc32` instruction: 8 bytes in one, three cycles until the next may follow.

/// Proof that this processor has the `crc32` instruction.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Sse42(());

#[cfg(target_arch = "x86_64")]
impl Sse42 {
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        // Miri has no inline assembly.
        (!cfg!(miri) && std::arch::is_x86_feature_detected!("sse4.2")).then_some(Self(()))
    }

    // Assembly, not the intrinsic: a function with a target feature does not inline into callers without it.
    #[inline(always)]
    pub(super) fn fold_u64(self, state: u32, word: u64) -> u32 {
        let mut state = u64::from(state);
        // SAFETY: possession of `Sse42` shows that the instruction exists; it touches two registers, and neither
        // memory nor flags.
        unsafe {
            std::arch::asm!("crc32 {state}, {word}", state = inout(reg) state, word = in(reg) word,
                options(pure, nomem, nostack, preserves_flags));
        }
        state as u32 // the instruction clears the upper half
    }

    #[inline(always)]
    pub(super) fn fold_u8(self, mut state: u32, byte: u8) -> u32 {
        // SAFETY: as in `fold_u64`.
        unsafe {
            std::arch::asm!("crc32 {state:e}, {byte}", state = inout(reg) state, byte = in(reg_byte) byte,
                options(pure, nomem, nostack, preserves_flags));
        }
        state
    }
}

/// No such instruction here: no value of this type exists.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Debug, Clone, Copy)]
pub(super) enum Sse42 {}

#[cfg(not(target_arch = "x86_64"))]
impl Sse42 {
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        None
    }

    pub(super) fn fold_u64(self, _state: u32, _word: u64) -> u32 {
        match self {}
    }

    pub(super) fn fold_u8(self, _state: u32, _byte: u8) -> u32 {
        match self {}
    }
}
