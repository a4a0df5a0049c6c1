//! All that can be measured.

use super::probe::Kind;
use super::results::Group;
use super::{cost, device, engine, nodes, primitive};

/// The groups, in the order in which they run, each with its name as in `results.json`.
pub const GROUPS: [(Group, &str); 5] = [
    (Group::Primitive, "primitive"),
    (Group::Device, "device"),
    (Group::Numa, "numa"),
    (Group::Engine, "engine"),
    (Group::Cost, "cost"),
];

/// What a group can measure, in the order in which it does.
pub fn kinds(group: Group) -> &'static [Kind] {
    match group {
        Group::Engine => engine::KINDS,
        Group::Primitive => primitive::KINDS,
        Group::Device => device::KINDS,
        Group::Numa => nodes::KINDS,
        Group::Cost => cost::KINDS,
        Group::Peers => &[],
    }
}

/// A group's name, as in `results.json`.
pub fn name(group: Group) -> &'static str {
    match group {
        Group::Primitive => "primitive",
        Group::Device => "device",
        Group::Numa => "numa",
        Group::Engine => "engine",
        Group::Peers => "peers",
        Group::Cost => "cost",
    }
}
