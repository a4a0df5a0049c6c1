//! All that can be measured.

use super::engine;
use super::probe::Kind;
use super::results::Group;

/// The groups, in the order in which they run, each with its name as in `results.json`.
pub const GROUPS: [(Group, &str); 1] = [(Group::Engine, "engine")];

/// What a group can measure, in the order in which it does.
pub fn kinds(group: Group) -> &'static [Kind] {
    match group {
        Group::Engine => engine::KINDS,
        Group::Primitive | Group::Device | Group::Numa | Group::Peers | Group::Cost => &[],
    }
}
