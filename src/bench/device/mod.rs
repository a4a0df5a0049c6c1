//! Ways to a durable write on the NVMe tier's medium, without a log.
//!
//! Contents: `way` (their names and promises), `driver` (a way at work), `tally` (what comes of it), `write` (each way by
//! size and depth, idle and busy), `flush`, `stalls`, `stream` (bandwidth).

mod driver;
mod flush;
mod stalls;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod way;
mod write;

pub use tally::Tally;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[
    Kind {
        what: "write",
        about: "each way to a durable write, by size and requests in flight",
        probes: write::idle,
    },
    Kind { what: "write, busy", about: "the same with every processor spinning", probes: write::busy },
    Kind {
        what: "flush",
        about: "fdatasync alone: with nothing written, and behind one block",
        probes: flush::probes,
    },
    Kind { what: "stalls", about: "a durable write after the other, over time", probes: stalls::probes },
    Kind { what: "stream", about: "bandwidth past the page cache", probes: stream::probes },
];
