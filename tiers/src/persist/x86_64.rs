//! x86-64: CLWB, CLFLUSHOPT, CLFLUSH, non-temporal stores, SFENCE.
//!
//! The asm is neither `nomem` nor `readonly`: the compiler must not move stores across it.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _mm256_loadu_si256, _mm512_loadu_si512};

use super::lines::lines;
use super::{Flush, LINE};

/// Bits of CPUID leaf 7, EBX; zero where the leaf is missing.
fn leaf_7() -> u32 {
    if __cpuid(0).eax < 7 { 0 } else { __cpuid_count(7, 0).ebx }
}

/// Witness of `CLWB`.
#[derive(Debug, Clone, Copy)]
pub struct Clwb(());

impl Clwb {
    /// CPUID leaf 7, EBX bit 24.
    pub fn detect() -> Option<Clwb> {
        (leaf_7() & 1 << 24 != 0).then_some(Clwb(()))
    }

    /// Starts the write-back of every line of the range.
    ///
    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: the instruction exists (witness) and reads a line of a mapped page (caller; lines cross no page).
        lines(at, len, |line| unsafe { asm!("clwb [{}]", in(reg) line, options(nostack, preserves_flags)) });
    }
}

/// Witness of `CLFLUSHOPT`.
#[derive(Debug, Clone, Copy)]
pub struct Clflushopt(());

impl Clflushopt {
    /// CPUID leaf 7, EBX bit 23.
    pub fn detect() -> Option<Clflushopt> {
        (leaf_7() & 1 << 23 != 0).then_some(Clflushopt(()))
    }

    /// Starts the write-back of every line of the range.
    ///
    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: as for CLWB.
        lines(at, len, |line| unsafe {
            asm!("clflushopt [{}]", in(reg) line, options(nostack, preserves_flags))
        });
    }
}

/// Witness of `CLFLUSH`.
#[derive(Debug, Clone, Copy)]
pub struct Clflush(());

impl Clflush {
    /// CPUID leaf 1, EDX bit 19.
    pub fn detect() -> Option<Clflush> {
        (__cpuid(1).edx & 1 << 19 != 0).then_some(Clflush(()))
    }

    /// Writes back every line of the range.
    ///
    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: as for CLWB.
        lines(at, len, |line| unsafe {
            asm!("clflush [{}]", in(reg) line, options(nostack, preserves_flags))
        });
    }
}

/// The write-back in use.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    Clwb(Clwb),
    Clflushopt(Clflushopt),
    Clflush(Clflush),
    Fence,
}

pub(super) fn line(named: Option<Flush>) -> Option<Line> {
    let clwb = || Clwb::detect().map(Line::Clwb);
    let clflushopt = || Clflushopt::detect().map(Line::Clflushopt);
    let clflush = || Clflush::detect().map(Line::Clflush);
    match named {
        None => clwb().or_else(clflushopt).or_else(clflush),
        Some(Flush::Clwb) => clwb(),
        Some(Flush::Clflushopt) => clflushopt(),
        Some(Flush::Clflush) => clflush(),
        Some(Flush::Fence) => Some(Line::Fence),
        Some(Flush::Cvap) => None,
    }
}

impl Line {
    pub(super) fn flush(self) -> Flush {
        match self {
            Line::Clwb(_) => Flush::Clwb,
            Line::Clflushopt(_) => Flush::Clflushopt,
            Line::Clflush(_) => Flush::Clflush,
            Line::Fence => Flush::Fence,
        }
    }

    /// # Safety
    /// The range is mapped readable.
    #[inline]
    pub(super) unsafe fn write_back(self, at: *const u8, len: usize) {
        // SAFETY: the caller's promise, three times.
        unsafe {
            match self {
                Line::Clwb(i) => i.write_back(at, len),
                Line::Clflushopt(i) => i.write_back(at, len),
                Line::Clflush(i) => i.write_back(at, len),
                Line::Fence => {}
            }
        }
    }
}

/// Witness of AVX-512F, kept by the operating system as well.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// CPUID and XCR0.
    pub fn detect() -> Option<Avx512> {
        is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }
}

/// Witness of AVX, kept by the operating system as well.
#[derive(Debug, Clone, Copy)]
pub struct Avx(());

impl Avx {
    /// CPUID and XCR0.
    pub fn detect() -> Option<Avx> {
        is_x86_feature_detected!("avx").then_some(Avx(()))
    }
}

/// The non-temporal stores in use. MOVNTI is part of SSE2, hence of every x86-64.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nt {
    Avx512(Avx512),
    Avx(Avx),
    Movnti,
}

pub(super) fn nt() -> Nt {
    Avx512::detect().map(Nt::Avx512).or_else(|| Avx::detect().map(Nt::Avx)).unwrap_or(Nt::Movnti)
}

