//! The object tier: what `Machine` acknowledged is restored from objects alone, and one owner at a time writes them.
#![cfg(feature = "object")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod support;

use support::files;
use tierlog::{Config, Cut, Durability, Error, Log, Medium, Refusal, Retention, SlotLimit, restore, verify};

fn config(dir: &Path, address: &str, medium: Medium) -> Config {
    let mut config = Config::new(dir);
    // Temporary directories may lie in memory.
    config.nvme.accept_volatile = true;
    config.tail.medium = medium;
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(256 << 10);
    config.nvme.spare_segments = 1;
    config.archive.address = address.into();
    config.archive.accept_local = true;
    config.archive.object_bytes_max = 64 << 10;
    config.archive.linger_ms_max = 20;
    // An emulated machine's disk may stand still for long.
    config.tail.full_wait_ms_max = 60_000;
    config
}

fn all(log: &Log) -> Vec<(u32, u64, u64, Vec<u8>)> {
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        records.push((record.lane.0, record.lsn.0, record.gsn.0, record.payload.to_vec()));
    }
    records
}

fn fill(log: &Log, records: u32, durability: Durability) {
    std::thread::scope(|scope| {
        for lane in 0..2_u32 {
            scope.spawn(move || {
                let mut writer = log.writer().unwrap();
                for i in 0..records {
                    writer.append(lane, &i.to_le_bytes().repeat(1 + (i as usize * 13) % 300)).unwrap();
                    if i % 5 == 4 {
                        writer.commit(durability).unwrap();
                    }
                }
                writer.commit(Durability::Machine).unwrap();
            });
        }
    });
}

fn address(dir: &Path) -> String {
    format!("file://{}", dir.display())
}

#[test]
fn a_lost_machine_is_restored_from_objects_alone() {
    for medium in [Medium::File, Medium::Emulated] {
        let store = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let first = config(dir.path(), &address(store.path()), medium);
        let mut written = Vec::new();
        // Three opens, so that the archive holds several epochs.
        for _ in 0..3 {
            let (log, _) = Log::open(first.clone()).unwrap();
            fill(&log, 400, Durability::Power);
            written = all(&log);
            log.close().unwrap();
        }
        assert_eq!(written.len(), 2400);
        let other = tempfile::tempdir().unwrap();
        let second = config(&other.path().join("log"), &address(store.path()), medium);
        let restored = restore(&second).unwrap();
        // A claim and a cut an epoch at least.
        assert!(restored.objects >= 6, "{restored:?}");
        let (log, recovered) = Log::open(second.clone()).unwrap();
        assert!(recovered.clean);
        assert_eq!(all(&log), written, "{medium:?}");
        fill(&log, 10, Durability::Power);
        let went_on = all(&log);
        log.close().unwrap();
        let verified = verify(&second).unwrap();
        assert!(verified.findings.is_empty(), "{verified:?}");
        assert_eq!(verified.records, 2420);
        // The first directory was superseded by the claim of the second.
        match Log::open(first.clone()) {
            Err(Error::Refused(Refusal::Superseded { .. })) => {}
            other => panic!("{other:?}"),
        }
        // That was written down: leaving the archive out does not help.
        let mut alone = first.clone();
        alone.archive = Default::default();
        match Log::open(alone) {
            Err(Error::Refused(Refusal::Superseded { .. })) => {}
            other => panic!("{other:?}"),
        }
        let third = config(&other.path().join("third"), &address(store.path()), medium);
        restore(&third).unwrap();
        let (log, _) = Log::open(third).unwrap();
        assert_eq!(all(&log), went_on);
    }
}

/// A mistyped address is no empty archive, and nothing is made there.
#[test]
fn who_reads_makes_no_archive() {
    let (dir, typo) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let typo = typo.path().join("typo");
    let first = config(dir.path(), &address(&dir.path().join("store")), Medium::File);
    Log::open(first).unwrap().0.close().unwrap();
    let there = config(dir.path(), typo.to_str().unwrap(), Medium::File);
    let anew = config(&dir.path().join("anew"), &address(&typo), Medium::File);
    let repaired = |dry_run| tierlog::repair(&there, dry_run, &mut |_| ()).err();
    let errors = [
        restore(&anew).err(),
        verify(&there).err(),
        tierlog::View::open(&there).err(),
        repaired(true),
        repaired(false),
    ];
    for error in errors {
        assert!(
            matches!(&error, Some(Error::Config(why)) if why.contains(typo.to_str().unwrap())),
            "{error:?}"
        );
    }
    assert!(!typo.exists() && !anew.dir.exists());
}

