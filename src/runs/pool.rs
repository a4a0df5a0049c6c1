//! Segment files ready to be written: made and opened ahead of need, recycled in place, within the quota; and the reserve.
//!
//! Invariants: without room `take` changes nothing and may be called again; the reserve is given to recovery alone; a file
//! is open for writing at most once.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_tiers::nvme::{FileName, Nvme, NvmeFile};
use tierlog_tiers::sync::atomic::{AtomicBool, Ordering};
use tierlog_tiers::sync::{Mutex, MutexGuard};

/// What was free for so long is surplus. A segment of the tail is given back at once, and may have taken many of NVMe, which
/// are all wanted again; so are those of a burst by the next one, whose commits would have to make them.
const SURPLUS_AFTER: Duration = Duration::from_secs(300);

/// What a pool goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    pub(crate) segment_bytes: u64,
    /// Files kept ready.
    pub(crate) spare: usize,
    /// Free files beyond are removed, if they were not needed for five minutes.
    pub(crate) free_max: usize,
    /// For segments and the reserve together; 0 is any.
    pub(crate) quota_bytes: u64,
    pub(crate) reserve_bytes: u64,
}

impl PoolLimits {
    /// No spare, no quota, no reserve.
    pub(crate) fn plain(segment_bytes: u64) -> Self {
        PoolLimits { segment_bytes, spare: 0, free_max: usize::MAX, quota_bytes: 0, reserve_bytes: 0 }
    }
}

/// How a file is made ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Haste {
    /// Somebody waits for it.
    Now,
    /// In the background: commits are not to feel it.
    Beside,
}

/// Files that hold nothing that counts; what is stale in them never validates.
#[derive(Debug)]
pub(crate) struct Pool {
    nvme: Arc<dyn Nvme>,
    limits: PoolLimits,
    /// The log is not open yet: what is needed now may take the reserve, and pass the quota.
    recovering: AtomicBool,
    /// Only drainers write to them: files need not be written in full when they are made, the first pass pays for that.
    drained: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Taken from the end.
    free: Vec<Free>,
    /// The fewest that were free since then.
    free_min: usize,
    since: Option<Duration>,
    /// Full, and to be closed by whoever has the time.
    full: Vec<Arc<dyn NvmeFile>>,
    next: u32,
    /// All segment files, whatever they hold.
    files: u64,
    /// Bytes of the reserve that is there.
    reserved: u64,
}

impl State {
    fn open(&self) -> usize {
        self.free.iter().filter(|free| free.file.is_some()).count()
    }

    fn pop(&mut self) -> Option<Free> {
        let free = self.free.pop();
        self.free_min = self.free_min.min(self.free.len());
        free
    }

    /// One that was free all the time, beyond what is kept; beyond that any while the reserve needs the room.
    fn surplus(&mut self, limits: &PoolLimits, now: Duration) -> Option<Free> {
        let since = *self.since.get_or_insert(now);
        let fewest = if self.reserved < limits.reserve_bytes {
            self.free.len()
        } else if now - since < SURPLUS_AFTER {
            return None;
        } else {
            self.free_min.min(self.free.len())
        };
        if fewest > limits.free_max {
            self.free_min = fewest - 1;
            return Some(self.free.remove(0));
        }
        (self.since, self.free_min) = (Some(now), self.free.len());
        None
    }
}

/// A segment file that may be written.
#[derive(Debug)]
struct Free {
    number: u32,
    /// Open already, and whole.
    file: Option<Arc<dyn NvmeFile>>,
}

impl Free {
    fn closed(number: u32) -> Self {
        Free { number, file: None }
    }
}

