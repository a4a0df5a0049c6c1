//! Schedules that once lost, hid or blocked something.
use std::path::Path;
use std::time::{Duration, Instant};

mod support;

use support::files;
use tierlog::{Config, Cut, Durability, Error, Lane, Log, Lsn, Medium, Position, Stamp, View};

fn small(dir: &Path, medium: Medium) -> Config {
    let mut config = Config::new(dir);
    // Temporary directories may lie in memory.
    config.nvme.accept_volatile = true;
    config.tail.medium = medium;
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(256 << 10);
    config.nvme.spare_segments = 1;
    // An emulated machine's disk may stand still for long.
    config.tail.full_wait_ms_max = 60_000;
    config
}

fn all(log: &Log) -> Vec<(u32, u64, Vec<u8>)> {
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        records.push((record.lane.0, record.gsn.0, record.payload.to_vec()));
    }
    records
}

/// Power commits only, more than a ring of them.
#[test]
fn power_commits_alone_get_ring_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(dir.path(), Medium::File);
    config.tail.full_wait_ms_max = 3_000;
    let (log, _) = Log::open(config).unwrap();
    let mut writer = log.writer().unwrap();
    for i in 0..1000_u32 {
        writer.append(0, &[i as u8; 1000]).unwrap_or_else(|e| panic!("record {i}: {e}"));
        writer.commit(Durability::Power).unwrap();
    }
}

/// A claim that opened a new segment and was dropped, then a Buffered commit.
#[test]
fn a_dropped_claim_before_a_buffered_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    for _ in 0..4 {
        writer.append(0, &[1; 14 << 10]).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    writer.append(0, b"a").unwrap();
    for _ in 0..5 {
        let _ = writer.claim(0, 16 << 10).unwrap();
    }
    writer.commit(Durability::Buffered).unwrap();
    writer.append(0, b"b").unwrap();
    writer.commit(Durability::Power).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(all(&log).len(), 6);
}

/// Commits retried after Closed in visible-first mode each append a deps frame.
#[test]
fn retried_commits_stay_in_their_slot() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::File)).unwrap();
    let mut a = log.writer().unwrap();
    let mut b = log.writer().unwrap();
    a.append(0, b"a").unwrap();
    a.commit(Durability::Process).unwrap();
    let mut reader = log.lane(a.lane(), None).unwrap();
    assert!(reader.next().unwrap().is_some());
    b.append(0, b"b").unwrap();
    b.abort().unwrap();
    b.append(0, b"b").unwrap();
    // close while writers are about; then keep on trying
    a.append(0, b"x").unwrap();
    a.append(0, b"y").unwrap();
    log.close().unwrap();
    for _ in 0..10_000 {
        assert!(a.abort().is_err());
    }
}

#[test]
fn a_commit_is_seen_by_a_merged_reader_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut missed = 0;
    for i in 0..2000_u32 {
        writer.append(0, &i.to_le_bytes()).unwrap();
        writer.commit(Durability::Power).unwrap();
        if reader.next().unwrap().is_none() {
            missed += 1;
            assert!(reader.follow(Duration::from_secs(1)).unwrap().is_some());
        }
    }
    assert_eq!(missed, 0, "acknowledged, and not there");
}

#[test]
fn an_observed_lead_hides_nothing_and_is_kept_by_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let config = small(dir.path(), Medium::Emulated);
    let (log, recovered) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"1").unwrap();
    let mut stamp = writer.commit(Durability::Power).unwrap().stamp;
    stamp.gsn.0 += 30_000_000_000;
    writer.observe(stamp).unwrap();
    writer.append(0, b"2").unwrap();
    let second = writer.commit(Durability::Power).unwrap().stamp.gsn;
    writer.append(0, b"3").unwrap();
    let third = writer.commit(Durability::Power).unwrap().stamp.gsn;
    assert!(third > second && second > stamp.gsn);
    std::thread::sleep(Duration::from_millis(2));
    let seen = all(&log).len();
    drop(writer);
    log.close().unwrap();
    let (log, _) = Log::open(config).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"4").unwrap();
    let fourth = writer.commit(Durability::Power).unwrap().stamp.gsn;
    let _ = recovered;
    assert_eq!((seen, fourth > third), (3, true), "{fourth} after {third}");
}

#[test]
fn a_position_of_an_epoch_that_lost_everything_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let config = small(dir.path(), Medium::File);
    Log::open(config.clone()).unwrap().0.close().unwrap();
    let (log, _) = Log::open(config).unwrap();
    // What a power cut leaves: nothing of epoch 2 but its record.
    let copy = tempfile::tempdir().unwrap();
    files::copy(dir.path(), copy.path());
    let mut writer = log.writer().unwrap();
    for _ in 0..4 {
        writer.append(0, b"gone").unwrap();
        writer.commit(Durability::Process).unwrap();
    }
    let stamp = writer.commit(Durability::Process).unwrap().stamp;
    let lane = writer.lane();
    drop(writer);
    log.close().unwrap();
    let mut config = small(copy.path(), Medium::File);
    config.adopt = true;
    let (log, recovered) = Log::open(config).unwrap();
    assert_eq!(recovered.epoch.0, 3);
    let mut writer = log.writer().unwrap();
    for i in 0..8_u8 {
        writer.append(0, &[i]).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    assert_eq!(writer.lane(), lane);
    let mut cut = Cut::start();
    cut.set(stamp.end);
    let reader = log.reader(&cut).map(drop);
    let observed = writer.observe(stamp);
    let checkpoint = log.checkpoint(&cut);
    assert!(matches!(reader, Err(Error::Lost { .. })), "reader: {reader:?}");
    assert!(matches!(observed, Err(Error::Lost { .. })), "observe: {observed:?}");
    assert!(checkpoint.is_err(), "checkpoint");
}

