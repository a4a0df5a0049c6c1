//! Slots: what they hold back, over restarts and crashes, and how they break.

mod support;

use std::time::{Duration, Instant};

use support::image::Image;
use support::records::{adopted, all, drained, fill, small};
use tierlog::{Config, Cut, Durability, Error, HeldBy, Log, Lsn, Medium, Refusal, Remedy, SlotLimit, View};

fn config(dir: &std::path::Path) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.nvme.spare_segments = 0;
    config
}

/// Behind everything that is there, once NVMe has it.
fn end(log: &Log) -> Cut {
    let until = Instant::now() + Duration::from_secs(20);
    drained(log);
    let mut reader = log.reader(&Cut::start()).unwrap();
    while reader.next().unwrap().is_some() {
        assert!(Instant::now() < until);
    }
    reader.position()
}

fn oldest(log: &Log) -> Vec<Lsn> {
    log.watermarks().iter().map(|lane| lane.oldest).collect()
}

fn within(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is needed is gone with nothing but a checkpoint: tail segments drain lazily, so a little stays.
fn trims(log: &Log) {
    within("nothing was trimmed", || {
        log.checkpoint(&end(log)).unwrap();
        oldest(log).iter().all(|lsn| lsn.0 > 300_000)
    });
}

#[test]
fn a_slot_holds_trimming_back_over_restarts_until_it_is_advanced_or_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(config(dir.path())).unwrap();
    log.create_slot("billing", SlotLimit::default()).unwrap();
    fill(&log, 600, 2_000);
    log.checkpoint(&end(&log)).unwrap();
    assert_eq!(oldest(&log), [Lsn(0), Lsn(0)]);
    let before = all(&log);
    log.close().unwrap();

    let (log, _) = Log::open(config(dir.path())).unwrap();
    assert_eq!(all(&log), before);
    let view = View::open(&config(dir.path())).unwrap();
    let held: Vec<HeldBy> = view.holds().into_iter().map(|(_, _, by)| by).collect();
    assert_eq!(held, [HeldBy::Slot("billing".into()), HeldBy::Slot("billing".into())]);
    let slot = log.slot("billing").unwrap();
    let mut reader = log.reader(&slot.position().unwrap()).unwrap();
    for _ in 0..500 {
        reader.next().unwrap().unwrap();
    }
    slot.advance(&reader.position()).unwrap();
    let rest: usize = before.len() - 500;
    let mut reader = log.reader(&slot.position().unwrap()).unwrap();
    let mut left = 0;
    while reader.next().unwrap().is_some() {
        left += 1;
    }
    assert_eq!(left, rest, "read on from where the slot stands");
    log.checkpoint(&end(&log)).unwrap();
    assert!(oldest(&log).iter().all(|lsn| *lsn > Lsn(0)), "what was read may go");
    assert!(all(&log).len() >= rest);
    log.drop_slot("billing").unwrap();
    assert!(matches!(slot.position(), Err(Error::NoSlot { .. })));
    assert!(matches!(log.slot("billing"), Err(Error::NoSlot { .. })));
    fill(&log, 600, 2_000);
    trims(&log);
    log.close().unwrap();
}

#[test]
fn a_slot_beyond_its_limit_is_broken_and_its_holder_is_told() {
    for limit in [SlotLimit { bytes_max: 200_000, ms_max: 0 }, SlotLimit { bytes_max: 0, ms_max: 300 }] {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(config(dir.path())).unwrap();
        let slot = log.create_slot("slow", limit).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        assert!(slot.position().is_ok(), "an idle log breaks no slot: {limit:?}");
        fill(&log, 600, 2_000);
        within("never broken", || slot.position().is_err());
        let error = slot.advance(&Cut::start()).unwrap_err();
        assert!(matches!(&error, Error::SlotBroken { name, .. } if name == "slow"), "{error:?}");
        assert_eq!(error.remedy(), Remedy::Change);
        assert_eq!(log.metrics().slots_broken, 1);
        let view = View::open(&config(dir.path())).unwrap();
        assert!(view.slots()[0].broken.is_some());
        trims(&log);
        drop(slot);
        log.close().unwrap();
        // It stays broken until it is dropped.
        let (log, _) = Log::open(config(dir.path())).unwrap();
        assert!(matches!(log.slot("slow").unwrap().position(), Err(Error::SlotBroken { .. })));
        assert!(matches!(log.create_slot("slow", limit), Err(Error::Config(_))));
        log.drop_slot("slow").unwrap();
        let slot = log.create_slot("slow", limit).unwrap();
        assert_eq!(slot.position().unwrap().iter().map(|at| at.lsn).collect::<Vec<_>>(), oldest(&log));
    }
}

