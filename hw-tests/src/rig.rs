//! What the machine under test has: each function is a need that `require!` can name.

use std::path::Path;

use serde::Deserialize;
use tierlog_numa::{Node, Topology};

use crate::Place;

/// The rig file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rig {
    dax: Vec<Place>,
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

/// Two directories on fsdax, next to two nodes that have CPUs.
///
/// # Errors
/// As for [`dax`].
pub fn two_nodes() -> Result<[Place; 2], String> {
    let topology = Topology::detect();
    let runs = |node: u32| topology.cpus_of(Node(node)).is_some_and(|cpus| !cpus.is_empty());
    let mut places: Vec<Place> =
        rig()?.dax.into_iter().filter(|place| place.node.is_some_and(runs)).collect();
    places.dedup_by_key(|place| place.node);
    places.truncate(2);
    places.try_into().map_err(|_| "the rig names no two dax directories on nodes with CPUs".into())
}

/// A directory on an NVMe drive.
///
/// # Errors
/// As for [`dax`].
pub fn nvme() -> Result<Place, String> {
    rig()?.nvme.into_iter().next().ok_or_else(|| "the rig names no nvme directory".into())
}
