//! When what committing threads wrote is read back.
#![cfg(feature = "sim")]

use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{TailMedium, TailOptions, World, WorldOptions};
use tierlog::{Config, Durability, Log, Writer};
use tierlog_tiers::sim::SimTail;

const SLOT_BYTES: u64 = 4 << 10;
const SLOTS: u32 = 8;

/// Commits on without a rest until so much is published.
fn commit_until(host: &Simulation, writer: &mut Writer<SimTail>, log: &Log<Simulation>, published: u64) {
    while log.watermarks()[0].published.0 < published {
        writer.append(1, &[7; 100]).unwrap();
        writer.commit(Durability::Power).unwrap();
        host.sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_burst_is_read_back_when_it_is_over_or_takes_half_of_the_ring() {
    let tail = TailOptions { medium: TailMedium::File, ..TailOptions::default() };
    let world = World::new(&WorldOptions { tails: vec![tail], ..WorldOptions::default() });
    let host = Simulation::new(&world, 0, 1);
    let mut config = Config::new("sim");
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(SLOT_BYTES);
    config.tail.segments = Some(SLOTS);
    config.nvme.segment_bytes = Some(64 << 10);
    let (log, _) = Log::open_on(host.clone(), config).unwrap();
    let mut writer = log.writer().unwrap();
    let drained = || log.watermarks()[0].drained.0;

    commit_until(&host, &mut writer, &log, 5 * SLOT_BYTES / 2);
    assert_eq!(drained(), 0, "three segments of eight are taken");
    host.sleep(Duration::from_millis(20));
    let burst = drained();
    assert_eq!(burst, log.watermarks()[0].published.0, "the lane is quiet");

    commit_until(&host, &mut writer, &log, burst + SLOT_BYTES);
    assert_eq!(drained(), burst);
    commit_until(&host, &mut writer, &log, burst + u64::from(SLOTS) * SLOT_BYTES / 2);
    assert!(drained() > burst, "half of the ring was taken");
    drop(writer);
    log.close().unwrap();
}
