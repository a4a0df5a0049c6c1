//! Tails on two NUMA nodes.

use std::thread;

use tierlog::{Durability, Log, TailPlace};
use tierlog_hw_tests::{require, small, write_and_commit};
use tierlog_numa::{Node, Topology, pin_to};

#[test]
fn writers_get_a_lane_on_their_own_node() {
    let places = require!(two_nodes);
    let dirs = places.each_ref().map(|place| place.fresh());
    let mut config = small(&dirs[0]);
    let lanes = config.tail.lanes.unwrap();
    config.tail.places = places
        .iter()
        .zip(&dirs)
        .map(|(place, dir)| TailPlace { path: dir.path().join("tail"), node: place.node })
        .collect();
    let (log, _) = Log::open(config).unwrap();
    let topology = Topology::detect();
    thread::scope(|scope| {
        for (tail, place) in places.iter().enumerate() {
            let cpus = topology.cpus_of(Node(place.node.unwrap())).unwrap();
            let log = &log;
            scope.spawn(move || {
                pin_to(&cpus).unwrap();
                let mut writer = log.writer().unwrap();
                assert_eq!((writer.lane().0 / lanes) as usize, tail, "{place:?}");
                write_and_commit(&mut writer, b"near", Durability::Power);
            });
        }
    });
    log.close().unwrap();
}
