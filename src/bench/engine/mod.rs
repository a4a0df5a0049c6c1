//! The log itself, beside what it cannot be faster than.
//!
//! Contents: [`place`] (a log and raw lanes in a session's directories), `raw_file` (what the disk takes), `stall` (the
//! longest latencies and their causes), and a file for each kind of measurement.

mod append;
mod archive;
mod arrive;
mod commit;
mod disk;
mod drain;
mod drained;
mod follow;
mod machine;
pub(crate) mod memory;
mod parts;
pub mod place;
mod raw_file;
mod read;
pub(crate) mod recover;
mod rotate;
mod scale;
mod stall;
mod sustained;
#[cfg(test)]
mod tests;

pub use commit::RAW;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[
    Kind {
        what: "commit",
        about: "append + commit by size and batch, beside the raw loop (copy, write back, fence)",
        probes: commit::probes,
    },
    Kind {
        what: "commit, drained",
        about: "commits one by one while their lane is drained, beside the same with no drain",
        probes: drained::probes,
    },
    Kind {
        what: "sustained",
        about: "commits at full speed on a full ring, at the pace of the drain, and the drainer's share of a processor",
        probes: sustained::probes,
    },
    Kind { what: "append", about: "append alone, beside a copy", probes: append::probes },
    Kind { what: "part", about: "what each part of a commit costs by itself", probes: parts::probes },
    Kind {
        what: "open loop",
        about: "commits at a fixed rate: free of coordinated omission, over time, the worst stalls",
        probes: arrive::probes,
    },
    Kind {
        what: "scale",
        about: "threads with a lane each, beside as many raw loops",
        probes: scale::probes,
    },
    Kind {
        what: "disk",
        about: "commits through to the disk on an ordinary tail, beside raw durable writes",
        probes: disk::probes,
    },
    Kind {
        what: "rotation",
        about: "commits through to the disk that begin a segment, beside the others and over time",
        probes: rotate::probes,
    },
    Kind { what: "machine", about: "commits that wait for the archive", probes: machine::probes },
    Kind { what: "drain", about: "from the tail to NVMe, beside a raw file", probes: drain::probes },
    Kind { what: "archive", about: "archive and restore by compression", probes: archive::probes },
    Kind {
        what: "recover",
        about: "an open after kill -9 by size, beside a checksum and a raw file",
        probes: recover::probes,
    },
    Kind {
        what: "memory",
        about: "of a process that opens a killed log and reads it",
        probes: memory::probes,
    },
    Kind { what: "read", about: "reading back and verifying, beside a checksum", probes: read::probes },
    Kind {
        what: "follow",
        about: "until another thread has the record, beside a word",
        probes: follow::probes,
    },
];
