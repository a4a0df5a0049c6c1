//! The rows and columns of the matrix.

use std::path::Path;

use tierlog_numa::{Cpu, Node, Topology, node_of_path};

use crate::bench::primitive::ground::LANE_BYTES;

/// A node whose processors take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub node: Node,
    /// The processor that works: its last.
    pub cpu: Cpu,
}

/// A node whose memory takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Which.
    pub node: Node,
    /// It has no processors: CXL memory, persistent memory used as memory.
    pub memory_only: bool,
    /// Bytes of a lane there: more than caches hold, and an eighth of the node's memory at most.
    pub lane_bytes: u64,
    /// Whether new pages can be had from it by asking; otherwise the medium lies where it lies.
    pub bound: bool,
}

/// Nodes with processors, and nodes with memory for a tail.
///
/// Ordinary memory is bound to each node in turn; persistent memory lies on the node of its device, the only column.
pub fn axes(topology: &Topology, emulated: bool, tail_dir: &Path) -> (Vec<Row>, Vec<Column>) {
    let nodes = topology.nodes();
    let row = |info: &tierlog_numa::NodeInfo| Some(Row { node: info.id, cpu: *info.cpus.last()? });
    let rows = nodes.iter().filter_map(row).collect();
    let alone = nodes.len() == 1;
    let column = |info: &tierlog_numa::NodeInfo, bound| Column {
        node: info.id,
        memory_only: info.cpus.is_empty(),
        lane_bytes: lane_bytes(info.memory_bytes),
        bound,
    };
    let columns = if emulated {
        let some = nodes.iter().filter(|info| alone || info.memory_bytes > 0);
        some.map(|info| column(info, !alone)).collect()
    } else {
        let own = node_of_path(tail_dir).unwrap_or(nodes[0].id);
        nodes.iter().filter(|info| info.id == own).map(|info| column(info, false)).collect()
    };
    (rows, columns)
}

/// A power of two, as a chain needs it. A node that does not say how much it has gets what all others get.
pub fn lane_bytes(memory_bytes: u64) -> u64 {
    match memory_bytes / 8 {
        0 => LANE_BYTES,
        eighth => (eighth + 1).next_power_of_two() / 2,
    }
    .clamp(16 << 20, LANE_BYTES)
}
