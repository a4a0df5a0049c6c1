//! What the engine keeps of a lane beside its ring: its poison, its counters.

use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use tierlog_tiers::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::number::Lane;

/// Counters of a lane: written by its writer only, with plain stores.
#[derive(Debug, Default)]
pub(crate) struct WriterCounters {
    pub(crate) appends: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) payload_bytes: AtomicU64,
    pub(crate) waits_for_room: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) room_wait_ns: AtomicU64,
}

/// Counters of what is done for a lane in the background.
#[derive(Debug, Default)]
pub(crate) struct DrainCounters {
    pub(crate) runs: AtomicU64,
    pub(crate) run_bytes: AtomicU64,
    pub(crate) drain_errors: AtomicU64,
    pub(crate) segments_retired: AtomicU64,
    pub(crate) segments_begun: AtomicU64,
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
    #[inline(never)]
    pub(crate) fn error(&self, lane: Lane) -> Error {
        let cause = self.cause.get().cloned().unwrap_or_else(|| "unknown".into());
        Error::Poisoned { lane, cause }
    }
}
