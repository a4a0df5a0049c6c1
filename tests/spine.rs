//! A record's whole way: append, commit, drain, recover, read back.

use std::path::Path;
use std::time::Duration;

mod support;

use support::files;
use support::records::as_probed;
use tierlog::{Config, Cut, Durability, Error, Lane, Log, Lsn, Medium, View};

fn small(dir: &Path, medium: Medium) -> Config {
    let mut config = Config::new(dir);
    // Temporary directories may lie in memory.
    config.nvme.accept_volatile = true;
    config.tail.medium = as_probed(medium);
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

const MEDIA: [Medium; 3] = [Medium::File, Medium::Emulated, Medium::Page];

#[test]
fn what_was_committed_is_read_back_and_survives_reopening() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, recovered) = Log::open(config.clone()).unwrap();
        assert!(recovered.created);
        let mut writer = log.writer().unwrap();
        for i in 0..100_u32 {
            writer.append(i, &i.to_le_bytes().repeat(i as usize)).unwrap();
            let commit = writer.commit(Durability::Power).unwrap();
            assert!(commit.reached >= Durability::Power);
        }
        let before = all(&log);
        assert_eq!(before.len(), 100, "{medium:?}");
        drop(writer);
        log.close().unwrap();
        let (log, recovered) = Log::open(config).unwrap();
        assert!(recovered.clean && !recovered.created, "{recovered:?}");
        assert_eq!(all(&log), before, "{medium:?}");
        log.close().unwrap();
    }
}

#[test]
fn many_laps_of_the_ring_drain_and_read_back_from_nvme() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(small(dir.path(), medium)).unwrap();
        let mut writer = log.writer().unwrap();
        let payload = |i: u32| vec![i as u8; (i as usize * 37) % 3000];
        for i in 0..2000_u32 {
            writer.append(1, &payload(i)).unwrap();
            if i % 7 == 0 {
                writer.commit(Durability::Process).unwrap();
            }
        }
        writer.commit(Durability::Power).unwrap();
        let records = all(&log);
        assert_eq!(records.len(), 2000);
        for (i, (_, _, bytes)) in records.iter().enumerate() {
            assert_eq!(*bytes, payload(i as u32), "{medium:?}: record {i}");
        }
        assert!(log.metrics().lanes[writer.lane().0 as usize].segments_retired > 0);
        drop(writer);
        log.close().unwrap();
    }
}

#[test]
fn a_log_that_was_not_closed_is_recovered() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut writer = log.writer().unwrap();
        for i in 0..300_u32 {
            writer.append(1, &i.to_le_bytes()).unwrap();
            writer.commit(Durability::Process).unwrap();
        }
        writer.append(1, b"never committed").unwrap();
        writer.append(1, b"nor this").unwrap();
        let before = all(&log);
        let copy = tempfile::tempdir().unwrap();
        files::copy(dir.path(), copy.path());
        drop(writer);
        log.close().unwrap();
        let mut config = small(copy.path(), medium);
        config.adopt = true;
        let (log, recovered) = Log::open(config).unwrap();
        assert!(!recovered.clean);
        assert_eq!(all(&log), before, "{medium:?} {recovered:?}");
        log.close().unwrap();
    }
}

#[test]
fn an_aborted_batch_is_never_read() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(small(dir.path(), medium)).unwrap();
        let mut writer = log.writer().unwrap();
        writer.append(0, b"kept").unwrap();
        writer.commit(Durability::Power).unwrap();
        writer.append(0, b"one").unwrap();
        writer.abort().unwrap();
        writer.append(0, b"one").unwrap();
        writer.append(0, b"two").unwrap();
        writer.abort().unwrap();
        writer.append(0, b"kept too").unwrap();
        writer.commit(Durability::Power).unwrap();
        let kept: Vec<Vec<u8>> = all(&log).into_iter().map(|(_, _, bytes)| bytes).collect();
        assert_eq!(kept, [b"kept".to_vec(), b"kept too".to_vec()]);
    }
}

#[test]
fn a_writer_that_panics_takes_its_batch_back_and_frees_its_lane() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, _) = Log::open(config.clone()).unwrap();
        let died = std::thread::scope(|scope| scope.spawn(|| panics_inside_a_batch(&log)).join());
        assert!(died.is_err());
        let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
        for writer in &mut writers {
            writer.append(0, b"kept too").unwrap();
            writer.commit(Durability::Power).unwrap();
        }
        let before = all(&log);
        let kept: Vec<&[u8]> = before.iter().map(|(_, _, bytes)| &bytes[..]).collect();
        assert_eq!(kept, [&b"kept"[..], b"kept too", b"kept too"], "{medium:?}");
        drop(writers);
        log.close().unwrap();
        let (log, _) = Log::open(config).unwrap();
        assert_eq!(all(&log), before, "{medium:?}");
        log.close().unwrap();
    }
}

