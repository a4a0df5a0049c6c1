use std::fs;
use std::path::Path;

use tierlog_numa::{Node, Topology};

use super::KINDS;
use super::axes::axes;
use crate::bench::smoke::smoke;
use crate::bench::sweep::Sweep;

/// Two nodes of two processors, and one of memory alone.
fn three_nodes() -> (tempfile::TempDir, Topology) {
    let sys = tempfile::tempdir().unwrap();
    let nodes = sys.path().join("devices/system/node");
    let put = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(&nodes.join("online"), "0-2\n");
    for (node, cpus, distance) in [(0, "0-1", "10 20 30"), (1, "2-3", "20 10 40"), (2, "", "30 40 10")] {
        let dir = nodes.join(format!("node{node}"));
        put(&dir.join("cpulist"), &format!("{cpus}\n"));
        put(&dir.join("distance"), &format!("{distance}\n"));
        put(&dir.join("meminfo"), &format!("Node {node} MemTotal:  1048576 kB\n"));
    }
    let topology = Topology::from_sysfs(sys.path()).unwrap();
    (sys, topology)
}

#[test]
fn memory_only_nodes_are_columns_and_no_rows() {
    let (_sys, topology) = three_nodes();
    let (rows, columns) = axes(&topology, true, Path::new("/"));
    assert_eq!(rows.iter().map(|row| row.node).collect::<Vec<_>>(), [Node(0), Node(1)]);
    let shown: Vec<_> =
        columns.iter().map(|column| (column.node, column.memory_only, column.bound)).collect();
    assert!(columns.iter().all(|column| column.lane_bytes == 128 << 20), "{columns:?}");
    assert_eq!(shown, [(Node(0), false, true), (Node(1), false, true), (Node(2), true, true)]);
}

#[test]
fn persistent_memory_lies_where_it_lies() {
    let (_sys, topology) = three_nodes();
    let (rows, columns) = axes(&topology, false, Path::new("/"));
    assert_eq!((rows.len(), columns.len()), (2, 1));
    assert!(!columns[0].bound);
}

#[test]
fn the_matrix_has_every_pair() {
    let (figures, skipped) = smoke(KINDS, &Sweep { size_bytes: vec![64], ..Sweep::default() });
    let topology = Topology::detect();
    let with = topology.nodes().iter().filter(|info| !info.cpus.is_empty()).count();
    for what in ["persist", "read", "read chain", "drain"] {
        let found = figures.iter().filter(|figure| figure.what == what);
        let pairs = found.inspect(|figure| {
            assert!(!figure.by.contains("node"), "a matrix has one name: {figure:?}");
            assert!(figure.at.cpu_node.is_some() && figure.at.memory_node.is_some(), "{figure:?}");
        });
        assert!(pairs.count() >= with, "{what}: {figures:?} {skipped:?}");
    }
    assert_eq!(topology.nodes().len() == 1, skipped.iter().any(|one| one.why.contains("one node")));
}
