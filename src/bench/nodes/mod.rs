//! Nodes by nodes: processors of one, memory of another.
//!
//! Contents: `axes` (which nodes take part), `matrix` (persist, read and drain for each pair).

mod axes;
mod matrix;
#[cfg(test)]
mod tests;

use super::probe::Kind;

/// What this group measures.
pub const KINDS: &[Kind] = &[Kind {
    what: "matrix",
    about: "persist, read and drain from each node's processors to each node's memory",
    probes: matrix::probes,
}];