#[test]
fn stamps_are_of_the_clock_after_a_close_that_archived() {
    let (store, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut config = config(dir.path(), &address(store.path()), Medium::File);
    // Only the close makes a cut.
    config.archive.linger_ms_max = 60_000;
    for _ in 0..3 {
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut writer = log.writer().unwrap();
        writer.append(0, b"one").unwrap();
        let gsn = writer.commit(Durability::Power).unwrap().stamp.gsn;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        assert!(gsn.0.abs_diff(now) < 60_000_000_000, "{gsn}, and it is {now}");
        drop(writer);
        log.close().unwrap();
    }
}

/// Whichever of them: also one at which the sequence could be taken to end.
#[test]
fn an_object_that_is_missing_is_named() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let config_of = |name: &str| config(&place.path().join(name), &address(&store), Medium::Emulated);
    for _ in 0..3 {
        let (log, _) = Log::open(config_of("log")).unwrap();
        for _ in 0..3 {
            fill(&log, 5, Durability::Process);
        }
        log.close().unwrap();
    }
    assert!(verify(&config_of("log")).unwrap().findings.is_empty());
    let mut names: Vec<_> =
        std::fs::read_dir(store.join("seq")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 8, "{names:?}");
    for (i, path) in names[..names.len() - 1].iter().enumerate() {
        let aside = place.path().join("aside");
        std::fs::rename(path, &aside).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let findings = verify(&config_of("log")).unwrap().findings;
        assert!(findings.iter().any(|finding| finding.what.contains(name)), "{name}: {findings:?}");
        let refused = restore(&config_of(&format!("back-{i}"))).unwrap_err();
        // Without the first there is none.
        assert!(i == 0 || refused.to_string().contains(name), "{name}: {refused}");
        std::fs::rename(&aside, path).unwrap();
    }
    restore(&config_of("back")).unwrap();
}

#[test]
fn the_archive_gives_up_what_nobody_needs_and_retention_does_not_keep() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let plain = config(&place.path().join("log"), &address(&store), Medium::Emulated);
    let retaining = |bytes_max, ms_max| {
        let mut config = plain.clone();
        config.archive.retain = Some(Retention { bytes_max, ms_max });
        config
    };
    let first_cut = store.join("seq/00000000000000000002");
    let (log, _) = Log::open(plain.clone()).unwrap();
    drop(log.create_slot("slow", SlotLimit::default()).unwrap());
    for _ in 0..8 {
        fill(&log, 300, Durability::Process);
    }
    let middle = log.reader(&Cut::start()).map(|mut reader| {
        (0..2_400).for_each(|_| assert!(reader.next().unwrap().is_some()));
        reader.position()
    });
    log.checkpoint(&middle.unwrap()).unwrap();
    let written = all(&log);
    log.close().unwrap();
    assert!(first_cut.exists());
    // Neither what a slot needs goes, nor what is kept.
    for config in [retaining(0, 0), retaining(1 << 40, 3_600_000)] {
        let (log, _) = Log::open(config).unwrap();
        fill(&log, 1, Durability::Machine);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(log.metrics().archive_requests.deletes, 0);
        log.drop_slot("slow").ok();
        log.close().unwrap();
    }
    let (log, _) = Log::open(retaining(1, 0)).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while first_cut.exists() {
        assert!(Instant::now() < until, "nothing was given up: {:?}", log.metrics().archive_trouble);
        std::thread::sleep(Duration::from_millis(10));
    }
    log.close().unwrap();
    // What is behind the checkpoint is there, from objects alone.
    let back = config(&place.path().join("back"), &address(&store), Medium::Emulated);
    restore(&back).unwrap();
    let (log, _) = Log::open(back).unwrap();
    let kept = all(&log);
    assert!(written[2_400..].iter().all(|record| kept.contains(record)));
    assert!(!kept.contains(&written[0]));
}

#[test]
fn a_live_owner_that_lost_its_place_acknowledges_nothing_more() {
    let name = format!("memory:superseded-{}", std::process::id());
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, _) = Log::open(config(one.path(), &name, Medium::Emulated)).unwrap();
    fill(&log, 20, Durability::Power);
    let second = config(&two.path().join("log"), &name, Medium::Emulated);
    restore(&second).unwrap();
    let (successor, _) = Log::open(second).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"too late").unwrap();
    let refused = writer.commit(Durability::Machine);
    assert!(matches!(refused, Err(Error::Refused(Refusal::Superseded { .. }))), "{refused:?}");
    writer.append(0, b"too late as well").unwrap();
    let refused = writer.commit(Durability::Process);
    assert!(matches!(refused, Err(Error::Poisoned { .. })), "{refused:?}");
    fill(&successor, 20, Durability::Machine);
    assert_eq!(all(&successor).len(), 80);
}

