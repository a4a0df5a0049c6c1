//! The exclusive writer of a range of a mapped tail: the hot path.
//!
//! No lock, no allocation, no system call but the `msync` of a page medium's fence.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Release, SeqCst};
use std::sync::atomic::compiler_fence;

use super::guard::FaultState;
use super::mapped::Mapped;
use super::{Fault, TailLane, TailMedium};
use crate::persist::{Flush, LINE, Persist};

/// What a flush and a fence are.
#[derive(Debug, Clone, Copy)]
#[repr(u8)] // A tag of its own, told apart by one comparison.
pub(super) enum How {
    /// Write-back by cache line, then a fence.
    Lines(Persist),
    /// `msync` at the fence.
    Page,
    /// Nothing: the page cache outlives the process.
    File,
}

impl How {
    /// What they are on this medium, with the write-back that was named; why not, if it cannot be had.
    pub(super) fn new(medium: TailMedium, flush: Option<Flush>) -> Result<How, String> {
        let named = match (medium, flush) {
            (TailMedium::File, _) => return Ok(How::File),
            (TailMedium::Page, _) => return Ok(How::Page),
            (TailMedium::FsDax { eadr: false } | TailMedium::DevDax { eadr: false }, Some(Flush::Fence)) => {
                return Err(
                    "a fence alone persists nothing where the caches are outside the persistence domain"
                        .into(),
                );
            }
            (TailMedium::FsDax { eadr: true } | TailMedium::DevDax { eadr: true }, None) => {
                Some(Flush::Fence)
            }
            (TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated, flush) => flush,
        };
        Persist::detect(named).map(How::Lines).map_err(|e| e.to_string())
    }

    pub(super) fn persist(self) -> Option<Persist> {
        if let How::Lines(persist) = self { Some(persist) } else { None }
    }
}

/// The exclusive writer of a range of a [`Mapped`] tail.
///
/// Readers may copy out of the range at any time, with atomic loads, in this process or another; they validate what
/// they get. Hence the stores here need no more than to be nobody else's.
pub struct MappedLane {
    base: NonNull<u8>,
    len: usize,
    how: How,
    crossover: usize,
    /// Page medium: what the next fence has to write, in the lane's offsets.
    dirty: Range<usize>,
    faults: Arc<FaultState>,
    tail: Arc<Mapped>,
    at: usize,
}

// SAFETY: the range is this value's alone, wherever that goes; the tail behind it is Send and Sync.
unsafe impl Send for MappedLane {}

impl MappedLane {
    /// The caller has registered the range, which lies in the tail, as this lane's.
    pub(super) fn new(tail: Arc<Mapped>, at: usize, len: usize, how: How, crossover: usize) -> MappedLane {
        let words = &tail.map().words()[at / 8..(at + len) / 8];
        debug_assert_eq!(words.len() * 8, len);
        // SAFETY: `at` is inside the mapping, by the slice above.
        let base = unsafe { tail.map().base().add(at) };
        let faults = Arc::clone(tail.map().faults());
        MappedLane { base, len, how, crossover, dirty: 0..0, faults, tail, at }
    }

    /// Start of a range of this lane.
    #[inline]
    fn range(&self, at: usize, len: usize) -> *mut u8 {
        if at > self.len || len > self.len - at {
            out_of_bounds(at, len, self.len);
        }
        // SAFETY: in bounds of the mapping, just checked.
        unsafe { self.base.as_ptr().add(at) }
    }

    /// Page medium: adds to what the next fence writes.
    fn touch(&mut self, at: usize, len: usize) {
        if len > 0 {
            let before = if self.dirty.is_empty() { at..at } else { self.dirty.clone() };
            self.dirty = before.start.min(at)..before.end.max(at + len);
        }
    }

    /// There are faults: whether one is ours. Another lane's is its own.
    #[cold]
    fn fault(&self) -> Result<(), Fault> {
        self.faults.concerning(self.at, self.len).map_or(Ok(()), |at| Err(self.tail.fault(at)))
    }

    #[cold]
    fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        if !dirty.is_empty() {
            self.tail.sync(self.at + dirty.start, dirty.len());
        }
    }
}

#[cold]
fn out_of_bounds(at: usize, len: usize, end: usize) -> ! {
    panic!("bytes {at}+{len} of a lane of {end}")
}

impl TailLane for MappedLane {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn crossover(&self) -> usize {
        self.crossover
    }

    #[inline]
    fn store(&mut self, at: usize, bytes: &[u8]) {
        let to = self.range(at, bytes.len());
        // SAFETY: in bounds, ours alone; `bytes` is not in the range, for `self` is borrowed mutably.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    #[inline]
    fn stream(&mut self, at: usize, bytes: &[u8]) {
        assert!((at | bytes.len()).is_multiple_of(LINE), "stream of partial cache lines");
        let to = self.range(at, bytes.len());
        match self.how {
            // SAFETY: as for `store`; whole lines, and the lane starts on one.
            How::Lines(persist) => unsafe { persist.stream(to, bytes) },
            How::Page | How::File => {
                self.store(at, bytes);
                self.flush(at, bytes.len());
            }
        }
    }

    #[inline(always)]
    fn stream_line(&mut self, at: usize, words: [u64; LINE / 8]) {
        assert!(at.is_multiple_of(LINE), "stream of a partial cache line");
        let to = self.range(at, LINE);
        match self.how {
            // SAFETY: as for `stream`.
            How::Lines(persist) => unsafe { persist.stream_line(to, words) },
            How::Page | How::File => self.stream(at, words.map(u64::to_le_bytes).as_flattened()),
        }
    }

    #[inline]
    fn store_word(&mut self, at: usize, word: u64) {
        assert!(at.is_multiple_of(8), "a word lies on a multiple of 8");
        let to = self.range(at, 8);
        // SAFETY: in bounds and aligned: the lane starts on a line.
        unsafe { AtomicU64::from_ptr(to.cast()) }.store(word, Release);
    }

    #[inline]
    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let start = self.range(at, len);
        // SAFETY: in bounds and borrowed from `self`, so that nobody stores meanwhile; any bytes are a valid slice.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        let start = self.range(at, len);
        // SAFETY: in bounds, ours alone, borrowed from `self`; any bytes are a valid slice.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    #[inline]
    fn flush(&mut self, at: usize, len: usize) {
        let start = self.range(at, len);
        match self.how {
            // SAFETY: in bounds of the mapping, which the tail keeps.
            How::Lines(persist) => unsafe { persist.write_back(start, len) },
            How::Page => self.touch(at, len),
            How::File => {}
        }
    }

    #[inline]
    fn fence(&mut self) -> Result<(), Fault> {
        match self.how {
            How::Lines(persist) => persist.fence(),
            How::Page => self.sync(),
            How::File => {}
        }
        // The stores first, then the faults they met. A thread that stores into a covered page without faulting itself
        // does so microseconds after the note was taken, beyond what a load can be early.
        compiler_fence(SeqCst);
        if self.faults.first().is_none() { Ok(()) } else { self.fault() }
    }
}

impl Drop for MappedLane {
    fn drop(&mut self) {
        self.tail.give_back(self.at as u64);
    }
}

impl fmt::Debug for MappedLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MappedLane { at, len, how, tail, .. } = self;
        f.debug_struct("MappedLane")
            .field("at", at)
            .field("len", len)
            .field("how", how)
            .field("tail", tail)
            .finish()
    }
}
