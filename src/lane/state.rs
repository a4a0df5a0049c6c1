//! What the engine keeps of a lane beside its ring: its seat, its poison, its counters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam_utils::CachePadded;

use crate::error::{Error, Result};
use crate::number::Lane;

/// The place of a lane's writing side while no writer has it.
#[derive(Debug)]
pub(crate) struct Seat<C> {
    core: Mutex<Option<Box<C>>>,
    back: Condvar,
}

impl<C> Seat<C> {
    pub(crate) fn new(core: C) -> Self {
        Seat { core: Mutex::new(Some(Box::new(core))), back: Condvar::new() }
    }

    fn core(&self) -> MutexGuard<'_, Option<Box<C>>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<Box<C>> {
        self.core().take()
    }

    /// Waits for the present holder; threads that share a lane take turns.
    pub(crate) fn take_in_turn(&self) -> Box<C> {
        let mut core = self.core();
        loop {
            match core.take() {
                Some(core) => return core,
                None => core = self.back.wait(core).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    pub(crate) fn give_back(&self, core: Box<C>) {
        *self.core() = Some(core);
        self.back.notify_one();
    }
}

/// Counters of a lane: written by its writer only, with plain stores.
#[derive(Debug, Default)]
pub(crate) struct WriterCounters {
    pub(crate) appends: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) payload_bytes: AtomicU64,
    pub(crate) waits_for_room: AtomicU64,
}

/// Counters of what is done for a lane in the background.
#[derive(Debug, Default)]
pub(crate) struct DrainCounters {
    pub(crate) runs: AtomicU64,
    pub(crate) run_bytes: AtomicU64,
    pub(crate) drain_errors: AtomicU64,
    pub(crate) segments_retired: AtomicU64,
    pub(crate) waits_for_segment: AtomicU64,
}

/// One more, by the only thread that writes it.
#[inline]
pub(crate) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// Shared by writer, committers and drainers.
#[derive(Debug, Default)]
pub(crate) struct LaneState {
    poisoned: AtomicBool,
    cause: OnceLock<Arc<str>>,
    pub(crate) writer: CachePadded<WriterCounters>,
    pub(crate) drain: CachePadded<DrainCounters>,
}

impl LaneState {
    /// The first cause stays.
    pub(crate) fn poison(&self, cause: &str) {
        self.cause.get_or_init(|| {
            tracing::error!(cause, "lane poisoned");
            cause.into()
        });
        self.poisoned.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn check(&self, lane: Lane) -> Result<()> {
        if self.is_poisoned() { Err(self.error(lane)) } else { Ok(()) }
    }

    #[cold]
    pub(crate) fn error(&self, lane: Lane) -> Error {
        let cause = self.cause.get().cloned().unwrap_or_else(|| "unknown".into());
        Error::Poisoned { lane, cause }
    }
}
