//! The line from counter to time, and how it is bent without ever going down.
//!
//! A [`Line`] has three pieces: the one in force, the next, and a *floor* rate for when nobody comes to bend it again.
//! The next piece starts only where the one in force ends ([`Line::refit`]). So an older line, still used by a thread
//! that has not seen the newer one, agrees with it up to that point and lies below it beyond: whoever synchronises
//! goes from the older to the newer, and up. No deadline has to be kept for that, only for accuracy.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use super::counter::Sample;

/// Time from a tick on, at a rate in nanoseconds a tick, scaled by 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start: u64,
    base_ns: u64,
    rate: u64,
}

impl Piece {
    #[inline]
    fn at(self, ticks: u64) -> u64 {
        let span = u128::from(ticks.saturating_sub(self.start));
        self.base_ns.saturating_add(((span * u128::from(self.rate)) >> 32) as u64)
    }

    /// Time where a next piece takes over at `ticks`: rounded up, or the fraction lost would put it a nanosecond lower.
    fn handover(self, ticks: u64) -> u64 {
        self.at(ticks).saturating_add(1)
    }
}

/// Time as a function of the counter: it never goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pieces: [Piece; 3],
}

/// What stays fixed while a line is bent again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The rate after the last piece, and the lowest of any: a thousandth below the counter's first rate. A line that
    /// leads UTC comes back by a millisecond a second.
    floor: u64,
    /// The length of a piece in ticks.
    lease: u64,
}

/// The rate between two samples, or `None` where they lie too close or the counter stood.
fn rate_between(from: Sample, to: Sample) -> Option<u64> {
    let ticks = to.ticks.checked_sub(from.ticks)?;
    let span_ns = to.steady_ns.checked_sub(from.steady_ns)?;
    let rate = (u128::from(span_ns) << 32).checked_div(u128::from(ticks))?;
    u64::try_from(rate).ok().filter(|rate| *rate > 0)
}

impl Line {
    /// The line through two samples some milliseconds apart, in pieces of `lease_ns`. `None` if the counter did not
    /// move.
    pub(super) fn first(from: Sample, to: Sample, lease_ns: u64) -> Option<(Self, Bounds)> {
        let rate = rate_between(from, to)?;
        let lease = u64::try_from((u128::from(lease_ns) << 32) / u128::from(rate)).ok()?;
        let bounds = Bounds { floor: rate - rate / 1000, lease };
        let now = Piece { start: to.ticks, base_ns: to.utc_ns, rate };
        Some((Self { pieces: [now, now, Self::last(now, &bounds)] }, bounds))
    }

    /// The piece at the floor rate that follows `piece`.
    fn last(piece: Piece, bounds: &Bounds) -> Piece {
        let start = piece.start.saturating_add(bounds.lease);
        Piece { start, base_ns: piece.handover(start), rate: bounds.floor }
    }

    /// Nanoseconds since 1970 at `ticks`.
    #[inline]
    pub(super) fn at(&self, ticks: u64) -> u64 {
        let [now, next, last] = &self.pieces;
        if ticks < next.start {
            // Behind even the piece in force: the counter was reset (suspend). What was given out lies below the last.
            if ticks < now.start { last.base_ns } else { now.at(ticks) }
        } else if ticks < last.start {
            next.at(ticks)
        } else {
            last.at(ticks)
        }
    }

    /// This line with a next piece that leads to UTC as of `now`, at the rate seen since `before`; `None` while the
    /// next piece has not begun. A line behind UTC jumps up to it; one that leads is slowed, at most to the floor.
    pub(super) fn refit(&self, before: Sample, now: Sample, bounds: &Bounds) -> Option<Self> {
        let [_, next, last] = self.pieces;
        if now.ticks < before.ticks {
            return Some(self.restart(now, bounds));
        }
        if now.ticks < next.start {
            return None;
        }
        let force = if now.ticks < last.start { next } else { last };
        let rate = rate_between(before, now).unwrap_or(next.rate).max(bounds.floor);
        let start = last.start.max(now.ticks);
        let utc = Piece { start: now.ticks, base_ns: now.utc_ns, rate };
        let (reached, wanted) = (force.handover(start), utc.at(start));
        let mut piece = Piece { start, base_ns: reached.max(wanted), rate };
        if reached > wanted {
            let climb = utc.at(start.saturating_add(bounds.lease)).saturating_sub(reached);
            let rate = (u128::from(climb) << 32) / u128::from(bounds.lease.max(1));
            piece.rate = u64::try_from(rate).unwrap_or(u64::MAX).max(bounds.floor);
        }
        Some(Self { pieces: [force, piece, Self::last(piece, bounds)] })
    }

