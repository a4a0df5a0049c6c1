//! The loops to compare with: copy, write back, fence, and on to the next lines of the same kind of file.

use crate::persist::Way;
use crate::tail::{Fault, MappedLane, TailLane};

/// Walks a lane from end to end, again and again.
#[derive(Debug)]
pub struct Raw {
    lane: MappedLane,
    at: usize,
}

impl Raw {
    /// Starts at the lane's beginning.
    pub fn new(lane: MappedLane) -> Raw {
        Raw { lane, at: 0 }
    }

    /// Where the next `len` bytes go, on lines of their own.
    #[inline]
    fn step(&mut self, len: usize) -> usize {
        let lines = len.next_multiple_of(64);
        if self.at + lines > self.lane.len() {
            self.at = 0;
        }
        let at = self.at;
        self.at += lines;
        at
    }

    /// Copy, write back each line, fence.
    ///
    /// # Errors
    /// [`Fault`], as a commit's fence.
    #[inline]
    pub fn write_back(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let at = self.step(bytes.len());
        self.lane.store(at, bytes);
        self.lane.flush(at, bytes.len());
        self.lane.fence()
    }

    /// Copy past the cache, fence; whole lines only.
    ///
    /// # Errors
    /// [`Fault`], as a commit's fence.
    #[inline]
    pub fn stream(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let at = self.step(bytes.len());
        self.lane.stream(at, bytes);
        self.lane.fence()
    }

    /// Copies to the next lines in this way; durable after the next [`fence`](Raw::fence).
    ///
    /// # Panics
    /// Past the cache, if `bytes` are not whole lines.
    #[inline]
    pub fn store(&mut self, way: Way, bytes: &[u8]) {
        let to = self.next(bytes.len());
        // SAFETY: `to` is a slice of that length, borrowed mutably.
        unsafe { way.store(to.as_mut_ptr(), bytes) };
    }

    /// The same to the lane's first lines, again and again.
    ///
    /// # Panics
    /// As for [`store`](Raw::store).
    #[inline]
    pub fn store_again(&mut self, way: Way, bytes: &[u8]) {
        let to = self.lane.bytes_mut(0, bytes.len());
        // SAFETY: `to` is a slice of that length, borrowed mutably.
        unsafe { way.store(to.as_mut_ptr(), bytes) };
    }

    /// Waits until what was stored is durable on this medium.
    ///
    /// # Errors
    /// [`Fault`], as a commit's fence.
    #[inline]
    pub fn fence(&mut self) -> Result<(), Fault> {
        self.lane.fence()
    }

    /// The lane itself.
    pub fn lane(&mut self) -> &mut MappedLane {
        &mut self.lane
    }

    /// The next `len` bytes, for a loop with other instructions.
    #[inline]
    pub fn next(&mut self, len: usize) -> &mut [u8] {
        let at = self.step(len);
        self.lane.bytes_mut(at, len)
    }
}