impl Pool {
    /// `files` is what lies in the directory, `free` which segments of it hold nothing.
    pub(crate) fn new(nvme: Arc<dyn Nvme>, limits: PoolLimits, files: &[FileName], free: Vec<u32>) -> Self {
        let number =
            |name: &FileName| if let FileName::Segment(number) = name { Some(*number) } else { None };
        let next = files.iter().filter_map(number).max().map_or(1, |number| number + 1);
        let there = files.contains(&FileName::Reserve);
        // One that cannot be looked at still gives room; it is made anew when the log is open.
        let reserved =
            if there { nvme.open(FileName::Reserve, false).map_or(1, |file| file.len().max(1)) } else { 0 };
        let files = files.iter().filter_map(number).count() as u64;
        let free: Vec<_> = free.into_iter().map(Free::closed).collect();
        let (free_min, since) = (free.len(), None);
        let state = Mutex::new(State { free, free_min, since, full: Vec::new(), next, files, reserved });
        Pool { nvme, limits, recovering: AtomicBool::new(true), drained: AtomicBool::new(false), state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file open for writing, and whether it had to be made now.
    ///
    /// # Errors
    /// `QuotaExceeded` or `StorageFull` without room; otherwise as the system says.
    pub(crate) fn take(&self) -> io::Result<(u32, Arc<dyn NvmeFile>, bool)> {
        loop {
            let Some(free) = self.state().pop() else { break };
            if let Free { number, file: Some(file) } = free {
                return Ok((number, file, false));
            }
            if let Some(file) = self.open(free.number)? {
                return Ok((free.number, file, false));
            }
        }
        let (number, file) = self.make(Haste::Now)?;
        Ok((number, file, true))
    }

    /// Opens a file that was taken from the list; `None` if it is none to be written, and gone.
    fn open(&self, number: u32) -> io::Result<Option<Arc<dyn NvmeFile>>> {
        // It may be among them.
        self.close_full();
        let opened = self.nvme.open(FileName::Segment(number), true);
        // As good as it was.
        let file = opened.inspect_err(|_| self.state().free.push(Free::closed(number)))?;
        if file.len() == self.limits.segment_bytes {
            return Ok(Some(file));
        }
        // Left unfinished by a killed process, or made for a single pass.
        drop(file);
        self.remove(number)?;
        Ok(None)
    }

    /// Nothing more is written to it: it is closed when there is time.
    pub(crate) fn put_away(&self, full: Arc<dyn NvmeFile>) {
        self.state().full.push(full);
    }

    fn close_full(&self) {
        // Not under the lock, which commits may want.
        drop(std::mem::take(&mut self.state().full));
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        self.nvme.remove(FileName::Segment(number))?;
        self.state().files -= 1;
        Ok(())
    }

    fn make(&self, haste: Haste) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let (bytes, drained) = (self.limits.segment_bytes, self.drained.load(Ordering::Relaxed));
        self.make_by(|name| match haste {
            _ if drained => self.nvme.allocate(name, bytes),
            Haste::Now => self.nvme.create(name, bytes),
            Haste::Beside => self.nvme.create_beside(name, bytes),
        })
    }

    /// A new file of `bytes`, at most a segment's, that is written once, from its beginning to its end.
    ///
    /// # Errors
    /// As for [`take`](Pool::take).
    pub(crate) fn make_for(&self, bytes: u64) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let bytes = bytes.min(self.limits.segment_bytes);
        self.make_by(|name| self.nvme.allocate(name, bytes))
    }

    fn make_by(
        &self,
        create: impl Fn(FileName) -> io::Result<Arc<dyn NvmeFile>>,
    ) -> io::Result<(u32, Arc<dyn NvmeFile>)> {
        let number = {
            let mut state = self.state();
            self.check_quota(&state)?;
            state.next += 1;
            state.files += 1;
            state.next - 1
        };
        let name = FileName::Segment(number);
        let mut made = create(name);
        if made.as_ref().is_err_and(is_full) && self.give_up_reserve()? {
            made = create(name);
        }
        if made.is_err() {
            self.state().files -= 1;
        }
        Ok((number, made?))
    }