impl Nt {
    pub(super) fn name(self) -> &'static str {
        match self {
            Nt::Avx512(_) => "AVX-512",
            Nt::Avx(_) => "AVX",
            Nt::Movnti => "MOVNTI",
        }
    }

    /// # Safety
    /// `to` starts `bytes.len()` bytes of writable memory, whole cache lines, owned by the caller, apart from `bytes`.
    #[inline]
    pub(super) unsafe fn stream(self, _: Line, to: *mut u8, bytes: &[u8]) {
        // SAFETY: the instructions exist (witnesses); the rest is the caller's promise.
        unsafe {
            match self {
                Nt::Avx512(_) => stream_avx512(to, bytes),
                Nt::Avx(_) => stream_avx(to, bytes),
                Nt::Movnti => stream_movnti(to, bytes),
            }
        }
    }
}

/// # Safety
/// As for [`Nt::stream`], on a processor with AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn stream_avx512(to: *mut u8, bytes: &[u8]) {
    for (line, from) in bytes.chunks_exact(LINE).enumerate() {
        // SAFETY: `from` has 64 bytes; the target line lies in the caller's range and is aligned.
        unsafe {
            let v = _mm512_loadu_si512(from.as_ptr().cast());
            asm!("vmovntdq [{}], {}", in(reg) to.add(line * LINE), in(zmm_reg) v, options(nostack, preserves_flags));
        }
    }
}

/// # Safety
/// As for [`Nt::stream`], on a processor with AVX.
#[target_feature(enable = "avx")]
unsafe fn stream_avx(to: *mut u8, bytes: &[u8]) {
    for (half, from) in bytes.chunks_exact(LINE / 2).enumerate() {
        // SAFETY: `from` has 32 bytes; the target half line lies in the caller's range and is aligned.
        unsafe {
            let v = _mm256_loadu_si256(from.as_ptr().cast());
            let to = to.add(half * LINE / 2);
            asm!("vmovntdq [{}], {}", in(reg) to, in(ymm_reg) v, options(nostack, preserves_flags));
        }
    }
}

/// # Safety
/// As for [`Nt::stream`].
unsafe fn stream_movnti(to: *mut u8, bytes: &[u8]) {
    for (i, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // SAFETY: the target word lies in the caller's range.
        unsafe { movnti(to.add(i * 8), u64::from_ne_bytes(*word)) };
    }
}

/// # Safety
/// `to` starts a line of writable memory, owned by the caller.
#[inline(always)]
pub(super) unsafe fn stream_line(to: *mut u8, words: [u64; LINE / 8]) {
    for (i, word) in words.iter().enumerate() {
        // SAFETY: the target word lies in the caller's line.
        unsafe { movnti(to.add(i * 8), word.to_le()) };
    }
}

/// # Safety
/// `to` is writable, on a multiple of 8, owned by the caller.
#[inline(always)]
unsafe fn movnti(to: *mut u8, word: u64) {
    // SAFETY: part of every x86-64; the target is the caller's.
    unsafe { asm!("movnti [{}], {}", in(reg) to, in(reg) word, options(nostack, preserves_flags)) };
}

#[inline]
pub(super) fn fence() {
    // SAFETY: SFENCE has no operand and is part of every x86-64.
    unsafe { asm!("sfence", options(nostack, preserves_flags)) };
}

/// The time-stamp counter, read after everything before it and before everything behind it.
pub(crate) fn ticks() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: LFENCE and RDTSC read no memory; SFENCE alone would not hold RDTSC back.
    unsafe {
        asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack, preserves_flags));
    }
    high << 32 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(64))]
    struct Lines([u8; 512]);

    #[test]
    fn all_streams_copy_alike() {
        let from: Vec<u8> = (0..=255u8).cycle().take(513).collect();
        let ways = [Some(Nt::Movnti), Avx::detect().map(Nt::Avx), Avx512::detect().map(Nt::Avx512)];
        for nt in ways.into_iter().flatten() {
            let mut to = Lines([0; 512]);
            // SAFETY: `to` is an aligned local of that very size, `from` another allocation.
            unsafe { nt.stream(Line::Fence, to.0.as_mut_ptr(), &from[1..]) };
            fence();
            assert_eq!(to.0[..], from[1..], "{}", nt.name());
        }
    }

    #[test]
    fn every_write_back_runs() {
        let mut memory = Lines([7; 512]);
        let named = [Flush::Clwb, Flush::Clflushopt, Flush::Clflush, Flush::Fence];
        for line in named.into_iter().filter_map(|f| line(Some(f))) {
            memory.0[100] = memory.0[100].wrapping_add(1);
            // SAFETY: the range is inside a local.
            unsafe { line.write_back(memory.0.as_ptr().wrapping_add(3), 400) };
            fence();
        }
        assert!(memory.0[100] > 8, "at least CLFLUSH and the bare fence exist");
        assert!(line(Some(Flush::Cvap)).is_none());
    }
}
