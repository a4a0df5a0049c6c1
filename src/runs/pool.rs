//! Segment files ready to be written: made ahead of need, recycled in place.

use std::io;
use std::sync::{Arc, PoisonError};

use tierlog_tiers::nvme::{FileName, Nvme, NvmeFile};
use tierlog_tiers::sync::{Mutex, MutexGuard};

/// Files that hold nothing that counts; what is stale in them never validates.
#[derive(Debug)]
pub(crate) struct Pool {
    nvme: Arc<dyn Nvme>,
    segment_bytes: u64,
    spare: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: Vec<u32>,
    next: u32,
}

impl Pool {
    pub(crate) fn new(
        nvme: Arc<dyn Nvme>,
        segment_bytes: u64,
        spare: u32,
        free: Vec<u32>,
        next: u32,
    ) -> Self {
        Pool { nvme, segment_bytes, spare: spare as usize, state: Mutex::new(State { free, next }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file open for writing, and whether it had to be made now.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn take(&self) -> io::Result<(u32, Arc<dyn NvmeFile>, bool)> {
        loop {
            let Some(number) = self.state().free.pop() else { break };
            let file = self.nvme.open(FileName::Segment(number), true)?;
            if file.len() == self.segment_bytes {
                return Ok((number, file, false));
            }
            // Left unfinished by a killed process, or made for a single pass.
            drop(file);
            self.nvme.remove(FileName::Segment(number))?;
        }
        let (number, file) = self.make()?;
        Ok((number, file, true))
    }

    fn make(&self) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let number = self.number();
        Ok((number, self.nvme.create(FileName::Segment(number), self.segment_bytes)?))
    }

    /// A new file of `bytes`, at most a segment's, that is written once, from its beginning to its end.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn make_for(&self, bytes: u64) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let (number, bytes) = (self.number(), bytes.min(self.segment_bytes));
        Ok((number, self.nvme.allocate(FileName::Segment(number), bytes)?))
    }

    fn number(&self) -> u32 {
        let mut state = self.state();
        state.next += 1;
        state.next - 1
    }

    /// Makes a file if there are fewer than asked for. True if it did.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn prepare(&self) -> io::Result<bool> {
        if self.state().free.len() >= self.spare {
            return Ok(false);
        }
        let (number, file) = self.make()?;
        drop(file);
        self.state().free.push(number);
        Ok(true)
    }

    /// Takes a file back whose frames are not needed any more.
    pub(crate) fn give_back(&self, number: u32) {
        let name = FileName::Segment(number);
        let len = self.nvme.open(name, false).map(|file| file.len());
        match len {
            // Made for a single pass: an overwrite could be more than that.
            Ok(len) if len != self.segment_bytes => {
                if let Err(error) = self.nvme.remove(name) {
                    tracing::warn!(%error, "a segment file that is not needed stays");
                }
            }
            _ => self.state().free.push(number),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.state().free.len()
    }
}

#[cfg(test)]
mod tests {
    use tierlog_tiers::nvme::{Directory, DirectoryOptions};

    use super::*;

    const SEGMENT_BYTES: u64 = 65536;

    #[test]
    fn files_made_for_one_pass_are_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let nvme = Arc::new(Directory::open(dir.path(), &DirectoryOptions::default()).unwrap());
        let pool = Pool::new(nvme.clone(), SEGMENT_BYTES, 0, Vec::new(), 1);
        let lens = [4096, SEGMENT_BYTES, 2 * SEGMENT_BYTES].map(|bytes| {
            let (number, file) = pool.make_for(bytes).unwrap();
            (number, file.len())
        });
        assert_eq!(lens, [(1, 4096), (2, SEGMENT_BYTES), (3, SEGMENT_BYTES)]);
        pool.give_back(1);
        assert_eq!(
            (pool.free(), nvme.files().unwrap()),
            (0, vec![FileName::Segment(2), FileName::Segment(3)])
        );
    }

    #[test]
    fn whole_files_are_used_again_and_others_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let nvme = Arc::new(Directory::open(dir.path(), &DirectoryOptions::default()).unwrap());
        for (number, len) in [(1, SEGMENT_BYTES), (2, 4096)] {
            drop(nvme.create(FileName::Segment(number), len).unwrap());
        }
        let pool = Pool::new(nvme.clone(), SEGMENT_BYTES, 0, vec![1, 2], 3);
        let (number, file, made) = pool.take().unwrap();
        assert_eq!((number, file.len(), made), (1, SEGMENT_BYTES, false), "2 was left unfinished");
        drop(file);
        pool.give_back(1);
        assert_eq!((pool.free(), nvme.files().unwrap()), (1, vec![FileName::Segment(1)]));
    }
}
