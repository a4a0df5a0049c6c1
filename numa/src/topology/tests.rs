use std::fs;

use tempfile::TempDir;

use super::*;

/// A sysfs with these files below `devices/system`.
fn sysfs(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join("devices/system").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const TWO_SOCKETS: &[(&str, &str)] = &[
    ("node/online", "0-1\n"),
    ("node/node0/cpulist", "0-3,8-11\n"),
    ("node/node0/meminfo", "Node 0 MemTotal:        6121676 kB\nNode 0 MemFree:         1 kB\n"),
    ("node/node0/distance", "10 21\n"),
    ("node/node1/cpulist", "4-7,12-15\n"),
    ("node/node1/meminfo", "Node 1 MemTotal:        8 kB\n"),
    ("node/node1/distance", "22 10\n"),
];

fn ids(cpus: &[Cpu]) -> Vec<u32> {
    cpus.iter().map(|cpu| cpu.0).collect()
}

#[test]
fn two_sockets() {
    let root = sysfs(TWO_SOCKETS);
    let topology = Topology::from_sysfs(root.path()).unwrap();
    let [first, second] = topology.nodes() else { panic!("{topology:?}") };
    assert_eq!(
        (first.id, first.memory_bytes, &first.distances[..]),
        (Node(0), 6_121_676 << 10, &[(Node(1), 21)][..])
    );
    assert_eq!(
        (second.id, second.memory_bytes, &second.distances[..]),
        (Node(1), 8 << 10, &[(Node(0), 22)][..])
    );
    assert_eq!(ids(&topology.cpus_of(Node(0)).unwrap()), [0, 1, 2, 3, 8, 9, 10, 11]);
    assert_eq!(ids(&topology.cpus_of(Node(1)).unwrap()), [4, 5, 6, 7, 12, 13, 14, 15]);
    assert_eq!(topology.cpus_of(Node(2)), None);
    assert_eq!(topology.source(), Source::Sysfs);
}

#[test]
fn memory_alone_and_sparse_numbers() {
    let root = sysfs(&[
        ("node/online", "0,8,252\n"),
        ("node/node0/cpulist", "0\n"),
        ("node/node0/distance", "10 40 80\n"),
        ("node/node8/cpulist", "88,160-161\n"),
        ("node/node8/distance", "40 10 80\n"),
        ("node/node252/cpulist", "\n"),
        ("node/node252/meminfo", "Node 252 MemTotal:       16777216 kB\n"),
        ("node/node252/distance", "80 80 10\n"),
        ("node/node1/cpulist", "1\n"),
    ]);
    let topology = Topology::from_sysfs(root.path()).unwrap();
    assert_eq!(topology.nodes().iter().map(|node| node.id.0).collect::<Vec<_>>(), [0, 8, 252]);
    assert_eq!(ids(&topology.cpus_of(Node(8)).unwrap()), [88, 160, 161]);
    assert_eq!(topology.cpus_of(Node(252)), Some(vec![]));
    assert_eq!(topology.cpus_of(Node(1)), None, "an offline node");
    assert_eq!(topology.nodes()[2].memory_bytes, 16 << 30);
    assert_eq!(topology.nodes()[1].distances, [(Node(0), 40), (Node(252), 80)]);
}

#[test]
fn restricted_cpus() {
    let root = sysfs(TWO_SOCKETS);
    let topology = Topology::from_sysfs(root.path()).unwrap().restricted_to(&[Cpu(2), Cpu(9), Cpu(31)]);
    assert_eq!(ids(&topology.cpus_of(Node(0)).unwrap()), [2, 9]);
    assert_eq!(topology.cpus_of(Node(1)), Some(vec![]), "a node out of reach is still there");
}

#[test]
fn a_kernel_without_numa_is_one_node() {
    let root = sysfs(&[("cpu/online", "0-1,3\n")]);
    let topology = Topology::from_sysfs(root.path()).unwrap();
    assert_eq!(topology.nodes().len(), 1);
    assert_eq!(ids(&topology.cpus_of(Node(0)).unwrap()), [0, 1, 3]);
}

#[test]
fn no_sysfs_is_unreadable() {
    let root = sysfs(&[]);
    assert!(matches!(Topology::from_sysfs(root.path()), Err(SysfsError::Unreadable { .. })));
    let root = sysfs(&[("node/online", "0\n")]);
    let error = Topology::from_sysfs(root.path()).unwrap_err();
    assert!(matches!(error, SysfsError::Unreadable { path, .. } if path.ends_with("node0/cpulist")));
}

#[test]
fn nonsense_is_named_with_its_file() {
    for (file, text) in [
        ("node/online", "\n"),
        ("node/online", "0-4294967295\n"),
        ("node/node0/cpulist", "3-1\n"),
        ("node/node0/meminfo", "Node 0 MemFree: 1 kB\n"),
        ("node/node0/meminfo", "Node 0 MemTotal: 99999999999999999999 kB\n"),
        ("node/node0/meminfo", "Node 0 MemTotal: 18446744073709551615 kB\n"),
        ("node/node0/distance", "10\n"),
        ("node/node0/distance", "10 -1\n"),
    ] {
        let root = sysfs(&[TWO_SOCKETS, &[(file, text)]].concat());
        let error = Topology::from_sysfs(root.path()).unwrap_err();
        assert!(
            matches!(&error, SysfsError::Malformed { path, .. } if path.ends_with(file)),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn this_machine_has_the_cpus_this_process_may_use() {
    let topology = Topology::detect();
    let mut cpus: Vec<Cpu> = topology.nodes().iter().flat_map(|node| node.cpus.clone()).collect();
    cpus.sort();
    assert_eq!(cpus, affinity::allowed().unwrap());
    assert!(topology.nodes().iter().any(|node| node.memory_bytes > 0));
    assert_ne!(topology.source(), Source::Affinity);
}
