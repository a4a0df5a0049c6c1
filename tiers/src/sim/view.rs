//! A simulated tail as it is read, by its owner and by others.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::live::{Live, Shared};
use super::model::Made;
use super::tail::path;
use crate::tail::{Fault, MapError, TailRead};

/// What a fault takes away, in bytes.
pub(super) const PAGE_BYTES: u64 = 4096;

/// A simulated tail mapped for reading, without a lock: [`World::view_tail`](super::World::view_tail).
pub struct SimTailView {
    pub(super) world: Arc<Shared>,
    pub(super) number: u32,
    pub(super) len: u64,
}

/// The length of a tail that is there.
pub(super) fn length(live: &mut Live, number: u32) -> Result<u64, MapError> {
    if let Some(reads) = &mut live.reads {
        reads.tail_opened(number);
    }
    let tail = &live.model.tails[number as usize];
    match tail.made {
        Made::No => Err(MapError::Missing { path: path(number) }),
        Made::Making | Made::Whole => Ok(tail.visible.len()),
    }
}

impl SimTailView {
    pub(super) fn open(world: &Arc<Shared>, number: u32) -> Result<Arc<SimTailView>, MapError> {
        let len = length(&mut world.lock(), number)?;
        Ok(Arc::new(SimTailView { world: world.clone(), number, len }))
    }

    pub(super) fn fault(&self, at: u64) -> Fault {
        Fault { path: path(self.number), at }
    }

    pub(super) fn check(&self, at: u64, len: u64) {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len), "bytes {at}+{len} of {}", self.len);
    }

    /// The parts of a range whose pages have not faulted, touching each: poison faults.
    pub(super) fn parts_there(&self, live: &mut Live, at: u64, len: usize) -> Vec<(u64, Range<usize>)> {
        let tail = self.number as usize;
        if live.tails[tail].faulted.is_empty() && live.model.tails[tail].poison.is_empty() {
            return vec![(at, 0..len)];
        }
        let mut parts = Vec::new();
        let mut done = 0;
        while done < len {
            let here = at + done as u64;
            let end = len.min(done + (PAGE_BYTES - here % PAGE_BYTES) as usize);
            if self.touch(live, here, (end - done) as u64).is_none() {
                parts.push((here, done..end));
            }
            done = end;
        }
        parts
    }

    /// Offset of the first page of the range whose memory is gone, poison met now included.
    pub(super) fn touch(&self, live: &mut Live, at: u64, len: u64) -> Option<u64> {
        let tail = self.number as usize;
        if let Some(poisoned) = live.model.tails[tail].poisoned(at, len) {
            live.tails[tail].faulted.insert(poisoned / PAGE_BYTES);
        }
        let pages = at / PAGE_BYTES..(at + len).div_ceil(PAGE_BYTES);
        live.tails[tail].faulted.range(pages).next().map(|page| page * PAGE_BYTES)
    }
}

impl TailRead for SimTailView {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.check(at, out.len() as u64);
        let live = &mut *self.world.lock();
        if let Some(reads) = &mut live.reads {
            reads.tail(self.number, at, out.len() as u64);
        }
        if let Some(at) = self.touch(live, at, out.len() as u64) {
            return Err(self.fault(at));
        }
        live.model.tails[self.number as usize].visible.read(at, out);
        Ok(())
    }
}

impl fmt::Debug for SimTailView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimTailView").field(&path(self.number)).finish()
    }
}
