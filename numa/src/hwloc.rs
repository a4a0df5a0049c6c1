//! Nodes as hwloc sees them (Broquedis et al., "hwloc: a Generic Framework for Managing Hardware Affinities
//! in HPC Applications", PDP 2010).

use std::collections::HashSet;

use hwlocality::Topology;
use hwlocality::errors::{FlagsError, HybridError, RawHwlocError};
use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::depth::Depth;
use hwlocality::topology::builder::BuildFlags;

use crate::{Cpu, Node, NodeInfo};

/// Why hwloc has no answer; the caller goes to sysfs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HwlocError {
    #[error("hwloc does not take the flags: {0}")]
    Flags(#[from] HybridError<FlagsError<BuildFlags>>),
    #[error("hwloc found no topology: {0}")]
    Call(#[from] RawHwlocError),
    #[error("hwloc was told of another machine; unset HWLOC_XMLFILE and HWLOC_SYNTHETIC")]
    OtherMachine,
    #[error("hwloc reports no NUMA node")]
    NoNode,
    #[error("hwloc reports a number out of range: {0}")]
    Number(u64),
}

/// The nodes of this machine, ascending; at least one. All of them, as in sysfs, whatever the process may
/// use.
pub(crate) fn nodes() -> Result<Vec<NodeInfo>, HwlocError> {
    let topology = Topology::builder().with_flags(BuildFlags::INCLUDE_DISALLOWED)?.build()?;
    nodes_of(this_machine(&topology)?)
}

/// The environment can have hwloc load a description instead of looking.
fn this_machine(topology: &Topology) -> Result<&Topology, HwlocError> {
    if topology.is_this_system() { Ok(topology) } else { Err(HwlocError::OtherMachine) }
}

fn nodes_of(topology: &Topology) -> Result<Vec<NodeInfo>, HwlocError> {
    let objects = topology.objects_at_depth(Depth::NUMANode);
    let mut nodes: Vec<NodeInfo> =
        objects.filter_map(|object| node(object).transpose()).collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        return Err(HwlocError::NoNode);
    }
    keep_own_cpus(&mut nodes);
    for (from, to, distance) in distances(topology)? {
        if let Some(node) = nodes.iter_mut().find(|node| node.id == from) {
            node.distances.push((to, distance));
        }
    }
    nodes.iter_mut().for_each(|node| node.distances.sort());
    nodes.sort_by_key(|node| node.id);
    Ok(nodes)
}

/// `None` for an object without a number of the system's: it is no node of the kernel's.
fn node(object: &TopologyObject) -> Result<Option<NodeInfo>, HwlocError> {
    let Some(id) = object.os_index() else { return Ok(None) };
    let cpus =
        object.cpuset().into_iter().flat_map(|set| set.iter_set().map(usize::from).collect::<Vec<_>>());
    let cpus = cpus.map(|id| number(id as u64).map(Cpu)).collect::<Result<_, _>>()?;
    let memory_bytes = match object.attributes() {
        Some(ObjectAttributes::NUMANode(node)) => node.local_memory().map_or(0, |bytes| bytes.get()),
        _ => 0,
    };
    Ok(Some(NodeInfo { id: Node(number(id as u64)?), cpus, memory_bytes, distances: Vec::new() }))
}

/// To hwloc a node's CPUs are those it is local to, so that memory alone shares the CPUs of what it is
/// attached to. Here, as in the kernel, a CPU has one node: the one local to the fewest CPUs, of equals the
/// first.
fn keep_own_cpus(nodes: &mut [NodeInfo]) {
    nodes.sort_by_key(|node| (node.cpus.len(), node.id));
    let mut taken = HashSet::new();
    for node in nodes {
        node.cpus.retain(|cpu| taken.insert(*cpu));
    }
}

/// The kernel's distances, row by row; hwloc has none for a single node.
fn distances(topology: &Topology) -> Result<Vec<(Node, Node, u32)>, HwlocError> {
    let mut found = Vec::new();
    for matrix in topology.distances_at_depth(None, Depth::NUMANode)? {
        if matrix.name().is_none_or(|name| name != c"NUMALatency") {
            continue;
        }
        for ((from, to), distance) in matrix.object_distances() {
            let ends = (from.and_then(TopologyObject::os_index), to.and_then(TopologyObject::os_index));
            if let (Some(from), Some(to)) = ends
                && from != to
            {
                found.push((Node(number(from as u64)?), Node(number(to as u64)?), number(distance)?));
            }
        }
    }
    Ok(found)
}

fn number(value: u64) -> Result<u32, HwlocError> {
    u32::try_from(value).map_err(|_| HwlocError::Number(value))
}

#[cfg(test)]
mod tests;
