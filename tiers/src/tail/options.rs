//! How to map a tail.

use super::MediumAsk;
use crate::persist::Flush;

/// Alignment of a tail in memory, and what its length is a multiple of: a huge page, in bytes.
pub const ALIGN: u64 = 2 << 20;

/// How to map a tail.
#[derive(Debug, Clone)]
pub struct MapOptions {
    /// The medium to treat the file as; `Auto` by default.
    pub ask: MediumAsk,
    /// How long to wait for another owner to let go, in milliseconds; 5,000 by default, 0 to try once.
    pub lock_wait_ms_max: u64,
    /// Whether a SIGBUS in the mapping becomes a [`Fault`](super::Fault) (true by default). It takes a handler for the whole process,
    /// chained to the one before. Without it a fault ends the process.
    pub fault_guard: bool,
    /// The write-back instruction; by default the best there is. For tools that know only some (valgrind: `Clflush`
    /// or `Fence`). Without effect where nothing is flushed.
    pub flush: Option<Flush>,
}

impl Default for MapOptions {
    fn default() -> Self {
        MapOptions { ask: MediumAsk::Auto, lock_wait_ms_max: 5_000, fault_guard: true, flush: None }
    }
}
