//! Records of many sizes, the same at each run.

/// A stream of pseudo-random numbers (xorshift64).
#[derive(Debug, Clone)]
pub struct Sizes(u64);

impl Default for Sizes {
    fn default() -> Self {
        Sizes(0x9e37_79b9_7f4a_7c15)
    }
}

impl Sizes {
    /// The next one in `from..=to`.
    #[inline]
    pub fn next(&mut self, from: usize, to: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + (self.0 % (to - from + 1) as u64) as usize
    }
}
