//! The running checksum.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::fold::Fold;
use super::sse42::Sse42;

/// Without [`Fold`], up to this many bytes the plain instruction loop wins; beyond, the interleaved one of the crate.
const INLINE_BYTES_MAX: usize = 256;
/// From so many bytes on carry-less multiplication wins over a chain of instructions.
const FOLD_BYTES_MIN: usize = 128;

/// A running CRC-32C. A plain value: copy it to fold two continuations from one prefix.
///
/// What is folded counts, not how it was cut: `word(x)` is `bytes(&x.to_le_bytes())`.
#[derive(Debug, Clone, Copy)]
pub struct Crc32c {
    /// The register, inverted as the instruction wants it.
    pub(super) state: u32,
    /// Kept beside the state, so that a chain of folds tests for the instructions once.
    pub(super) sse42: Option<Sse42>,
    pub(super) fold: Option<Fold>,
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

impl Crc32c {
    /// The checksum of nothing yet. Costs cached loads of the processor's features.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self { state: !0, sse42: Sse42::detect(), fold: Fold::detect() }
    }

    /// Folds `bytes`: about 3 cycles per 8 bytes; from 128 bytes on, where the processor multiplies four lanes at a
    /// time (VPCLMULQDQ), about 5 per 64.
    #[inline]
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        match (self.fold, self.sse42) {
            (Some(fold), Some(sse42)) if bytes.len() >= FOLD_BYTES_MIN => {
                let (lines, rest) = bytes.as_chunks::<64>();
                Self { state: fold.lines(self.state, lines), ..self }.inlined(sse42, rest)
            }
            (_, Some(sse42)) if bytes.len() <= INLINE_BYTES_MAX => self.inlined(sse42, bytes),
            _ => self.portable(bytes),
        }
    }

    /// The checksum with two words, the bytes of `body`, and two more words folded in. Others may store to `body`
    /// meanwhile: each word is loaded once, so that the checksum is that of bytes that were there.
    #[inline]
    #[must_use]
    pub fn framed(self, before: [u64; 2], body: &[AtomicU64], after: [u64; 2]) -> u32 {
        if let Some(fold) = self.fold {
            return !fold.framed(self.state, before, body, after);
        }
        let crc = before.into_iter().fold(self, Self::word);
        let crc = body.iter().fold(crc, |crc, word| crc.word(u64::from_le(word.load(Relaxed))));
        after.into_iter().fold(crc, Self::word).finish()
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

    /// Folds `bytes` bytes that are not at hand, given where another checksum stood before it folded them, and behind: a
    /// microsecond at most, however many they are. (As zlib's `crc32_combine` does: a fold is linear, and zeros multiply by
    /// a power of x.)
    #[must_use]
    pub fn through(self, before: Self, behind: Self, bytes: u64) -> Self {
        Self { state: shifted(self.state ^ before.state, bytes) ^ behind.state, ..self }
    }

    /// All that there is to it, to be [`resumed`](Crc32c::resumed).
    #[inline]
    #[must_use]
    pub fn register(self) -> u32 {
        self.state
    }

    /// The one whose [`register`](Crc32c::register) that was.
    #[inline]
    #[must_use]
    pub fn resumed(self, register: u32) -> Self {
        Self { state: register, ..self }
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

/// The generator, reflected: bit 31 is x^0.
const GENERATOR: u32 = 0x82F6_3B78;

/// x^(8 * 2^i) modulo the generator.
const POWERS: [u32; u64::BITS as usize] = {
    // x^8.
    let mut powers = [1_u32 << 23; u64::BITS as usize];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = product(powers[i - 1], powers[i - 1]);
        i += 1;
    }
    powers
};

/// `state` with so many zero bytes folded in.
fn shifted(mut state: u32, bytes: u64) -> u32 {
    let mut left = bytes;
    while left != 0 {
        state = product(state, POWERS[left.trailing_zeros() as usize]);
        left &= left - 1;
    }
    state
}

/// Modulo the generator.
const fn product(a: u32, mut b: u32) -> u32 {
    let (mut sum, mut bit) = (0, 32);
    while bit > 0 {
        bit -= 1;
        sum ^= if a >> bit & 1 == 1 { b } else { 0 };
        b = b >> 1 ^ if b & 1 == 1 { GENERATOR } else { 0 };
    }
    sum
}
