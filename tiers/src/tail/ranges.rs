//! Which ranges of a tail have a writer.

use std::collections::BTreeMap;

use super::RangeTaken;

/// Ranges given out: not empty, disjoint, each from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Gives out `at..at + len` of a tail of `total` bytes.
    pub(crate) fn take(&mut self, at: u64, len: u64, total: u64) -> Result<(), RangeTaken> {
        let end = at.saturating_add(len);
        let whole_lines = at.is_multiple_of(64) && len.is_multiple_of(64);
        if len == 0 || !whole_lines || end > total || self.overlaps(at, end) {
            return Err(RangeTaken { at, end });
        }
        self.0.insert(at, end);
        Ok(())
    }

    /// Takes back what was given out from `at`.
    pub(crate) fn give_back(&mut self, at: u64) {
        self.0.remove(&at);
    }

    /// Whether any byte of `at..end` is given out.
    pub(crate) fn overlaps(&self, at: u64, end: u64) -> bool {
        self.0.range(..end).next_back().is_some_and(|(_, &last)| at < end && last > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disjoint_aligned_and_in_bounds() {
        let mut ranges = Ranges::default();
        ranges.take(128, 128, 1024).unwrap();
        ranges.take(256, 64, 1024).unwrap();
        ranges.take(0, 128, 1024).unwrap();
        for (at, len) in
            [(128, 128), (192, 64), (64, 128), (0, 1024), (320, 0), (320, 8), (328, 64), (960, 128)]
        {
            assert!(ranges.take(at, len, 1024).is_err(), "{at}+{len}");
        }
        assert_eq!(
            ranges.take(u64::MAX - 63, 128, 1024),
            Err(RangeTaken { at: u64::MAX - 63, end: u64::MAX }),
            "no wrap"
        );
        ranges.give_back(128);
        assert!(!ranges.overlaps(128, 256) && ranges.overlaps(100, 129) && ranges.overlaps(255, 257));
        assert!(!ranges.overlaps(0, 0) && !ranges.overlaps(10, 10), "no bytes, no overlap");
        ranges.take(192, 64, 1024).unwrap();
    }
}