    fn check_quota(&self, state: &State) -> io::Result<()> {
        let (PoolLimits { segment_bytes, quota_bytes, .. }, reserve) = (self.limits, state.reserved);
        let wanted = (state.files + 1) * segment_bytes + reserve;
        if quota_bytes == 0 || wanted <= quota_bytes || self.recovering.load(Ordering::Relaxed) {
            return Ok(());
        }
        let what = format!(
            "{} segments of {segment_bytes} bytes and {reserve} in reserve leave no space within nvme.quota_bytes = {quota_bytes}",
            state.files
        );
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, what))
    }

    /// Gives the reserve up for a recovery that has no room. False if there is none to give.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn give_up_reserve(&self) -> io::Result<bool> {
        let mut state = self.state();
        if state.reserved == 0 || !self.recovering.load(Ordering::Relaxed) {
            return Ok(false);
        }
        tracing::warn!("the disk is full: recovery takes the reserve");
        self.nvme.remove(FileName::Reserve)?;
        state.reserved = 0;
        Ok(true)
    }

    /// No commit writes to what is made from here on.
    pub(crate) fn is_drained_to(&self) {
        self.drained.store(true, Ordering::Relaxed);
    }

    /// The log is open: from here on the quota counts, and the reserve is not to be had.
    pub(crate) fn recovered(&self) {
        self.recovering.store(false, Ordering::Relaxed);
    }

    /// Sets the reserve aside if it is not; leaves it where the quota has no room for it.
    ///
    /// # Errors
    /// `StorageFull` while there is no room for it; otherwise as the system says.
    pub(crate) fn refill_reserve(&self) -> io::Result<()> {
        let mut state = self.state();
        let PoolLimits { segment_bytes, quota_bytes, reserve_bytes, .. } = self.limits;
        if state.reserved == reserve_bytes {
            return Ok(());
        }
        if state.reserved > 0 {
            self.nvme.remove(FileName::Reserve)?;
            state.reserved = 0;
        }
        let over = quota_bytes > 0 && state.files * segment_bytes + reserve_bytes > quota_bytes;
        if reserve_bytes > 0 && !over {
            self.nvme.allocate(FileName::Reserve, reserve_bytes)?;
            state.reserved = reserve_bytes;
        }
        Ok(())
    }

    /// Makes a file if there are fewer than asked for, or than one for each of `writers`, or opens one. True if it did.
    ///
    /// # Errors
    /// As for [`take`](Pool::take).
    pub(crate) fn prepare(&self, writers: usize, haste: Haste) -> io::Result<bool> {
        self.close_full();
        if self.free() >= self.limits.spare.max(writers) {
            return self.open_ahead();
        }
        let (number, file) = self.make(haste)?;
        let mut state = self.state();
        let file = (state.open() < self.limits.spare).then_some(file);
        state.free.push(Free { number, file });
        Ok(true)
    }

    /// Opens one of those that will be taken next. True if it did.
    fn open_ahead(&self) -> io::Result<bool> {
        let next = {
            let mut state = self.state();
            let closed = state.free.iter().rposition(|free| free.file.is_none());
            // Meanwhile it is not to be had: there must be another one.
            match closed.filter(|_| state.free.len() > 1 && state.open() < self.limits.spare) {
                Some(at) => state.free.remove(at),
                None => return Ok(false),
            }
        };
        let Some(file) = self.open(next.number)? else { return Ok(true) };
        self.state().free.push(Free { file: Some(file), ..next });
        Ok(true)
    }

    /// Removes a file if there have been far more than are kept for five minutes.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn remove_surplus(&self, now: Duration) -> io::Result<()> {
        let surplus = self.state().surplus(&self.limits, now);
        surplus.map_or(Ok(()), |free| self.remove(free.number))
    }

    /// At close: a log that was open for a moment only has more than its keeper came to.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn remove_all_surplus(&self) -> io::Result<()> {
        let surplus: Vec<Free> = {
            let free = &mut self.state().free;
            let beyond = free.len().saturating_sub(self.limits.free_max);
            free.drain(..beyond).collect()
        };
        surplus.into_iter().try_for_each(|free| self.remove(free.number))
    }

    pub(crate) fn nvme(&self) -> &dyn Nvme {
        &*self.nvme
    }

    /// Takes a file back whose frames are not needed any more.
    pub(crate) fn give_back(&self, number: u32) {
        let len = self.nvme.open(FileName::Segment(number), false).map(|file| file.len());
        match len {
            // Made for a single pass: an overwrite could be more than that.
            Ok(len) if len != self.limits.segment_bytes => {
                if let Err(error) = self.remove(number) {
                    tracing::warn!(%error, "a segment file that is not needed stays");
                }
            }
            // Behind those that are open.
            _ => self.state().free.insert(0, Free::closed(number)),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.state().free.len()
    }

    /// Bytes of all segment files, and of the reserve if it is there.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let state = self.state();
        (state.files * self.limits.segment_bytes, state.reserved)
    }
}

/// Whether the system has no more room, for this user or at all.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests;
