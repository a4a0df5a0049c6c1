//! Carry-less multiplication, four 128-bit lanes at a time: whole lines of 64 bytes.
//!
//! A CRC is the remainder of a polynomial; a lane is moved D bits ahead by multiplying its halves with x^(D+64) and x^D
//! modulo the generator, and added to what lies there (Gopal et al., "Fast CRC Computation for Generic Polynomials
//! Using PCLMULQDQ Instruction", Intel 2009). Where bits are reflected, a product of halves comes out one bit low and a
//! factor in the low half of a register counts 32 bits more: hence the exponents D+31 and D-33 below.

use std::sync::atomic::AtomicU64;

/// Proof of AVX-512F, VPCLMULQDQ, PCLMULQDQ and SSE4.2, kept by the operating system as well.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold(());

/// Not here: no value of this type exists.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Debug, Clone, Copy)]
pub(super) enum Fold {}

#[cfg(not(target_arch = "x86_64"))]
impl Fold {
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        None
    }

    pub(super) fn lines(self, _state: u32, _lines: &[[u8; 64]]) -> u32 {
        match self {}
    }

    pub(super) fn framed(self, _: u32, _before: [u64; 2], _body: &[AtomicU64], _after: [u64; 2]) -> u32 {
        match self {}
    }
}

#[cfg(target_arch = "x86_64")]
impl Fold {
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        // Miri has no inline assembly.
        let found = !cfg!(miri)
            && is_x86_feature_detected!("vpclmulqdq")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("sse4.2");
        found.then_some(Self(()))
    }

    /// `state` with the bytes of `lines` folded in.
    #[inline]
    pub(super) fn lines(self, state: u32, lines: &[[u8; 64]]) -> u32 {
        // SAFETY: the instructions exist (witness); the slice is readable.
        unsafe { x86_64::fold(state, lines.as_ptr().cast(), lines.len()) }
    }

    /// As [`lines`](Fold::lines), of two words, memory that others may store to, and two words. Each byte is loaded once.
    #[inline]
    pub(super) fn framed(self, state: u32, before: [u64; 2], body: &[AtomicU64], after: [u64; 2]) -> u32 {
        // SAFETY: the instructions exist (witness).
        unsafe { x86_64::framed(state, before, body, after) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use std::arch::asm;
    use std::arch::x86_64::{
        __m128i, __m512i, _mm_crc32_u64, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_extract_epi64,
        _mm_set_epi64x, _mm_xor_si128, _mm512_broadcast_i32x4, _mm512_castsi512_si128,
        _mm512_clmulepi64_epi128, _mm512_extracti32x4_epi32, _mm512_set_epi64, _mm512_ternarylogic_epi64,
        _mm512_xor_si512, _mm512_zextsi128_si512,
    };

    use crate::ahead::ask_ahead;

    /// x^n modulo the generator, reflected: bit 31 is x^0.
    const fn power(n: u32) -> i64 {
        let mut remainder = 1_u32 << 31;
        let mut i = 0;
        while i < n {
            let carry = if remainder & 1 == 1 { 0x82F6_3B78 } else { 0 };
            remainder = remainder >> 1 ^ carry;
            i += 1;
        }
        remainder as i64
    }

    /// Factors that move a lane `bits` ahead: of its first half, and of its second.
    const fn ahead(bits: u32) -> [i64; 2] {
        [power(bits + 31), power(bits - 33)]
    }

    /// From so many lines on two chains are folded at a time, for the multiplier takes its time.
    const TWO_CHAINS_MIN: usize = 12;

    const LINE: [i64; 2] = ahead(512);
    const TWO_LINES: [i64; 2] = ahead(1024);
    const THREE_LANES: [i64; 2] = ahead(384);
    const TWO_LANES: [i64; 2] = ahead(256);
    const ONE_LANE: [i64; 2] = ahead(128);

    #[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq,sse4.2")]
    pub(super) fn framed(state: u32, before: [u64; 2], body: &[AtomicU64], after: [u64; 2]) -> u32 {
        // Whole lines of memory, not only of the slice: a load that crosses two costs as much as two.
        let (few, rest) = body.split_at(body.as_ptr().align_offset(64).min(body.len()));
        let (lines, last) = rest.as_chunks::<8>();
        let mut state = words(state, before.into_iter().chain(few.iter().map(shared)));
        for line in 0..=lines.len() {
            ask_ahead(rest.as_ptr().wrapping_add(line * 8));
        }
        // SAFETY: the slice is readable. Its loads are assembly, so that the compiler knows of no race, and whatever
        // mixture of bytes comes is a valid input.
        state = unsafe { fold(state, lines.as_ptr().cast(), lines.len()) };
        words(state, last.iter().map(shared).chain(after))
    }

    fn shared(word: &AtomicU64) -> u64 {
        u64::from_le(word.load(Relaxed))
    }

    #[inline]
    #[target_feature(enable = "sse4.2")]
    fn words(state: u32, words: impl Iterator<Item = u64>) -> u32 {
        words.fold(u64::from(state), |state, word| _mm_crc32_u64(state, word)) as u32
    }

    /// # Safety
    /// `from` starts `lines` times 64 readable bytes.
    #[inline]
    #[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq,sse4.2")]
    pub(super) unsafe fn fold(state: u32, from: *const u8, lines: usize) -> u32 {
        if lines == 0 {
            return state;
        }
        // SAFETY: every index below is less than `lines`.
        let line = |i: usize| unsafe { load(from.add(i * 64)) };
        let mut folded = _mm512_xor_si512(line(0), _mm512_zextsi128_si512(_mm_cvtsi32_si128(state as i32)));
        let mut next = 1;
        if lines >= TWO_CHAINS_MIN {
            let mut other = line(1);
            let factors = lanes(TWO_LINES);
            next = 2;
            while next + 2 <= lines {
                folded = move_onto(folded, factors, line(next));
                other = move_onto(other, factors, line(next + 1));
                next += 2;
            }
            folded = move_onto(folded, lanes(LINE), other);
        }
        while next < lines {
            folded = move_onto(folded, lanes(LINE), line(next));
            next += 1;
        }
        remainder(folded)
    }

    /// # Safety
    /// `from` starts 64 readable bytes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const u8) -> __m512i {
        let line;
        // SAFETY: the caller's promise; the instruction only reads.
        unsafe {
            asm!("vmovdqu64 {}, [{}]", out(zmm_reg) line, in(reg) from,
                options(readonly, nostack, preserves_flags));
        }
        line
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn lanes(factors: [i64; 2]) -> __m512i {
        _mm512_broadcast_i32x4(_mm_set_epi64x(factors[1], factors[0]))
    }

    /// Each lane times its factors, plus what lies there.
    #[inline]
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    fn move_onto(lanes: __m512i, factors: __m512i, there: __m512i) -> __m512i {
        let first = _mm512_clmulepi64_epi128(lanes, factors, 0x00);
        let second = _mm512_clmulepi64_epi128(lanes, factors, 0x11);
        _mm512_ternarylogic_epi64(first, second, there, 0x96) // all three, added
    }

    /// Moves the first three lanes onto the last, and takes the remainder of that.
    #[inline]
    #[target_feature(enable = "avx512f,vpclmulqdq,sse4.2")]
    fn remainder(folded: __m512i) -> u32 {
        let ([a, b], [c, d], [e, f]) = (THREE_LANES, TWO_LANES, ONE_LANE);
        let last = _mm512_zextsi128_si512(_mm512_extracti32x4_epi32(folded, 3));
        // The last lane's factors are zero: it is added as it is.
        let moved = move_onto(folded, _mm512_set_epi64(0, 0, f, e, d, c, b, a), last);
        let sum: __m128i = _mm_xor_si128(
            _mm_xor_si128(_mm512_castsi512_si128(moved), _mm512_extracti32x4_epi32(moved, 1)),
            _mm512_extracti32x4_epi32(moved, 2),
        );
        let state = _mm_crc32_u64(0, _mm_cvtsi128_si64(sum) as u64);
        _mm_crc32_u64(state, _mm_extract_epi64(sum, 1) as u64) as u32
    }
}
