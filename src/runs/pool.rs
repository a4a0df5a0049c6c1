//! Segment files ready to be written: made ahead of need, recycled in place.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tierlog_tiers::nvme::{FileName, Nvme, NvmeFile};

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
        let ready = self.state().free.pop();
        if let Some(number) = ready {
            let file = self.nvme.open(FileName::Segment(number), true)?;
            if file.len() == self.segment_bytes {
                return Ok((number, file, false));
            }
            // Left unfinished by a killed process.
            drop(file);
            self.nvme.remove(FileName::Segment(number))?;
        }
        let (number, file) = self.make()?;
        Ok((number, file, true))
    }

    fn make(&self) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let number = {
            let mut state = self.state();
            state.next += 1;
            state.next - 1
        };
        Ok((number, self.nvme.create(FileName::Segment(number), self.segment_bytes)?))
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
        self.give_back(number);
        Ok(true)
    }

    pub(crate) fn give_back(&self, number: u32) {
        self.state().free.push(number);
    }

    pub(crate) fn free(&self) -> usize {
        self.state().free.len()
    }
}
