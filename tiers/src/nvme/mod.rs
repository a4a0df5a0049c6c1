//! The NVMe tier: a directory of fixed-size files, written in whole blocks.
//!
//! Contents: the seam ([`Nvme`], [`NvmeFile`], [`RunQueue`]), the aligned buffer ([`Block`]) and its implementation
//! over a directory ([`Directory`]).

mod block;
mod calibrate;
mod directory;
mod durable;
mod error;
mod file;
mod ledger;
mod listing;
mod lock;
mod measure;
mod medium;
mod name;
mod open;
mod plain;
mod progress;
mod ring;
mod space;
mod syscall;
pub mod trial;
mod uring;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

pub use block::Block;
pub use directory::{Directory, DirectoryOptions};
pub use durable::DurableWay;
pub use error::DirectoryError;
pub use medium::{Calibration, DirectoryMedium, WriteCache};
pub use space::free_bytes;
pub use uring::refusal as uring_refusal;
#[cfg(feature = "sim")]
pub(crate) use {file::check_range, ledger::Ledger};

/// Every offset, length and address handed to a file is a multiple of this many bytes.
pub const BLOCK_BYTES: usize = 4096;

/// The files of a directory: a few named ones and numbered segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileName {
    /// `superblock`: the open record.
    Superblock,
    /// `watermarks`: how far each lane is on this tier.
    Watermarks,
    /// `slots`: what consumers hold back.
    Slots,
    /// `reserve`: room that recovery can have when there is none; holds nothing.
    Reserve,
    /// `NNNNNNNN.seg`: one segment; what it holds is in its header, never in its name.
    Segment(u32),
}

/// A directory of files.
pub trait Nvme: Send + Sync + fmt::Debug {
    /// Names present, in order; foreign names are an error.
    ///
    /// # Errors
    /// `InvalidData` naming a file that does not belong here; otherwise as the system says.
    fn files(&self) -> io::Result<Vec<FileName>>;
    /// Makes a file of `len` zero bytes, *written* (not merely allocated), its name durable. Slow.
    ///
    /// # Errors
    /// `AlreadyExists`; `StorageFull`, after which nothing of it is left behind; otherwise as the system says.
    fn create(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>>;
    /// The same beside commits: in small pieces, with pauses between them that leave the device to others. Slower.
    ///
    /// # Errors
    /// As for [`create`](Nvme::create).
    fn create_beside(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        self.create(name, len)
    }
    /// Makes a file of `len` bytes for one pass from its beginning to its end: its blocks are found, not written. They read
    /// as zeros; the first write to each costs more, and is durable once a queue that made it has settled.
    ///
    /// # Errors
    /// As for [`create`](Nvme::create).
    fn allocate(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        self.create(name, len)
    }
    /// Opens a file; for writing it is locked against other processes for as long as it is open.
    ///
    /// # Errors
    /// `NotFound`; `WouldBlock` if another process has it open for writing after the configured wait.
    fn open(&self, name: FileName, write: bool) -> io::Result<Arc<dyn NvmeFile>>;
    /// Removes a file; durable on return.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: FileName) -> io::Result<()>;
    /// A drainer's own queue of runs.
    ///
    /// # Errors
    /// As the system says; where io_uring is refused the queue falls back to plain writes instead.
    fn queue(&self) -> io::Result<Box<dyn RunQueue>>;
    /// Whether a durable write is known to survive power loss: a device below that is not memory.
    fn power_safe(&self) -> bool;
    /// One line for people: path, file system, device, how a write is made durable, write cache.
    fn describe(&self) -> String;
    /// The directory's identity for telling a copy or a move: when the superblock was made, and its inode, or 0 in simulation.
    ///
    /// # Errors
    /// As the system says.
    fn fingerprint(&self) -> io::Result<u64>;
}

/// One file.
pub trait NvmeFile: Send + Sync + fmt::Debug {
    /// Its name.
    fn name(&self) -> FileName;
    /// Length in bytes.
    fn len(&self) -> u64;
    /// True for an empty file.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills the block from `at`.
    ///
    /// # Errors
    /// `UnexpectedEof` beyond the end; otherwise as the system says.
    fn read(&self, at: u64, into: &mut Block) -> io::Result<()>;
    /// Overwrites from `at`; durable on return.
    ///
    /// # Errors
    /// Any error means that the range holds anything; it is not retried.
    fn write_durable(&self, at: u64, run: &Block) -> io::Result<()>;
    /// Makes every completed write of this file durable (fdatasync).
    ///
    /// # Errors
    /// As the system says; after one, nothing about earlier writes is known.
    fn flush(&self) -> io::Result<()>;
    /// The descriptor that a queue may write to by itself, the same for as long as the file is open; without one the
    /// queue calls [`NvmeFile::write_durable`].
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Overlapped writes of one thread, made durable together.
pub trait RunQueue: Send + fmt::Debug {
    /// A buffer of `len` bytes (a multiple of [`BLOCK_BYTES`]), reused where possible: its bytes are arbitrary.
    fn block(&mut self, len: usize) -> Block;
    /// Queues an overwrite; waits only when the queue is full.
    ///
    /// # Errors
    /// The first error of any queued write.
    fn write(&mut self, file: &Arc<dyn NvmeFile>, at: u64, run: Block) -> io::Result<()>;
    /// Waits for every queued write, then flushes each file that was written. On success all of it is durable.
    ///
    /// # Errors
    /// The first error; nothing of what was queued may then be believed.
    fn settle(&mut self) -> io::Result<()>;
    /// From now on what a settle made durable can be read back: a drive may acknowledge a write and lose it. Each run leaves
    /// a checksum.
    fn read_back(&mut self);
    /// Begins to read back what the oldest settle made durable of those that were not begun: beside later writes where the
    /// queue can do that.
    fn begin_proof(&mut self);
    /// Waits until everything that was begun was read back and found to be what was written.
    ///
    /// # Errors
    /// `InvalidData` naming the first run that is not there, or the first error; nothing that settled since the last
    /// success may then be believed.
    fn prove(&mut self) -> io::Result<()>;
}