fn panics_inside_a_batch(log: &Log) {
    let mut writer = log.writer().unwrap();
    writer.append(0, b"kept").unwrap();
    writer.commit(Durability::Power).unwrap();
    // One whose header is stored, and one whose header is held back.
    writer.append(0, b"taken back").unwrap();
    writer.append(0, b"taken back").unwrap();
    panic!("on purpose");
}

#[test]
fn limits_are_errors_that_leave_the_writer_unharmed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let largest = 16 << 10;
    assert!(matches!(writer.append(0, &vec![0; largest + 1]), Err(Error::TooLarge { .. })));
    writer.append(0, &[]).unwrap();
    writer.append(0, &vec![7; largest]).unwrap();
    let refused = (0..100).find_map(|_| writer.append(0, &vec![7; largest]).err());
    assert!(matches!(refused, Some(Error::TooLarge { what: "batch", .. })), "{refused:?}");
    writer.commit(Durability::Power).unwrap();
    let records = all(&log);
    assert_eq!((records[0].2.len(), records[1].2.len()), (0, largest));
}

#[test]
fn lanes_run_out_and_can_be_shared() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let shared = log.shared().unwrap();
    let writer = log.writer().unwrap();
    assert!(matches!(log.writer(), Err(Error::NoLane { lanes: 2 })));
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let shared = &shared;
            scope.spawn(move || {
                for _ in 0..50 {
                    let mut turn = shared.turn();
                    turn.append(u32::from(thread), &[thread]).unwrap();
                    turn.commit(Durability::Power).unwrap();
                }
            });
        }
    });
    drop(writer);
    assert_eq!(all(&log).len(), 200);
    assert!(log.writer().is_ok());
}

#[test]
fn a_turn_ends_before_the_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(dir.path(), Medium::File);
    config.nvme.accept_volatile = true;
    let (log, _) = Log::open(config).unwrap();
    let shared = log.shared().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let shared = shared.clone();
            scope.spawn(move || {
                for number in 0..100_u8 {
                    let commit = shared
                        .commit(Durability::Power, |writer| writer.append(0, &[thread, number]).map(|_| ()));
                    assert_eq!(commit.unwrap().reached, Durability::Power);
                }
            });
        }
    });
    let failed = shared
        .commit(Durability::Power, |writer| writer.append(8, &[0]).and(Err(Error::Config("no".into()))));
    assert!(matches!(failed, Err(Error::Config(_))), "{failed:?}");
    let records = all(&log);
    assert_eq!(records.len(), 800, "what a failed turn appended is taken back");
    for thread in 0..8 {
        let of_thread = records.iter().filter(|record| record.2[0] == thread).map(|record| record.2[1]);
        assert!(of_thread.eq(0..100), "thread {thread} in its order");
    }
}

#[test]
fn a_second_writing_open_is_refused_and_a_view_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(dir.path(), Medium::Emulated);
    config.lock_wait_ms_max = 50;
    let (log, _) = Log::open(config.clone()).unwrap();
    match Log::open(config.clone()) {
        Err(Error::Locked { owner, .. }) => {
            assert!(owner.contains(&std::process::id().to_string()), "{owner}")
        }
        other => panic!("{other:?}"),
    }
    let mut writer = log.writer().unwrap();
    writer.append(3, b"seen by a view").unwrap();
    writer.commit(Durability::Power).unwrap();
    let view = View::open(&config).unwrap();
    assert!(view.is_live());
    let mut reader = view.reader(&Cut::start()).unwrap();
    let record = reader.follow(Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!((record.payload, record.stream), (&b"seen by a view"[..], 3));
}

#[test]
fn claims_are_built_in_place_and_cost_nothing_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let _ = writer.claim(0, 100).unwrap();
    let mut claim = writer.claim(5, 70).unwrap();
    claim.fill(9);
    assert_eq!(claim.append(), Lsn(0));
    writer.commit(Durability::Power).unwrap();
    assert_eq!(all(&log)[0].2, [9; 70]);
}

#[test]
fn readers_go_on_from_a_position_inside_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    for batch in 0..200_u8 {
        for record in 0..5 {
            writer.append(0, &[batch, record]).unwrap();
        }
        writer.commit(Durability::Power).unwrap();
    }
    let whole: Vec<_> = all(&log).into_iter().map(|record| record.2).collect();
    let mut reader = log.reader(&Cut::start()).unwrap();
    for payload in &whole {
        let at = reader.position();
        let mut other = log.reader(&at).unwrap();
        assert_eq!(other.next().unwrap().unwrap().payload, payload, "from {at}");
        assert_eq!(reader.next().unwrap().unwrap().payload, payload);
    }
    let lane = writer.lane();
    let mut one = log.lane(lane, None).unwrap();
    let mut n = 0;
    while let Some(record) = one.next().unwrap() {
        assert_eq!(record.payload, whole[n]);
        n += 1;
    }
    assert_eq!(n, whole.len());
    assert!(matches!(log.lane(Lane(9), None), Err(Error::Config(_))));
}
