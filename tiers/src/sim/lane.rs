//! The writer of a range of a simulated tail.
//!
//! Owns, once somebody asked for a slice, a copy of the range: what a caller writes into it is compared with the tail at
//! the lane's next operation. Readers see it from then on.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::event::Stored;
use super::mutant::Mutant;
use super::tail::SimTail;
use crate::tail::{Fault, Tail as _, TailLane, TailMedium};

const LINE: usize = 64;

/// The exclusive writer of a range of a [`SimTail`].
///
/// Its flushes and fences are those of the thread that calls, or of the one it acts as ([`as_thread`](super::as_thread)).
pub struct SimLane {
    tail: Arc<SimTail>,
    at: u64,
    len: usize,
    crossover: usize,
    plain: Stored,
    copy: OnceCell<Box<[u8]>>,
    /// The part of the copy that was given out for writing.
    lent: Cell<Option<(usize, usize)>>,
    /// Page medium: what the next fence syncs.
    dirty: Range<usize>,
    /// Flushes to start after the next fence, of a mutant.
    late: Vec<(usize, usize)>,
}

impl SimLane {
    pub(super) fn new(tail: Arc<SimTail>, at: u64, len: usize) -> SimLane {
        let (crossover, plain) = (tail.crossover(), tail.plain);
        SimLane {
            tail,
            at,
            len,
            crossover,
            plain,
            copy: OnceCell::new(),
            lent: Cell::new(None),
            dirty: 0..0,
            late: Vec::new(),
        }
    }

    #[track_caller]
    fn check(&self, at: usize, len: usize) {
        assert!(at <= self.len && len <= self.len - at, "bytes {at}+{len} of a lane of {}", self.len);
    }

    fn copy(&self) -> &[u8] {
        self.copy.get_or_init(|| {
            let mut bytes = vec![0; self.len].into_boxed_slice();
            self.tail.peek(self.at, &mut bytes);
            bytes
        })
    }

    /// Stores what was written in place since the slice was given out.
    fn settle(&mut self) {
        let (Some((at, len)), Some(copy)) = (self.lent.take(), self.copy.get()) else { return };
        let mut old = vec![0; len];
        self.tail.peek(self.at + at as u64, &mut old);
        let new = &copy[at..at + len];
        let differs = |(a, b): (&u8, &u8)| a != b;
        if let Some(first) = old.iter().zip(new).position(differs) {
            let last = old.iter().zip(new).rposition(differs).expect("there is a first");
            self.tail.store(self.at + (at + first) as u64, &new[first..=last], Stored::InPlace);
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8], how: Stored) {
        self.settle();
        self.check(at, bytes.len());
        if let Some(copy) = self.copy.get_mut() {
            copy[at..at + bytes.len()].copy_from_slice(bytes);
        }
        if !bytes.is_empty() {
            self.tail.store(self.at + at as u64, bytes, how);
        }
    }

    /// What of a range is flushed: all of it, but for a mutant.
    fn flushed_part(&self, at: usize, len: usize) -> (usize, usize) {
        let (first, last) = (at / LINE, (at + len - 1) / LINE);
        if first < last && self.tail.is(Mutant::FlushSkipsFirstLine) {
            ((first + 1) * LINE, at + len - (first + 1) * LINE)
        } else if first < last && self.tail.is(Mutant::FlushSkipsLastLine) {
            (at, last * LINE - at)
        } else {
            (at, len)
        }
    }

    /// The range, in the tail's offsets.
    fn of(&self) -> Range<u64> {
        self.at..self.at + self.len as u64
    }

    fn fence_lines(&mut self) -> Result<(), Fault> {
        let skips = self.tail.is(Mutant::FenceSkipsLane) && self.tail.is_first_lane(self.at);
        if skips || self.tail.is(Mutant::FenceDoesNothing) {
            return self.tail.look(self.of());
        }
        let fenced = self.tail.fence(self.of());
        for (at, len) in std::mem::take(&mut self.late) {
            self.tail.flush(self.at + at as u64, len as u64);
        }
        fenced
    }
}

impl TailLane for SimLane {
    fn len(&self) -> usize {
        self.len
    }

    fn crossover(&self) -> usize {
        self.crossover
    }

    fn store(&mut self, at: usize, bytes: &[u8]) {
        self.put(at, bytes, self.plain);
    }

    fn stream(&mut self, at: usize, bytes: &[u8]) {
        assert!((at | bytes.len()).is_multiple_of(LINE), "stream of partial cache lines");
        if self.tail.by_line() {
            self.put(at, bytes, Stored::Stream);
        } else {
            self.put(at, bytes, self.plain);
            self.flush(at, bytes.len());
        }
    }

    fn store_word(&mut self, at: usize, word: u64) {
        assert!(at.is_multiple_of(8), "a word lies on a multiple of 8");
        let how = match () {
            () if self.tail.is(Mutant::WordTorn) => Stored::Halves,
            () if self.tail.is(Mutant::WordFirst) => Stored::Loose,
            () => Stored::Word,
        };
        self.put(at, &word.to_le_bytes(), how);
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.check(at, len);
        self.tail.load(self.at + at as u64, len as u64);
        &self.copy()[at..at + len]
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.settle();
        self.check(at, len);
        self.tail.load(self.at + at as u64, len as u64);
        self.copy();
        self.lent.set(Some((at, len)));
        let copy = self.copy.get_mut().expect("just made");
        &mut copy[at..at + len]
    }

    fn flush(&mut self, at: usize, len: usize) {
        self.settle();
        self.check(at, len);
        if len == 0 {
            return;
        }
        let (at, len) = self.flushed_part(at, len);
        match self.tail.medium() {
            TailMedium::FsDax { eadr: false } | TailMedium::DevDax { eadr: false } | TailMedium::Emulated
                if self.tail.is(Mutant::FlushAfterFence) =>
            {
                self.late.push((at, len));
            }
            TailMedium::FsDax { eadr: false } | TailMedium::DevDax { eadr: false } | TailMedium::Emulated => {
                self.tail.flush(self.at + at as u64, len as u64);
            }
            TailMedium::Page => {
                let before = if self.dirty.is_empty() { at..at } else { self.dirty.clone() };
                self.dirty = before.start.min(at)..before.end.max(at + len);
            }
            TailMedium::FsDax { eadr: true } | TailMedium::DevDax { eadr: true } | TailMedium::File => {}
        }
    }

    fn fence(&mut self) -> Result<(), Fault> {
        self.settle();
        match self.tail.medium() {
            TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated => self.fence_lines(),
            TailMedium::Page if self.tail.is(Mutant::FenceDoesNothing) => self.tail.look(self.of()),
            TailMedium::Page => {
                let dirty = std::mem::take(&mut self.dirty);
                self.tail.sync(self.of(), self.at + dirty.start as u64, dirty.len() as u64)
            }
            TailMedium::File => self.tail.fence(self.of()),
        }
    }
}

impl Drop for SimLane {
    fn drop(&mut self) {
        self.settle();
        self.tail.give_back(self.at);
    }
}

impl fmt::Debug for SimLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimLane")
            .field("tail", &self.tail)
            .field("at", &self.at)
            .field("len", &self.len)
            .finish()
    }
}
