//! The machine's nodes. Invariants: nodes ascend by number, and there is at least one.

use std::fmt;
use std::path::Path;

use crate::{Cpu, Node, NodeInfo, SysfsError, affinity, sysfs};

/// Where a [`Topology`] was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hwloc library.
    Hwloc,
    /// The kernel's `/sys/devices/system`.
    Sysfs,
    /// Neither could be read: one node 0 is assumed, with the CPUs of the process's affinity mask.
    Affinity,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Hwloc => "hwloc",
            Source::Sysfs => "sysfs",
            Source::Affinity => "affinity mask only",
        })
    }
}

/// The NUMA nodes of a machine, as they were when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    nodes: Vec<NodeInfo>,
    source: Source,
}

impl Topology {
    /// This machine, with the CPUs that this process may use: through hwloc with the feature `hwloc`, from
    /// `/sys` without it or where hwloc fails, and one node 0 where neither can be read; each failure is
    /// logged as a warning. Takes some milliseconds; keep the result.
    pub fn detect() -> Topology {
        let topology = Topology::whole();
        match affinity::allowed() {
            Ok(allowed) => topology.restricted_to(allowed),
            Err(error) => {
                tracing::warn!(%error, "this process's CPUs are not known; all are assumed");
                topology
            }
        }
    }

    /// The machine that a sysfs mounted at `root` describes, with all its CPUs, whatever this process may
    /// use. A kernel without NUMA (no `devices/system/node`) is one node 0.
    ///
    /// # Errors
    /// [`SysfsError`], with the file that could not be read or makes no sense.
    pub fn from_sysfs(root: &Path) -> Result<Topology, SysfsError> {
        Ok(Topology::new(sysfs::nodes(root)?, Source::Sysfs))
    }

    /// The nodes, ascending; at least one.
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// The CPUs of a node, ascending; empty for memory alone. `None` for a node that is not there.
    pub fn cpus_of(&self, node: Node) -> Option<Vec<Cpu>> {
        let at = self.nodes.binary_search_by_key(&node, |info| info.id).ok()?;
        Some(self.nodes[at].cpus.clone())
    }

    /// The node itself if it has CPUs, otherwise the nearest one that has, of equals the first: where threads run that
    /// work on memory alone. `None` for a node that is not there, and where no node has CPUs.
    pub fn nearest_with_cpus(&self, node: Node) -> Option<Node> {
        let at = self.nodes.binary_search_by_key(&node, |info| info.id).ok()?;
        let distance =
            |to: &NodeInfo| match self.nodes[at].distances.binary_search_by_key(&to.id, |(id, _)| *id) {
                _ if to.id == node => 0,
                Ok(row) => self.nodes[at].distances[row].1,
                Err(_) => u32::MAX,
            };
        let mut with_cpus: Vec<&NodeInfo> = self.nodes.iter().filter(|info| !info.cpus.is_empty()).collect();
        with_cpus.sort_by_key(|info| distance(info));
        with_cpus.first().map(|info| info.id)
    }

    /// Where this was read.
    pub fn source(&self) -> Source {
        self.source
    }

    pub(crate) fn new(mut nodes: Vec<NodeInfo>, source: Source) -> Topology {
        nodes.sort_by_key(|node| node.id);
        Topology { nodes, source }
    }

    fn whole() -> Topology {
        #[cfg(feature = "hwloc")]
        match crate::hwloc::nodes() {
            Ok(nodes) => return Topology::new(nodes, Source::Hwloc),
            Err(error) => tracing::warn!(%error, "hwloc failed; the topology comes from /sys"),
        }
        Topology::from_sysfs(Path::new("/sys")).unwrap_or_else(|error| {
            tracing::warn!(%error, "no topology; one node is assumed");
            let cpus = affinity::allowed().unwrap_or_default().to_vec();
            let node = NodeInfo { id: Node(0), cpus, memory_bytes: 0, distances: Vec::new() };
            Topology::new(vec![node], Source::Affinity)
        })
    }

    /// The same machine with these CPUs only, as a container has it; the nodes stay.
    pub fn restricted_to(mut self, allowed: &[Cpu]) -> Topology {
        for node in &mut self.nodes {
            node.cpus.retain(|cpu| allowed.contains(cpu));
        }
        self
    }
}

#[cfg(test)]
mod tests;
