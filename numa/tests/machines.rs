//! Machines that this one is not, from files in `machines/`: `path = text` below `/sys/devices/system`.

use std::fs;

use tierlog_numa::{Cpu, Node, Topology};

fn machine(text: &str) -> Topology {
    let root = tempfile::tempdir().unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (path, text) = line.split_once(" =").unwrap();
        let path = root.path().join("devices/system").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{}\n", text.trim())).unwrap();
    }
    Topology::from_sysfs(root.path()).unwrap()
}

fn cpus(topology: &Topology) -> Vec<usize> {
    topology.nodes().iter().map(|node| node.cpus.len()).collect()
}

fn near(topology: &Topology, node: u32) -> Option<u32> {
    topology.nearest_with_cpus(Node(node)).map(|node| node.0)
}

#[test]
fn one_socket() {
    let topology = machine(include_str!("machines/one-socket"));
    assert_eq!(topology.nodes().len(), 1);
    assert_eq!((near(&topology, 0), near(&topology, 1)), (Some(0), None));
}

#[test]
fn two_sockets() {
    let topology = machine(include_str!("machines/two-sockets"));
    assert_eq!(cpus(&topology), [8, 8]);
    assert_eq!((near(&topology, 0), near(&topology, 1)), (Some(0), Some(1)));
}

#[test]
fn sub_numa_clusters() {
    let topology = machine(include_str!("machines/sub-numa-clusters"));
    assert_eq!(cpus(&topology), [8, 8, 8, 8]);
    // A cluster whose CPUs are all taken away is served by its sibling, not by the other socket.
    let rest: Vec<Cpu> = (0..32).map(Cpu).filter(|cpu| cpu.0 % 16 / 4 != 3).collect();
    let topology = topology.restricted_to(&rest);
    assert_eq!(cpus(&topology), [8, 8, 8, 0]);
    assert_eq!((near(&topology, 2), near(&topology, 3)), (Some(2), Some(2)));
}

#[test]
fn memory_alone_is_served_by_the_nearest_node() {
    let topology = machine(include_str!("machines/memory-node"));
    assert_eq!(cpus(&topology), [1, 1, 0]);
    assert_eq!(topology.cpus_of(Node(2)), Some(vec![]));
    assert_eq!(near(&topology, 2), Some(1));
}

#[test]
fn a_container_with_few_cpus() {
    let topology = machine(include_str!("machines/two-sockets")).restricted_to(&[Cpu(9), Cpu(2)]);
    assert_eq!(cpus(&topology), [2, 0]);
    assert_eq!(topology.cpus_of(Node(0)), Some(vec![Cpu(2), Cpu(9)]));
    assert_eq!(near(&topology, 1), Some(0), "its memory is there all the same");
    assert_eq!(near(&machine(include_str!("machines/two-sockets")).restricted_to(&[]), 0), None);
}
