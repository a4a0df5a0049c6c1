//! One NUMA node, and what is known of it.

use std::fmt;

use crate::Cpu;

/// A NUMA node, by the number the kernel gives it: `node1` is `Node(1)`. Numbers may have gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node{}", self.0)
    }
}

/// A node of a [`Topology`](crate::Topology).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its number.
    pub id: Node,
    /// Its CPUs, ascending. Empty for memory alone (CXL, persistent memory as RAM), and where this process
    /// may use none of them.
    pub cpus: Vec<Cpu>,
    /// Its memory in bytes; 0 where it has none or the source does not say.
    pub memory_bytes: u64,
    /// Distance to each other node, ascending by node, as the ACPI SLIT counts it: a node is 10 from itself,
    /// 20 is twice the latency. Empty where the source does not say.
    pub distances: Vec<(Node, u32)>,
}
