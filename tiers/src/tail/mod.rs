//! The tail tier: byte-addressable memory in which lanes append.
//!
//! Contents: the seam ([`Tail`], [`TailLane`]) and its implementation over a mapped file or device ([`Mapped`]).

mod copy;
mod domain;
mod error;
pub(crate) mod file;
mod guard;
mod lane;
pub(crate) mod map;
mod mapped;
mod medium;
mod options;
mod probe;
pub(crate) mod ranges;
mod region;
mod shutdown;
mod sigbus;
#[cfg(test)]
mod tests;
mod view;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use error::MapError;
pub use lane::MappedLane;
pub use mapped::Mapped;
pub use medium::MediumAsk;
pub use options::{ALIGN, MapOptions};
pub use probe::{Probed, persistence_domain, probe};
pub use region::is_region;
pub use shutdown::{Shutdowns, shutdowns};
pub use view::MappedView;

/// What a tail's memory really is, as probed, and hence what a flush and a fence there are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailMedium {
    /// File on a DAX file system mapped with `MAP_SYNC`; `eadr`: caches are inside the persistence domain.
    FsDax {
        /// Every region says `cpu_cache`: a fence alone persists.
        eadr: bool,
    },
    /// Device-DAX region (`/dev/daxX.Y`): no file system, no metadata.
    DevDax {
        /// As for `FsDax`.
        eadr: bool,
    },
    /// Durable by `msync` only (virtio-pmem, or an ordinary file where asked for by name).
    Page,
    /// An ordinary mapped file: survives the process, not the machine.
    File,
    /// An ordinary mapped file treated as if it were persistent memory, because the user asked for it.
    Emulated,
}

impl TailMedium {
    /// Whether a fenced store survives power loss, or is to be treated as if it did (`Emulated`).
    pub fn power_safe(self) -> bool {
        !matches!(self, TailMedium::File)
    }

    /// Bytes that one step to durability takes: 1 where caches persist, a cache line, a page; 0 where nothing is taken.
    pub fn granularity_bytes(self) -> u32 {
        match self {
            TailMedium::FsDax { eadr: true } | TailMedium::DevDax { eadr: true } => 1,
            TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated => 64,
            TailMedium::Page => sigbus::page_size() as u32,
            TailMedium::File => 0,
        }
    }
}

/// A load or store met memory that is not there (poison, truncation): its bytes mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: memory fault near byte {at}: the media lost it or the file was truncated")]
pub struct Fault {
    /// The tail's file.
    pub path: String,
    /// Offset of the first page that faulted.
    pub at: u64,
}

/// Why a range was not given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes {at}..{end} of the tail are no whole lines, out of bounds, or belong to a writer already")]
pub struct RangeTaken {
    /// First byte asked for.
    pub at: u64,
    /// End of the range, exclusive.
    pub end: u64,
}

/// The reading side of a tail, all that a view in another process has.
///
/// Reading may race with a lane's writer. The bytes are then arbitrary, never undefined: a caller validates them.
pub trait TailRead: Send + Sync + fmt::Debug + 'static {
    /// Length in bytes, fixed for the life of the value.
    fn len(&self) -> u64;
    /// True for a tail without bytes; no opened tail is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Copies out `out.len()` bytes from `at`.
    ///
    /// # Errors
    /// [`Fault`] if memory under the range is, or was before, unreadable.
    ///
    /// # Panics
    /// If the range is out of bounds.
    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault>;
    /// Shows `len` bytes from `at`, both multiples of 8, to `look`: where they lie if they can be had without a copy. What
    /// it sees means nothing unless this returns `Ok`, and may change under its eyes: load each word once.
    ///
    /// # Errors
    /// As for [`read`](TailRead::read).
    ///
    /// # Panics
    /// As for [`read`](TailRead::read).
    fn look(&self, at: u64, len: usize, look: &mut dyn FnMut(&[AtomicU64])) -> Result<(), Fault> {
        let mut bytes = vec![0; len];
        self.read(at, &mut bytes)?;
        let word = |bytes: &[u8; 8]| AtomicU64::new(u64::from_ne_bytes(*bytes));
        look(&bytes.as_chunks().0.iter().map(word).collect::<Vec<_>>());
        Ok(())
    }
}

/// A tail: one region of memory, shared by all its lanes.
pub trait Tail: TailRead {
    /// The exclusive writer of one range.
    type Lane: TailLane;

    /// What the memory is.
    fn medium(&self) -> TailMedium;
    /// One line for people: medium, path, instructions, granularity.
    fn describe(&self) -> String;
    /// Stores `bytes` at `at` and persists them as this medium persists. For cold paths (superblocks).
    ///
    /// # Errors
    /// [`Fault`] as for reads, also where the medium's own `msync` failed.
    ///
    /// # Panics
    /// If the range is out of bounds or overlaps a live lane's.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Fault>;
    /// Persists a range as it lies (after a crash it may still sit in caches).
    ///
    /// # Errors
    /// As for [`write`](Tail::write).
    fn persist(&self, at: u64, len: u64) -> Result<(), Fault>;
    /// Gives out the range `at..at + len`, a multiple of 64 at both ends, to one writer until that is dropped.
    ///
    /// # Errors
    /// [`RangeTaken`] if it is empty, out of bounds, unaligned, or overlaps a live one.
    fn lane(self: &Arc<Self>, at: u64, len: u64) -> Result<Self::Lane, RangeTaken>;
}

/// The exclusive writer of a range; offsets are relative to its start. Owning it is the proof that nobody else stores
/// there.
///
/// Order: what [`flush`](TailLane::flush) and [`stream`](TailLane::stream) covered is durable after the next
/// [`fence`](TailLane::fence) *by the same thread*. All methods panic when a range is out of bounds.
pub trait TailLane: Send + fmt::Debug {
    /// Length of the range.
    fn len(&self) -> usize;
    /// True for an empty range.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes, a frame's whole lines, from which non-temporal stores beat stores with a flush here: measured at
    /// open, 64 to 4,096; `usize::MAX` where nothing is flushed.
    fn crossover(&self) -> usize;
    /// Ordinary stores through the cache.
    fn store(&mut self, at: usize, bytes: &[u8]);
    /// Non-temporal stores; `at` and `bytes.len()` are multiples of 64.
    fn stream(&mut self, at: usize, bytes: &[u8]);
    /// [`stream`](TailLane::stream) of one line that was just put together, from its words, stored little-endian.
    fn stream_line(&mut self, at: usize, words: [u64; 8]) {
        self.stream(at, words.map(u64::to_le_bytes).as_flattened());
    }
    /// One aligned 8-byte store, release-ordered, never torn: the store that validates a frame.
    fn store_word(&mut self, at: usize, word: u64);
    /// The memory as it stands.
    fn bytes(&self, at: usize, len: usize) -> &[u8];
    /// The memory itself, for callers that build a record in place.
    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8];
    /// Starts the write-back of every cache line that the range touches.
    fn flush(&mut self, at: usize, len: usize);
    /// Waits until everything flushed or streamed by this thread is durable on this medium.
    ///
    /// # Errors
    /// [`Fault`] if any store of this lane may have gone into a page that is not there, ever since it was mapped, or
    /// if the medium refused (`msync`). Another lane's fault is its own.
    fn fence(&mut self) -> Result<(), Fault>;
}
