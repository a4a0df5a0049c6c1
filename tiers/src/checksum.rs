//! CRC-32C (Castagnoli), folded word by word: the checksum of every frame and header.
//!
//! Short input goes through the SSE4.2 `crc32` instruction, inlined; long input and other machines through the
//! crate `crc32c`. Both give the same value, so the state may cross machines half-way.

/// Up to this many bytes the plain instruction loop wins; beyond, the interleaved one of the crate.
const INLINE_BYTES_MAX: usize = 256;

/// A running CRC-32C. A plain value: copy it to fold two continuations from one prefix.
///
/// What is folded counts, not how it was cut: `word(x)` is `bytes(&x.to_le_bytes())`.
#[derive(Debug, Clone, Copy)]
pub struct Crc32c {
    /// The register, inverted as the instruction wants it.
    state: u32,
    /// Kept beside the state, so that a chain of folds tests for the instruction once.
    sse42: Option<Sse42>,
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

impl Crc32c {
    /// The checksum of nothing yet. Costs a cached load of the processor's features.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self { state: !0, sse42: Sse42::detect() }
    }

    /// Folds `bytes`: about 3 cycles per 8 bytes up to 256, fewer beyond.
    #[inline]
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        match self.sse42 {
            Some(sse42) if bytes.len() <= INLINE_BYTES_MAX => self.inlined(sse42, bytes),
            _ => self.portable(bytes),
        }
    }

    /// Folds `word` as its 8 little-endian bytes: one instruction.
    #[inline]
    #[must_use]
    pub fn word(self, word: u64) -> Self {
        match self.sse42 {
            Some(sse42) => Self { state: sse42.fold_u64(self.state, word), ..self },
            None => self.portable(&word.to_le_bytes()),
        }
    }

    /// The checksum of all that was folded: the standard value, 0xE306_9283 for `b"123456789"`.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u32 {
        !self.state
    }

    #[inline]
    fn inlined(self, sse42: Sse42, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut state = self.state;
        for word in words {
            state = sse42.fold_u64(state, u64::from_le_bytes(*word));
        }
        for byte in rest {
            state = sse42.fold_u8(state, *byte);
        }
        Self { state, ..self }
    }

    #[inline(never)]
    fn portable(self, bytes: &[u8]) -> Self {
        Self { state: !crc32c::crc32c_append(!self.state, bytes), ..self }
    }
}

/// Proof that this processor has the `crc32` instruction.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Sse42(());

#[cfg(target_arch = "x86_64")]
impl Sse42 {
    #[inline]
    fn detect() -> Option<Self> {
        // Miri has no inline assembly.
        (!cfg!(miri) && std::arch::is_x86_feature_detected!("sse4.2")).then_some(Self(()))
    }

    // Assembly, not the intrinsic: a function with a target feature does not inline into callers without it.
    #[inline(always)]
    fn fold_u64(self, state: u32, word: u64) -> u32 {
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
    fn fold_u8(self, mut state: u32, byte: u8) -> u32 {
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
enum Sse42 {}

#[cfg(not(target_arch = "x86_64"))]
impl Sse42 {
    #[inline]
    fn detect() -> Option<Self> {
        None
    }

    fn fold_u64(self, _state: u32, _word: u64) -> u32 {
        match self {}
    }

    fn fold_u8(self, _state: u32, _byte: u8) -> u32 {
        match self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern that a wrong fold could hide in.
    fn noise(len: usize) -> Vec<u8> {
        let mut x = 0x9E37_79B9_7F4A_7C15_u64;
        let step = |_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        };
        (0..len).map(step).collect()
    }

    /// The fold with the instruction where there is one, and the fold without.
    fn both() -> [Crc32c; 2] {
        [Crc32c::new(), Crc32c { state: !0, sse42: None }]
    }

    #[test]
    fn check_value() {
        for crc in both() {
            assert_eq!(crc.bytes(b"123456789").finish(), 0xE306_9283);
            assert_eq!(crc.finish(), 0);
        }
    }

    #[test]
    fn every_length_agrees_with_the_crate() {
        let noise = noise(2048);
        for len in 0..=noise.len() {
            let want = crc32c::crc32c(&noise[..len]);
            for crc in both() {
                assert_eq!(crc.bytes(&noise[..len]).finish(), want, "{len} bytes");
            }
        }
    }

    #[test]
    fn every_split_agrees() {
        let noise = noise(600);
        let want = crc32c::crc32c(&noise);
        for at in 0..=noise.len() {
            let (head, tail) = noise.split_at(at);
            for crc in both() {
                assert_eq!(crc.bytes(head).bytes(tail).finish(), want, "split at {at}");
            }
        }
    }

    #[test]
    fn a_word_is_its_little_endian_bytes() {
        let noise = noise(64 + 32);
        let word = |at: usize| u64::from_le_bytes(noise[at..at + 8].try_into().unwrap());
        for crc in both() {
            let frame = crc.word(word(0)).word(word(8)).word(word(16)).bytes(&noise[24..88]).word(word(88));
            assert_eq!(frame.finish(), crc32c::crc32c(&noise));
        }
    }
}