/// A consumer that stands still on a small disk: without a limit the log is full, and says who holds it; with one below the
/// quota the slot is broken, and the log never is.
#[test]
fn a_slot_held_for_long_fills_the_quota_or_is_broken_before() {
    for limit in [0, 600 << 10] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        (config.nvme.quota_bytes, config.tail.full_wait_ms_max) = (2 << 20, 2_000);
        let (log, _) = Log::open(config.clone()).unwrap();
        let slot = log.create_slot("slow", SlotLimit { bytes_max: limit, ms_max: 0 }).unwrap();
        let mut writer = log.writer().unwrap();
        let record = |n: u32| n.to_le_bytes().repeat(1_000);
        let mut commit = |n| writer.append(n, &record(n)).and_then(|_| writer.commit(Durability::Power));
        let newest = || log.seek(tierlog::Gsn(u64::MAX)).unwrap();
        let refused = (0..1_500).find_map(|n| {
            if n % 20 == 19 {
                log.checkpoint(&newest()).unwrap();
            }
            commit(n).err().map(|error| (n, error))
        });
        assert!(log.metrics().nvme_bytes + log.metrics().reserve_bytes <= 2 << 20);
        let Some((full, error)) = refused else {
            assert!(limit > 0, "three times the quota, and never full");
            assert!(matches!(slot.position(), Err(Error::SlotBroken { .. })));
            assert_eq!(log.metrics().slots_broken, 1);
            continue;
        };
        assert!(limit == 0 && matches!(error, Error::Full { .. }), "{error}");
        let held = View::open(&config).unwrap().holds();
        assert!(held.iter().any(|(_, _, by)| *by == HeldBy::Slot("slow".into())), "{held:?}");
        let there = all(&log);
        assert_eq!(there.iter().map(|kept| kept.stream).collect::<Vec<_>>(), (0..full).collect::<Vec<_>>());
        // The consumer reads on: so does the log.
        slot.advance(&newest()).unwrap();
        within("it goes on", || commit(full).is_ok());
    }
}

#[test]
fn slots_advance_to_what_is_stable_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(dir.path(), Medium::File);
    config.nvme.accept_volatile = true;
    let (log, _) = Log::open(config).unwrap();
    let slot = log.create_slot("s", SlotLimit::default()).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"x").unwrap();
    let commit = writer.commit(Durability::Power).unwrap();
    let mut beyond = Cut::start();
    let mut at = commit.stamp.end;
    at.lsn = Lsn(at.lsn.0 + 640);
    beyond.set(at);
    assert!(matches!(slot.advance(&beyond), Err(Error::Config(_) | Error::Lost { .. })));
    beyond.set(commit.stamp.end);
    slot.advance(&beyond).unwrap();
    assert_eq!(slot.position().unwrap().lane(writer.lane()), Some(commit.stamp.end));
    slot.advance(&Cut::start()).unwrap();
    assert_eq!(slot.position().unwrap().lane(writer.lane()), Some(commit.stamp.end), "never back");
}

/// The file as a crash in any write of it leaves it: the copy being written is torn, the other counts.
#[test]
fn a_torn_slot_file_is_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(config(dir.path())).unwrap();
    fill(&log, 100, 2_000);
    let slot = log.create_slot("s", SlotLimit::default()).unwrap();
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut stood = vec![slot.position().unwrap()];
    for _ in 0..6 {
        for _ in 0..10 {
            reader.next().unwrap().unwrap();
        }
        slot.advance(&reader.position()).unwrap();
        stood.push(slot.position().unwrap());
        // As a crash leaves it now: whole, and with the newest copy torn.
        let mut image = Image::take(dir.path());
        let whole = image.copy();
        assert_eq!(View::open(&config(whole.path())).unwrap().slots()[0].at, stood[stood.len() - 1]);
        let file = image.file("nvme/slots");
        let half = file.len() / 2;
        let turn =
            |copy: usize| u64::from_le_bytes(file[copy * half + 40..copy * half + 48].try_into().unwrap());
        let newest = if turn(0) > turn(1) { 0 } else { half };
        file[newest + 100] ^= 1;
        let torn = image.copy();
        let (again, _) =
            Log::open(Config { nvme: config(torn.path()).nvme, ..adopted(torn.path(), Medium::Emulated) })
                .unwrap();
        assert_eq!(again.slot("s").unwrap().position().unwrap(), stood[stood.len() - 2]);
        again.close().unwrap();
    }
    let mut image = Image::take(dir.path());
    let file = image.file("nvme/slots");
    let half = file.len() / 2;
    (file[100], file[half + 100]) = (file[100] ^ 1, file[half + 100] ^ 1);
    let damaged = image.copy();
    let refused = Log::open(adopted(damaged.path(), Medium::Emulated)).unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(Refusal::Foreign { path, .. }) if path.ends_with("slots")),
        "{refused:?}"
    );
    // Its making was interrupted: no slot had been promised.
    image.file("nvme/slots").truncate(8_192);
    let begun = image.copy();
    let (log, _) = Log::open(adopted(begun.path(), Medium::Emulated)).unwrap();
    assert!(log.slots().is_empty());
    log.create_slot("t", SlotLimit::default()).unwrap();
}
