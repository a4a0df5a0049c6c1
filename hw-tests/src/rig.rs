//! What the machine under test has: each function is a need that `require!` can name.

use std::path::Path;

use serde::Deserialize;
use tierlog_numa::{Node, Topology};

use crate::Place;

/// The rig file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rig {
    poison: bool,
    dax: Vec<Place>,
    devdax: Vec<Place>,
    nvme: Vec<Place>,
}

/// # Panics
/// Where `TIERLOG_RIG` names a file that is not a rig: somebody wanted these tests to run.
fn rig() -> Result<Rig, String> {
    let path = std::env::var_os("TIERLOG_RIG").ok_or("no rig: TIERLOG_RIG names no file")?;
    let path = Path::new(&path);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Ok(toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A directory on fsdax.
///
/// # Errors
/// The reason why there is none; the same below.
pub fn dax() -> Result<Place, String> {
    rig()?.dax.into_iter().next().ok_or_else(|| "the rig names no dax directory".into())
}

/// A device-DAX region, whose contents the tests may erase.
///
/// # Errors
/// As for [`dax`].
pub fn devdax() -> Result<Place, String> {
    rig()?.devdax.into_iter().next().ok_or_else(|| "the rig names no devdax region".into())
}

/// Persistent memory of either kind.
fn persistent() -> Result<Vec<Place>, String> {
    let Rig { mut dax, devdax, .. } = rig()?;
    dax.extend(devdax);
    Ok(dax)
}

fn has_cpus(node: u32) -> bool {
    Topology::detect().cpus_of(Node(node)).is_some_and(|cpus| !cpus.is_empty())
}

/// Persistent memory next to a node without CPUs.
///
/// # Errors
/// As for [`dax`].
pub fn memory_node() -> Result<Place, String> {
    let mut places = persistent()?.into_iter();
    let found = places.find(|place| place.node.is_some_and(|node| !has_cpus(node)));
    found.ok_or_else(|| "the rig names no persistent memory on a node without CPUs".into())
}

/// Persistent memory next to two nodes that have CPUs.
///
/// # Errors
/// As for [`dax`].
pub fn two_nodes() -> Result<[Place; 2], String> {
    let mut places = persistent()?;
    places.retain(|place| place.node.is_some_and(has_cpus));
    places.dedup_by_key(|place| place.node);
    places.truncate(2);
    places.try_into().map_err(|_| "the rig names no persistent memory on two nodes with CPUs".into())
}

/// Two nodes that have CPUs, whatever else lies there.
///
/// # Errors
/// Where there are not as many; the rig is not asked.
pub fn two_cpu_nodes() -> Result<[u32; 2], String> {
    let topology = Topology::detect();
    let nodes = topology.nodes().iter().map(|node| node.id.0).filter(|node| has_cpus(*node));
    let nodes: Vec<u32> = nodes.take(2).collect();
    nodes.try_into().map_err(|_| "this machine has fewer than two nodes with CPUs".into())
}

/// Memory that may be poisoned.
///
/// # Errors
/// As for [`dax`].
pub fn poison() -> Result<(), String> {
    if rig()?.poison { Ok(()) } else { Err("the rig does not say poison = true".into()) }
}

/// A directory on an NVMe drive.
///
/// # Errors
/// As for [`dax`].
pub fn nvme() -> Result<Place, String> {
    rig()?.nvme.into_iter().next().ok_or_else(|| "the rig names no nvme directory".into())
}
