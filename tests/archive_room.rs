//! A full archive: the configured rule, and on by itself once something was given up.
#![cfg(feature = "object")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::records::{Kept, all, small, viewed};
use tierlog::{Config, Durability, Error, Gsn, Log, Medium, Retention, WhenFull, Writer, restore};

const QUOTA_BYTES: u64 = 400 << 10;

fn config(place: &Path, name: &str) -> Config {
    let mut config = small(&place.join(name), Medium::Emulated);
    config.archive.address = place.join("store").display().to_string();
    config.archive.accept_local = true;
    config.archive.gather_ms = 1;
    config.archive.linger_ms_max = 20;
    config.archive.quota_bytes = QUOTA_BYTES;
    config.tail.full_wait_ms_max = 300;
    config
}

fn commit(writer: &mut Writer, n: u32, level: Durability) -> Result<Gsn, Error> {
    writer.append(n, &n.to_le_bytes().repeat(1_000))?;
    writer.commit(level).map(|commit| commit.stamp.gsn)
}

/// Commits at `Machine` until that is refused; the stamps of those that were not.
fn until_refused(writer: &mut Writer, from: u32) -> (Vec<Gsn>, Error) {
    let mut stamps = Vec::new();
    for n in from..10_000 {
        match commit(writer, n, Durability::Machine) {
            Ok(gsn) => stamps.push(gsn),
            Err(error) => return (stamps, error),
        }
    }
    panic!("never full");
}

fn within(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn restored(place: &Path) -> Vec<Kept> {
    let again = config(place, "again");
    restore(&again).unwrap();
    viewed(&Config { archive: Default::default(), ..again }).0
}

#[test]
fn a_full_archive_refuses_machine_and_goes_on_after_a_trim() {
    let place = tempfile::tempdir().unwrap();
    let mut config = config(place.path(), "log");
    config.nvme.quota_bytes = 3 << 20;
    let (log, _) = Log::open(config).unwrap();
    let mut writer = log.writer().unwrap();
    let (stamps, error) = until_refused(&mut writer, 0);
    let refused = stamps.len() as u32;
    assert!(matches!(&error, Error::Archive(why) if why.contains("archive.quota_bytes = 409600")), "{error}");
    assert!((60..101).contains(&refused), "{refused} of 4 KB within 400 KiB");
    assert!(log.metrics().archive_trouble.is_some());
    // Power goes on until NVMe, which keeps what is not archived, is full in its turn.
    log.checkpoint(&log.seek(*stamps.last().unwrap()).unwrap()).unwrap();
    let full =
        (refused + 1..10_000).find_map(|n| commit(&mut writer, n, Durability::Power).err().map(|e| (n, e)));
    let (next, error) = full.expect("never full");
    assert!(matches!(error, Error::Full { .. }) && next > refused + 200, "{next}: {error}");
    // Each trim gives room for so many; all that was held back comes to be archived, and Power goes on.
    log.checkpoint(&log.seek(Gsn(u64::MAX)).unwrap()).unwrap();
    within("it goes on", || {
        log.trim_archive(Gsn(u64::MAX)).unwrap();
        log.watermarks().iter().all(|lane| lane.archived == lane.published)
    });
    assert!(log.metrics().nvme_bytes <= 3 << 20);
    commit(&mut writer, next, Durability::Machine).unwrap();
    assert!(log.metrics().archive_trouble.is_none());
    let kept = all(&log);
    drop(writer);
    log.close().unwrap();
    let back = restored(place.path());
    assert!(!back.is_empty() && kept.ends_with(&back), "{} of {}", back.len(), kept.len());
    assert_eq!(back.last().unwrap().stream, next);
}

#[test]
fn block_waits_for_a_trim_and_retention_makes_room_by_itself() {
    for retained in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let mut config = config(place.path(), "log");
        config.tail.when_full = WhenFull::Block;
        config.archive.retain = retained.then_some(Retention { bytes_max: 100 << 10, ms_max: 0 });
        let (log, _) = Log::open(config).unwrap();
        std::thread::scope(|scope| {
            let appender = scope.spawn(|| {
                let mut writer = log.writer().unwrap();
                for n in 0..400 {
                    commit(&mut writer, n, Durability::Machine).unwrap();
                }
            });
            let (mut moved, mut before, mut blocked) = (Instant::now(), log.watermarks(), 0);
            while !appender.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                if log.watermarks() != before {
                    (before, moved) = (log.watermarks(), Instant::now());
                } else if moved.elapsed() > Duration::from_millis(600) {
                    // Longer than `full_wait_ms_max`, and nothing was refused.
                    (blocked, moved) = (blocked + 1, Instant::now());
                    match retained {
                        // Nobody needs them; that is all it takes.
                        true => log.checkpoint(&log.seek(Gsn(u64::MAX)).unwrap()).unwrap(),
                        false => drop(log.trim_archive(Gsn(u64::MAX)).unwrap()),
                    }
                }
            }
            appender.join().unwrap();
            assert!(blocked >= 2, "{blocked}");
        });
        log.close().unwrap();
        assert_eq!(restored(place.path()).last().unwrap().stream, 399);
    }
}

#[test]
fn a_ticket_for_machine_waits_no_longer_than_a_commit() {
    // By the rule of a full archive; and by a bound of its own, where that rule is to wait.
    for when_full in [WhenFull::Refuse, WhenFull::Block] {
        let place = tempfile::tempdir().unwrap();
        let mut config = config(place.path(), "log");
        config.tail.when_full = when_full;
        config.archive.machine_wait_ms_max = if when_full == WhenFull::Block { 2_000 } else { 0 };
        let (log, _) = Log::open(config).unwrap();
        let mut writer = log.writer().unwrap();
        until_refused(&mut writer, 0);
        let tickets = [0, 1].map(|n| {
            writer.append(n, b"no room").unwrap();
            writer.submit(Durability::Machine).unwrap()
        });
        for ticket in tickets {
            within("a ticket is over", || ticket.is_done());
            let error = ticket.wait().unwrap_err();
            assert!(matches!(&error, Error::Archive(why) if why.contains("archive.quota_bytes")), "{error}");
        }
        // What was refused is archived once there is room, and there is room for one more.
        within("it goes on", || {
            log.trim_archive(Gsn(u64::MAX)).unwrap();
            log.watermarks().iter().all(|lane| lane.archived == lane.published)
        });
        writer.append(2, b"room").unwrap();
        assert_eq!(writer.submit(Durability::Machine).unwrap().wait().unwrap().reached, Durability::Machine);
    }
}
