//! What all queues keep: files that await a flush, runs to be read back, the first error, and spare buffers.
//!
//! Invariant: once there is an error, nothing is accepted, nothing settles, and nothing is proved.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::file::check_range;
use super::{Block, DirectoryError, NvmeFile};

/// Spare blocks kept at most: as many as are under way at most, written and read back.
const SPARES_MAX: usize = 16;

/// What a run leaves behind, to be read back by.
#[derive(Debug)]
pub(crate) struct Written {
    pub(super) file: Arc<dyn NvmeFile>,
    pub(super) at: u64,
    len: usize,
    /// CRC-32C; 0 where nothing is read back.
    sum: u32,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    dir: PathBuf,
    written: Vec<Arc<dyn NvmeFile>>,
    first: Option<Arc<io::Error>>,
    spares: Vec<Block>,
    reads_back: bool,
    /// Runs written since the last flush.
    landed: Vec<Written>,
    /// Those of each settle, oldest first.
    settled: VecDeque<Vec<Written>>,
    /// Those that are to be read back now.
    pub(super) proving: VecDeque<Written>,
}

impl Ledger {
    pub(crate) fn new(dir: PathBuf) -> Ledger {
        Ledger {
            dir,
            written: Vec::new(),
            first: None,
            spares: Vec::new(),
            reads_back: false,
            landed: Vec::new(),
            settled: VecDeque::new(),
            proving: VecDeque::new(),
        }
    }

    pub(crate) fn read_back(&mut self) {
        self.reads_back = true;
    }

    /// A run is written: its block is free.
    pub(crate) fn land(&mut self, written: Written, run: Block) {
        if self.reads_back {
            self.landed.push(written);
        }
        self.spare(run);
    }

    /// The oldest settle is to be read back now.
    pub(crate) fn begin_proof(&mut self) {
        self.proving.extend(self.settled.pop_front().unwrap_or_default());
    }

    /// A block to read a run back into.
    pub(super) fn block_for(&mut self, written: &Written) -> Block {
        self.block(written.len)
    }

    /// Takes in what was read in the place of a run.
    pub(super) fn compare(&mut self, written: &Written, back: Block) {
        if crc32c::crc32c(&back) != written.sum {
            let what = format!("the run at {} reads back otherwise", written.at);
            self.fail(written.file.as_ref(), io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.spare(back);
    }

    /// Reads back one run after the other.
    pub(crate) fn prove(&mut self) -> io::Result<()> {
        while let Some(written) = self.proving.pop_front() {
            self.check()?;
            let mut back = self.block_for(&written);
            match written.file.read(written.at, &mut back) {
                Ok(()) => self.compare(&written, back),
                Err(error) => self.fail(written.file.as_ref(), error),
            }
        }
        self.check()
    }

    /// A block of `len` bytes: the smallest spare that is large enough, or a new one.
    pub(crate) fn block(&mut self, len: usize) -> Block {
        let large = self.spares.iter().enumerate().filter(|(_, spare)| spare.capacity() >= len);
        match large.min_by_key(|(_, spare)| spare.capacity()).map(|(index, _)| index) {
            Some(index) => {
                let mut spare = self.spares.swap_remove(index);
                spare.resize(len);
                spare
            }
            None => Block::zeroed(len),
        }
    }

    /// Takes a block back; of too many the smallest goes.
    pub(crate) fn spare(&mut self, block: Block) {
        self.spares.push(block);
        if self.spares.len() > SPARES_MAX {
            let smallest = self.spares.iter().enumerate().min_by_key(|(_, spare)| spare.capacity());
            if let Some(index) = smallest.map(|(index, _)| index) {
                self.spares.swap_remove(index);
            }
        }
    }

    /// Lets a write begin, unless an earlier one failed or its range is wrong; notes its file for the flush.
    pub(crate) fn begin(&mut self, file: &Arc<dyn NvmeFile>, at: u64, run: &Block) -> io::Result<Written> {
        self.check()?;
        let path = || self.dir.join(file.name().to_string());
        check_range(file.as_ref(), at, run.len(), io::ErrorKind::InvalidInput)
            .map_err(|error| DirectoryError::new(&path(), "a queued write", error))?;
        if !self.written.iter().any(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(file))) {
            self.written.push(file.clone());
        }
        let sum = if self.reads_back { crc32c::crc32c(run) } else { 0 };
        Ok(Written { file: file.clone(), at, len: run.len(), sum })
    }

    /// The first error, if there was one.
    pub(crate) fn check(&self) -> io::Result<()> {
        match &self.first {
            Some(first) => Err(io::Error::new(first.kind(), First(first.clone()))),
            None => Ok(()),
        }
    }

    /// Notes that a write to `file` failed, or its reading back.
    pub(crate) fn fail(&mut self, file: &dyn NvmeFile, error: io::Error) {
        let path = self.dir.join(file.name().to_string());
        self.poison(DirectoryError::new(&path, "a queued write", error).into());
    }

    /// Notes that the queue itself failed.
    pub(crate) fn fail_at_large(&mut self, error: io::Error) {
        self.poison(DirectoryError::new(&self.dir, "entering io_uring", error).into());
    }

    /// Notes an error; the first one stays.
    fn poison(&mut self, error: io::Error) {
        self.first.get_or_insert_with(|| Arc::new(error));
    }

    /// Flushes each file written since the last time; the caller has waited for the writes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        for file in std::mem::take(&mut self.written) {
            if let Err(error) = file.flush() {
                self.poison(error);
                return self.check();
            }
        }
        if self.reads_back {
            self.settled.push_back(std::mem::take(&mut self.landed));
        }
        Ok(())
    }
}

/// The first error of a queue, handed out as often as it is asked for.
#[derive(Debug)]
struct First(Arc<io::Error>);

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for First {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}