/// docs/ARCHIVE.md: a request per linger while there is something to archive, and nothing else.
#[test]
fn requests_are_what_the_cost_model_says() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("memory:cost-{}", std::process::id());
    let mut steady = config(dir.path(), &name, Medium::Emulated);
    steady.archive.linger_ms_max = 100;
    steady.archive.object_bytes_max = 8 << 20;
    let (log, _) = Log::open(steady).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"the open and its claim are paid").unwrap();
    writer.commit(Durability::Machine).unwrap();
    let (before, began, mut bytes) = (log.metrics(), std::time::Instant::now(), 128);
    while began.elapsed().as_secs() < 3 {
        writer.append(0, &[7; 100]).unwrap();
        writer.commit(Durability::Power).unwrap();
        bytes += 192;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let (after, lingers) = (log.metrics(), began.elapsed().as_millis() as u64 / 100);
    let (was, is) = (before.archive_requests, after.archive_requests);
    let puts = is.puts - was.puts;
    assert!((lingers * 2 / 3..=lingers + 1).contains(&puts), "{puts} requests in {lingers} lingers");
    assert_eq!(puts, after.objects_written - before.objects_written);
    assert_eq!((is.gets - was.gets, is.lists - was.lists, is.deletes - was.deletes), (0, 0, 0));
    // Fillers end segments.
    let archived = after.frame_bytes_archived;
    assert!(archived < bytes + 1_024 && archived > bytes * 9 / 10, "{after:?}");
    // Nothing to archive costs nothing.
    writer.commit(Durability::Machine).unwrap();
    let quiet = log.metrics().archive_requests;
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(log.metrics().archive_requests, quiet);
    // Many waiters, one object.
    let waits = |writer: &mut tierlog::Writer| {
        (0..10).for_each(|_| {
            writer.append(0, b"x").unwrap();
            writer.commit(Durability::Machine).unwrap();
        })
    };
    waits(&mut writer);
    let alone = log.metrics().archive_requests.puts - quiet.puts;
    std::thread::scope(|scope| {
        scope.spawn(|| waits(&mut log.writer().unwrap()));
        waits(&mut writer);
    });
    let shared = log.metrics().archive_requests.puts - quiet.puts - alone;
    assert!(alone >= 10 && shared < 2 * alone, "{shared} objects for two, {alone} for one alone");
}

#[test]
fn an_archive_that_is_ahead_is_refused() {
    let store = tempfile::tempdir().unwrap();
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config_at = |dir: &Path| config(dir, &address(store.path()), Medium::File);
    let (log, _) = Log::open(config_at(dir.path())).unwrap();
    fill(&log, 20, Durability::Power);
    log.close().unwrap();
    files::copy(dir.path(), old.path());
    let (log, _) = Log::open(config_at(dir.path())).unwrap();
    fill(&log, 20, Durability::Power);
    log.close().unwrap();
    let mut behind = config_at(old.path());
    behind.adopt = true;
    match Log::open(behind) {
        Err(Error::Refused(Refusal::Superseded { .. } | Refusal::ArchiveAhead { .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn machine_without_an_archive_beyond_this_machine_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = config(dir.path(), &format!("memory:local-{}", std::process::id()), Medium::File);
    local.archive.accept_local = false;
    let (log, _) = Log::open(local).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"x").unwrap();
    assert!(matches!(writer.commit(Durability::Machine), Err(Error::NotKept { .. })));
    writer.commit(Durability::Power).unwrap();
}

#[test]
fn tickets_for_machine_complete_without_being_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("memory:tickets-{}", std::process::id());
    let (log, _) = Log::open(config(dir.path(), &name, Medium::File)).unwrap();
    let mut writer = log.writer().unwrap();
    let tickets: Vec<_> = (0..20_u8)
        .map(|i| {
            writer.append(0, &[i]).unwrap();
            writer.submit(if i % 2 == 0 { Durability::Machine } else { Durability::Power }).unwrap()
        })
        .collect();
    for (i, ticket) in tickets.into_iter().enumerate() {
        let commit = ticket.wait().unwrap();
        assert!(commit.reached >= if i % 2 == 0 { Durability::Machine } else { Durability::Power });
    }
}