    /// A line for a counter that was reset: from UTC, or from what the old one stood at if that is higher.
    fn restart(&self, now: Sample, bounds: &Bounds) -> Self {
        let [_, next, last] = self.pieces;
        let piece = Piece { start: now.ticks, base_ns: now.utc_ns.max(last.base_ns), rate: next.rate };
        Self { pieces: [piece, piece, Self::last(piece, bounds)] }
    }
}

const PIECE_WORDS: usize = 3;
const WORDS: usize = 3 * PIECE_WORDS;

/// A line that one thread replaces and any number read, without waiting.
///
/// Two slots: the newest line is in the slot of its number's parity, and the other one is rewritten. A reader repeats
/// only if a replacement (one a second) fell into its read.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Published {
    number: AtomicU64,
    slots: [[AtomicU64; WORDS]; 2],
}

impl Published {
    pub(super) fn new(line: &Line) -> Self {
        let words = line.words();
        let slot = || std::array::from_fn(|at| AtomicU64::new(words[at]));
        Self { number: AtomicU64::new(0), slots: [slot(), slot()] }
    }

    /// The newest line applied to a counter that is read after it. On the path of every commit: nearly always one look at
    /// two pieces is all, and no register is saved for the rest.
    #[inline]
    pub(super) fn at(&self, ticks: impl Fn() -> u64) -> u64 {
        let number = self.number.load(Acquire);
        let now = in_the_first_two(&self.slots[number as usize & 1], ticks());
        fence(Acquire);
        match now {
            Some(now) if self.number.load(Relaxed) == number => now,
            _ => self.at_last(ticks),
        }
    }

    #[cold]
    #[inline(never)]
    fn at_last(&self, ticks: impl Fn() -> u64) -> u64 {
        loop {
            let number = self.number.load(Acquire);
            let line =
                Line::from_words(self.slots[number as usize & 1].each_ref().map(|word| word.load(Relaxed)));
            let now = line.at(ticks());
            fence(Acquire);
            if self.number.load(Relaxed) == number {
                return now;
            }
        }
    }

    /// Replaces the line. One caller at a time: a second one would only leave a mixed line, so the owner holds a lock.
    pub(super) fn replace(&self, line: &Line) {
        let number = self.number.load(Relaxed).wrapping_add(1);
        // A reader that sees a word of the new line also sees the number that took its slot away.
        fence(Release);
        for (slot, word) in self.slots[number as usize & 1].iter().zip(line.words()) {
            slot.store(word, Relaxed);
        }
        self.number.store(number, Release);
    }
}

#[inline]
fn in_the_first_two(words: &[AtomicU64; WORDS], ticks: u64) -> Option<u64> {
    let word = |at: usize| words[at].load(Relaxed);
    let at = if ticks < word(PIECE_WORDS) { 0 } else { PIECE_WORDS };
    let piece = Piece { start: word(at), base_ns: word(at + 1), rate: word(at + 2) };
    (piece.start <= ticks && ticks < word(at + PIECE_WORDS)).then(|| piece.at(ticks))
}

impl Line {
    fn words(&self) -> [u64; WORDS] {
        let [a, b, c] = self.pieces;
        [a.start, a.base_ns, a.rate, b.start, b.base_ns, b.rate, c.start, c.base_ns, c.rate]
    }

    #[inline]
    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        let piece = |at: usize| Piece { start: words[at], base_ns: words[at + 1], rate: words[at + 2] };
        Self { pieces: [piece(0), piece(3), piece(6)] }
    }
}
