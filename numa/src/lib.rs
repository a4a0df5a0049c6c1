//! numa
#![allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub struct Node(pub u32);
#[derive(Debug, Clone, Copy, PartialEq, Eq)] pub struct Cpu(pub u32);
#[derive(Debug)] pub struct Topology;
impl Topology { pub fn detect() -> Self { Topology } pub fn cpus_of(&self, _: Node) -> Option<Vec<Cpu>> { None } }
pub fn current_node() -> Node { Node(0) }
pub fn pin_to(_: &[Cpu]) -> std::io::Result<()> { Ok(()) }
pub fn node_of_path(_: &std::path::Path) -> Option<Node> { None }
