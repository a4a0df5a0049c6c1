//! Architectures without a known way to write a cache line back: every choice is refused.

use super::Flush;

/// No value of this type exists here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {}

pub(super) fn line(_: Option<Flush>) -> Option<Line> {
    None
}

impl Line {
    pub(super) fn flush(self) -> Flush {
        match self {}
    }

    /// # Safety
    /// None to keep: it cannot be called.
    pub(super) unsafe fn write_back(self, _: *const u8, _: usize) {
        match self {}
    }
}

/// Never used: there is no [`Line`] to go with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nt;

pub(super) fn nt() -> Nt {
    Nt
}

impl Nt {
    pub(super) fn name(self) -> &'static str {
        "none"
    }

    /// # Safety
    /// None to keep: it cannot be called.
    pub(super) unsafe fn stream(self, line: Line, _: *mut u8, _: &[u8]) {
        match line {}
    }
}

pub(super) fn fence() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

pub(super) fn ticks() -> u64 {
    0
}
