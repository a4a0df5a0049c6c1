//! Instructions on the tail's memory, without a log.
//!
//! Contents: `ground` (the lane that contestants share), `stores` (persist by size and instruction, the same line again,
//! one fence or two, stores a fence), `crossover`, `crowd` (threads at once), `read` (cold lines, alone and beside a
//! writer), `msync`.

mod crossover;
mod crowd;
pub mod ground;
mod msync;
pub mod read;
mod stores;
#[cfg(test)]
mod tests;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[
    Kind {
        what: "persist",
        about: "copy, write back or past the cache, fence: by size and instruction",
        probes: stores::persist,
    },
    Kind { what: "persist again", about: "the same line every time", probes: stores::again },
    Kind {
        what: "fences",
        about: "one fence, or a second one for a pointer to the end of the log",
        probes: stores::fences,
    },
    Kind { what: "fence interval", about: "stores for each fence", probes: stores::interval },
    Kind {
        what: "crossover",
        about: "the size from which stores past the cache win",
        probes: crossover::probes,
    },
    Kind { what: "persist threads", about: "threads at once, each on its own lane", probes: crowd::probes },
    Kind {
        what: "read",
        about: "cold lines: bandwidth, latency of dependent loads; alone and beside a writer",
        probes: read::probes,
    },
    Kind { what: "msync", about: "a mapped file made durable by page", probes: msync::probes },
];
