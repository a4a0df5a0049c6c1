//! The log itself, beside what it cannot be faster than.
//!
//! Contents: [`place`] (a log and raw lanes in a session's directories), `commit`.

mod commit;
pub mod place;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[Kind {
    what: "commit",
    about: "append + commit by size and batch, beside the raw loop (copy, write back, fence)",
    probes: commit::probes,
}];
