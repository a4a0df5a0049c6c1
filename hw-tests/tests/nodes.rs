//! Tails on two NUMA nodes: lanes and drainers are where their tail is.

use std::thread;
use std::time::{Duration, Instant};

use tierlog::{Config, Durability, Log, TailPlace};
use tierlog_hw_tests::{require, small, write_and_commit};
use tierlog_numa::{Node, Topology, pin_to};

/// The CPUs that threads of that name may run on, as the kernel lists them; one line a thread.
fn cpus_of_threads(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread may end between the listing and the reading.
        let Ok(comm) = std::fs::read_to_string(task.join("comm")) else { continue };
        if comm.trim() == name {
            let status = std::fs::read_to_string(task.join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
            found.push(line.trim().to_string());
        }
    }
    found
}

/// The only thread of that name runs on the node's CPUs. It gives itself its name and its place, once it runs.
#[track_caller]
fn expect_drainer(tail: usize, node: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    let wanted = [cpulist(node)];
    loop {
        let found = cpus_of_threads(&format!("tierlog-drain-{tail}"));
        if found == wanted {
            return;
        }
        assert!(Instant::now() < until, "tail {tail}: on {found:?}, not on {wanted:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A node's CPUs, as the kernel lists them.
fn cpulist(node: u32) -> String {
    let path = format!("/sys/devices/system/node/node{node}/cpulist");
    std::fs::read_to_string(path).unwrap().trim().to_string()
}

/// Writers pinned to the nodes of the tails get lanes there, and the drainers run there.
fn expect_placed(config: Config, nodes: [u32; 2]) {
    let lanes = config.tail.lanes.unwrap();
    let (log, _) = Log::open(config).unwrap();
    let topology = Topology::detect();
    thread::scope(|scope| {
        for (tail, node) in nodes.into_iter().enumerate() {
            let cpus = topology.cpus_of(Node(node)).unwrap();
            let log = &log;
            scope.spawn(move || {
                pin_to(&cpus).unwrap();
                let mut writer = log.writer().unwrap();
                assert_eq!((writer.lane().0 / lanes) as usize, tail, "on node {node}");
                write_and_commit(&mut writer, b"near", Durability::Power);
            });
        }
    });
    for (tail, node) in nodes.into_iter().enumerate() {
        expect_drainer(tail, node);
    }
    log.close().unwrap();
}

#[test]
fn writers_get_a_lane_on_their_own_node_and_drainers_run_there() {
    let places = require!(two_nodes);
    let dir = require!(nvme).fresh();
    let mut config = small(&dir);
    // Nodes are those of the devices: none is configured.
    let tails = places.each_ref().map(|place| place.tail());
    config.tail.places = tails.iter().map(|tail| TailPlace { path: tail.path.clone(), node: None }).collect();
    expect_placed(config, places.map(|place| place.node.unwrap()));
}

#[test]
fn tails_in_ordinary_files_belong_to_the_nodes_that_are_named() {
    let nodes = require!(two_cpu_nodes);
    let dir = require!(nvme).fresh();
    let mut config = small(&dir);
    let place = |node| TailPlace { path: dir.path().join(format!("tail{node}")), node: Some(node) };
    config.tail.places = nodes.map(place).into();
    expect_placed(config, nodes);
}

#[test]
fn memory_without_cpus_is_drained_from_the_nearest_node() {
    let place = require!(memory_node);
    let dir = require!(nvme).fresh();
    let tail = place.tail();
    let mut config = small(&dir);
    config.tail.places = vec![TailPlace { path: tail.path.clone(), node: None }];
    let (log, _) = Log::open(config).unwrap();
    let near = Topology::detect().nearest_with_cpus(Node(place.node.unwrap())).unwrap();
    assert_ne!(near.0, place.node.unwrap());
    expect_drainer(0, near.0);
    let mut writer = log.writer().unwrap();
    write_and_commit(&mut writer, b"far", Durability::Power);
    drop(writer);
    log.close().unwrap();
}
