//! When what is on NVMe is read back.
#![cfg(feature = "sim")]

use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{FileFault, FileOperation, Plan, TailMedium, TailOptions, World, WorldOptions};
use tierlog::{Config, Cut, Durability, Log, Writer};
use tierlog_tiers::sim::SimTail;

const SLOT_BYTES: u64 = 128 << 10;
const SLOTS: u32 = 8;

/// Commits on without a rest until so much is published; how many.
fn commit_until(
    host: &Simulation,
    writer: &mut Writer<SimTail>,
    log: &Log<Simulation>,
    published: u64,
) -> usize {
    let mut commits = 0;
    while log.watermarks()[0].published.0 < published {
        writer.append(1, &[7; 1000]).unwrap();
        writer.commit(Durability::Power).unwrap();
        host.sleep(Duration::from_millis(1));
        commits += 1;
    }
    commits
}

#[test]
fn a_burst_that_commits_wrote_is_read_back_when_it_is_over_or_takes_half_of_the_ring() {
    check(TailMedium::File);
}

#[test]
fn a_burst_that_a_drainer_wrote_is_read_back_when_it_is_over_or_takes_half_of_the_ring() {
    check(TailMedium::FsDax { eadr: false });
}

fn check(medium: TailMedium) {
    let (host, log) = open(medium);
    let mut writer = log.writer().unwrap();
    let drained = || log.watermarks()[0].drained.0;

    commit_until(&host, &mut writer, &log, 5 * SLOT_BYTES / 2);
    assert_eq!(drained(), 0, "three segments of eight are taken");
    host.sleep(Duration::from_millis(20));
    let burst = drained();
    if medium == TailMedium::File {
        assert_eq!(burst, log.watermarks()[0].published.0, "the lane is quiet");
    }
    // A queue's watermark moves with whole segments of the tail.
    assert!(burst >= 2 * SLOT_BYTES, "the lane is quiet");

    commit_until(&host, &mut writer, &log, burst + SLOT_BYTES);
    assert_eq!(drained(), burst);
    commit_until(&host, &mut writer, &log, burst + u64::from(SLOTS) * SLOT_BYTES / 2);
    assert!(drained() > burst, "half of the ring was taken");
    drop(writer);
    log.close().unwrap();
}

/// Each write of a burst in turn: those that wait to be read back lie many deep.
#[test]
fn a_write_that_the_drive_lost_in_a_burst_is_written_again_from_the_tail() {
    let burst = |nth| {
        let (host, log) = open(TailMedium::FsDax { eadr: false });
        let mut writer = log.writer().unwrap();
        host.world().fail(Plan::none().file_fault(FileOperation::Write, nth, 1, FileFault::Lost));
        let commits = commit_until(&host, &mut writer, &log, 7 * SLOT_BYTES / 2);
        host.sleep(Duration::from_secs(1));
        assert!(log.watermarks()[0].drained.0 >= 3 * SLOT_BYTES, "write {nth}");
        let (mut reader, mut records) = (log.reader(&Cut::start()).unwrap(), 0);
        while reader.next().unwrap_or_else(|error| panic!("write {nth} was lost: {error}")).is_some() {
            records += 1;
        }
        assert_eq!(records, commits, "write {nth}");
        drop(writer);
        log.close().unwrap();
        !host.world().faults().is_empty()
    };
    let lost = (1..).take_while(|nth| burst(*nth)).count();
    assert!(lost > 6, "{lost}");
}

fn open(medium: TailMedium) -> (Arc<Simulation>, Log<Simulation>) {
    let tail = TailOptions { medium, ..TailOptions::default() };
    let world = World::new(&WorldOptions { tails: vec![tail], ..WorldOptions::default() });
    let host = Simulation::new(&world, 0, 1);
    let mut config = Config::new("sim");
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(SLOT_BYTES);
    config.tail.segments = Some(SLOTS);
    config.nvme.segment_bytes = Some(1 << 20);
    let (log, _) = Log::open_on(host.clone(), config).unwrap();
    (host, log)
}
