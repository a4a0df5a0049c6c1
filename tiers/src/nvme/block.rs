//! The aligned buffer.
//!
//! Owns one heap allocation. Invariants: address and length are multiples of [`BLOCK_BYTES`], every byte is
//! initialised, and `0 < len <= capacity`.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::BLOCK_BYTES;

/// A buffer fit for direct I/O: address and length are multiples of [`BLOCK_BYTES`].
pub struct Block {
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: a block is the only owner of its bytes, like a `Box<[u8]>`.
unsafe impl Send for Block {}
// SAFETY: a shared block only gives out shared slices, like a `Box<[u8]>`.
unsafe impl Sync for Block {}

impl Block {
    /// `len` zero bytes.
    ///
    /// # Panics
    /// If `len` is 0 or no multiple of [`BLOCK_BYTES`].
    pub fn zeroed(len: usize) -> Block {
        assert!(len > 0 && len.is_multiple_of(BLOCK_BYTES), "a block of {len} bytes");
        let layout = layout(len);
        // SAFETY: the layout's size is `len`, which is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Block { start, len, capacity: len },
            None => handle_alloc_error(layout),
        }
    }

    /// Bytes allocated, a multiple of [`BLOCK_BYTES`].
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes it shorter, or longer again up to what it was made with; bytes stay as they are.
    ///
    /// # Panics
    /// If `len` is 0, no multiple of [`BLOCK_BYTES`], or more than it was made with.
    pub fn resize(&mut self, len: usize) {
        assert!(len > 0 && len.is_multiple_of(BLOCK_BYTES) && len <= self.capacity, "a block of {len} bytes");
        self.len = len;
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, BLOCK_BYTES).expect("a block is smaller than the address space")
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this very layout and is freed once, here.
        unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes from `start` are allocated, initialised by zeroing, and borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("len", &self.len).finish_non_exhaustive()
    }
}