#[test]
fn a_stamp_of_a_lane_that_is_not_there_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (log, recovered) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let end = Position { epoch: recovered.epoch, lane: Lane(70_000), lsn: Lsn(0) };
    assert!(writer.observe(Stamp { gsn: tierlog::Gsn(1), end }).is_err());
}

#[test]
fn a_reader_overtaken_by_a_checkpoint_is_told_trimmed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let write = |writer: &mut tierlog::Writer, n: u32| {
        for i in 0..n {
            writer.append(0, &[i as u8; 3000]).unwrap();
            writer.commit(Durability::Power).unwrap();
        }
    };
    write(&mut writer, 10);
    let mut reader = log.lane(writer.lane(), None).unwrap();
    assert!(reader.next().unwrap().is_some());
    write(&mut writer, 400);
    std::thread::sleep(Duration::from_millis(200));
    let mut cut = Cut::start();
    cut.set(writer.commit(Durability::Power).unwrap().stamp.end);
    log.checkpoint(&cut).unwrap();
    write(&mut writer, 400);
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Trimmed { .. }), "{error}");
}

/// File medium after a power cut: the tail kept what NVMe lost and the other way round.
#[test]
fn the_union_of_tiers_is_what_an_open_moves() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::File)).unwrap();
    let mut writer = log.writer().unwrap();
    for i in 0..7_u8 {
        writer.append(0, &[i + 1; 8000]).unwrap();
    }
    // On NVMe when that returns.
    writer.commit(Durability::Power).unwrap();
    let copy = tempfile::tempdir().unwrap();
    files::copy(dir.path(), copy.path());
    drop(writer);
    log.close().unwrap();
    // NVMe loses record 10 (its blocks), the tail loses record 15.
    let wipe = |path: &Path, from: u8, all: bool| {
        let mut bytes = std::fs::read(path).unwrap();
        let mut hit = 0;
        for at in (0..bytes.len().saturating_sub(8100)).step_by(64) {
            if bytes[at + 32..at + 40] == [from; 8] && bytes[at + 1000] == from && bytes[at + 8000] == from {
                bytes[at..at + 8064].fill(0);
                hit += 1;
                if !all {
                    break;
                }
            }
        }
        std::fs::write(path, bytes).unwrap();
        hit
    };
    let mut hits = 0;
    for file in files::below(&copy.path().join("nvme")) {
        if file.extension().is_some_and(|e| e == "seg") {
            hits += wipe(&file, 6, true);
        }
    }
    assert_eq!(hits, 1, "NVMe");
    assert_eq!(wipe(&copy.path().join("tail"), 3, true), 1, "tail");
    let mut config = small(copy.path(), Medium::File);
    config.adopt = true;
    let (log, _) = Log::open(config).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all(&log).len(), 7);
}

/// Two lanes that read each other, a drainer each.
#[test]
fn drainers_do_not_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(dir.path(), Medium::File);
    config.nvme.drainers = 2;
    config.tail.segment_bytes = Some(1 << 20);
    config.nvme.segment_bytes = Some(8 << 20);
    // A flush may take seconds where others use the disk.
    config.tail.full_wait_ms_max = 60_000;
    let (log, _) = Log::open(config).unwrap();
    let until = Instant::now() + Duration::from_secs(6);
    std::thread::scope(|scope| {
        for t in 0..2 {
            let log = &log;
            scope.spawn(move || {
                let mut writer = log.writer().unwrap();
                let other = Lane(1 - writer.lane().0);
                let mut reader = log.lane(other, None).unwrap();
                while Instant::now() < until {
                    while reader.next().unwrap().is_some() {}
                    writer.append(t, &[7; 2000]).unwrap_or_else(|e| panic!("{e}"));
                    writer.commit(Durability::Process).unwrap();
                }
            });
        }
    });
}

/// A commit between the closing of a stamp and the look at what that covers is above the stamp: another one has to be
/// closed for it, also when nothing follows.
#[test]
fn the_last_commit_before_a_silence_reaches_a_view() {
    let dir = tempfile::tempdir().unwrap();
    let config = small(dir.path(), Medium::Emulated);
    let (log, _) = Log::open(config.clone()).unwrap();
    let view = View::open(&config).unwrap();
    let mut reader = view.reader(&Cut::start()).unwrap();
    let mut writer = log.writer().unwrap();
    for burst in 0..60_u32 {
        let silence = Instant::now() + Duration::from_micros(u64::from(500 + burst * 33));
        let mut left = 0;
        while Instant::now() < silence {
            writer.append(0, &burst.to_le_bytes()).unwrap();
            writer.commit(Durability::Power).unwrap();
            left += 1;
        }
        while left > 0 {
            let record = reader.follow(Duration::from_secs(10)).unwrap();
            assert!(record.is_some(), "burst {burst}: {left} acknowledged, and never seen");
            left -= 1;
        }
    }
}
