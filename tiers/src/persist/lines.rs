//! The cache lines of a range.

use super::LINE;

/// Calls `each` with the start of every cache line that the range touches.
#[inline(always)]
pub(super) fn lines(at: *const u8, len: usize, each: impl Fn(*const u8)) {
    let head = at.addr() % LINE;
    let mut line = at.wrapping_sub(head);
    let mut left = head + len;
    while left > 0 {
        each(line);
        line = line.wrapping_add(LINE);
        left = left.saturating_sub(LINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_touched_is_named_once() {
        let seen = |at: usize, len| {
            let lines_seen = std::cell::RefCell::new(Vec::new());
            lines(at as *const u8, len, |l| lines_seen.borrow_mut().push(l.addr()));
            lines_seen.into_inner()
        };
        assert!(seen(128, 0).is_empty());
        assert_eq!(seen(128, 1), [128]);
        assert_eq!(seen(128, 64), [128]);
        assert_eq!(seen(128, 65), [128, 192]);
        assert_eq!(seen(191, 2), [128, 192]);
        assert_eq!(seen(191, 66), [128, 192, 256]);
    }
}
