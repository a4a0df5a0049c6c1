//! The rows and columns of the matrix.

use std::path::Path;

use tierlog_numa::{Cpu, Node, Topology, node_of_path};

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
