//! What a commit costs beside its time, against lanes and sizes.
//!
//! Contents: `commit` (the probe), `counters` (instructions, cycles, cache misses).

mod commit;
mod counters;
#[cfg(test)]
mod tests;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[Kind {
    what: "commit cost",
    about: "instructions, cache misses, bytes written, memory and drainers' time of a commit, by lanes and size",
    probes: commit::probes,
}];
