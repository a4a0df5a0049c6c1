//! How long segment files of NVMe stay that hold nothing.
#![cfg(feature = "sim")]

use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{TailMedium, TailOptions, World, WorldOptions};
use tierlog::{Config, Cut, Durability, Epoch, Log, Position};

const SEGMENT_BYTES: u64 = 1 << 20;
/// Kept for good: the spare ones, and one a lane or eight.
const KEPT: u64 = 2 + 8;
const MINUTE: Duration = Duration::from_secs(60);

fn open() -> (Arc<Simulation>, Log<Simulation>, Epoch) {
    let tail = TailOptions { medium: TailMedium::File, ..TailOptions::default() };
    let world = World::new(&WorldOptions { tails: vec![tail], ..WorldOptions::default() });
    let host = Simulation::new(&world, 0, 1);
    let mut config = Config::new("sim");
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(128 << 10);
    config.nvme.segment_bytes = Some(SEGMENT_BYTES);
    let (log, recovered) = Log::open_on(host.clone(), config).unwrap();
    (host, log, recovered.epoch)
}

/// Commits 16 segments and gives them up; segments that are there then, and how many commits had to make.
fn burst(host: &Simulation, log: &Log<Simulation>, epoch: Epoch) -> (u64, u64) {
    let mut writer = log.writer().unwrap();
    for _ in 0..16 * SEGMENT_BYTES / (20 << 10) {
        writer.append(1, &[7; 20 << 10]).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    drop(writer);
    host.sleep(Duration::from_secs(1));
    log.checkpoint(&end(log, epoch)).unwrap();
    (segments(log), log.metrics().lanes[0].waits_for_segment)
}

fn end(log: &Log<Simulation>, epoch: Epoch) -> Cut {
    let end = log.watermarks()[0];
    Cut::from(vec![Position { epoch, lane: end.lane, lsn: end.durable }])
}

fn segments(log: &Log<Simulation>) -> u64 {
    log.metrics().nvme_bytes / SEGMENT_BYTES
}

#[test]
fn segments_stay_for_the_next_burst_and_go_after_five_minutes() {
    let (host, log, epoch) = open();
    let (most, made) = burst(&host, &log, epoch);
    assert!(most > KEPT + 4, "{most}");
    host.sleep(4 * MINUTE);
    assert_eq!(burst(&host, &log, epoch), (most, made), "none had to be made for the second");
    host.sleep(11 * MINUTE);
    let left = segments(&log);
    assert!(left <= KEPT + 1, "{left} of {most}");
    // It goes on without them.
    let end = end(&log, epoch);
    let mut writer = log.writer().unwrap();
    for nth in 0..100 {
        writer.append(nth, &[7; 20 << 10]).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    drop(writer);
    let (mut reader, mut nth) = (log.reader(&end).unwrap(), 0);
    while let Some(record) = reader.next().unwrap() {
        assert_eq!((record.stream, record.payload.len()), (nth, 20 << 10));
        nth += 1;
    }
    assert_eq!(nth, 100);
    drop(reader);
    log.close().unwrap();
}
