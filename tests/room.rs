//! Quotas and the reserve: full before the file system is, and able to recover when that is.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::child::{self, Voice};
use support::mount::Mount;
use support::records::{all, reopened, small, viewed};
use tierlog::{Config, Cut, Durability, Error, Log, Medium, Remedy, WhenFull, Writer};

const RECORD_BYTES: usize = 4_000;
const QUOTA_BYTES: u64 = 2 << 20;

fn record(n: u32) -> Vec<u8> {
    n.to_le_bytes().into_iter().cycle().take(RECORD_BYTES).collect()
}

fn narrow(dir: &Path, medium: Medium) -> Config {
    let mut config = small(dir, medium);
    config.nvme.quota_bytes = QUOTA_BYTES;
    config.tail.full_wait_ms_max = 200;
    config
}

/// Commits records until one is refused.
fn commit_until_refused(writer: &mut Writer, from: u32) -> (u32, Error) {
    for n in from..100_000 {
        let mut commit = || writer.append(n, &record(n)).and_then(|_| writer.commit(Durability::Power));
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match commit() {
                Ok(_) => break,
                // Slow, and not full.
                Err(Error::Full { why, .. })
                    if why.starts_with("the drain moved") && Instant::now() < until => {}
                Err(error) => return (n, error),
            }
        }
    }
    panic!("never full");
}

/// False where it is not half full.
fn checkpoint_at_half(log: &Log) -> bool {
    let mut reader = log.reader(&Cut::start()).unwrap();
    let half = (0..100).all(|_| reader.next().unwrap().is_some());
    if half {
        log.checkpoint(&reader.position()).unwrap();
    }
    half
}

fn numbers(records: &[support::records::Kept]) -> Vec<u32> {
    records
        .iter()
        .inspect(|kept| assert_eq!(kept.payload, record(kept.stream)))
        .map(|kept| kept.stream)
        .collect()
}

#[test]
fn the_quota_is_full_before_the_file_system_and_goes_on_after_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(narrow(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    let (full, error) = commit_until_refused(&mut writer, 0);
    assert!(matches!(error, Error::Full { .. }) && error.remedy() == Remedy::Retry, "{error:?}");
    assert!(error.to_string().contains("quota_bytes = 2097152"), "{error}");
    let metrics = log.metrics();
    assert!(metrics.nvme_bytes + metrics.reserve_bytes <= QUOTA_BYTES, "{metrics:?}");
    assert!(!metrics.lanes.iter().any(|lane| lane.poisoned));
    assert_eq!(numbers(&all(&log)), (0..full).collect::<Vec<_>>());
    assert!(checkpoint_at_half(&log));
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(error) = writer.append(full, &record(full)) {
        assert!(matches!(error, Error::Full { .. }) && Instant::now() < until, "{error}");
    }
    writer.commit(Durability::Power).unwrap();
    let there = numbers(&all(&log));
    assert!(there[0] <= 100 && there == (there[0]..=full).collect::<Vec<_>>());
    drop(writer);
    log.close().unwrap();
    assert_eq!(numbers(&reopened(&narrow(dir.path(), Medium::Emulated))), there);
}

#[test]
fn on_an_ordinary_tail_a_commit_without_room_is_kept_for_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = narrow(dir.path(), Medium::File);
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    let (full, error) = commit_until_refused(&mut writer, 0);
    assert!(matches!(error, Error::NoRoom { .. }) && error.remedy() == Remedy::Retry, "{error:?}");
    assert!(!log.metrics().lanes.iter().any(|lane| lane.poisoned), "nothing was lost");
    assert_eq!(numbers(&all(&log)), (0..=full).collect::<Vec<_>>(), "published, not durable");
    assert!(matches!(writer.commit(Durability::Power), Err(Error::NoRoom { .. })));
    let ticket = writer.submit(Durability::Power).unwrap();
    assert!(matches!(ticket.wait(), Err(Error::NoRoom { .. })));
    assert!(checkpoint_at_half(&log));
    let commit = writer.commit(Durability::Power).unwrap();
    assert_eq!(commit.reached, Durability::Power);
    assert!(log.watermarks()[writer.lane().0 as usize].stable >= commit.at);
    writer.append(full + 1, &record(full + 1)).unwrap();
    writer.commit(Durability::Power).unwrap();
    drop(writer);
    log.close().unwrap();
    let there = numbers(&reopened(&config));
    assert_eq!(there.last(), Some(&(full + 1)));
    assert_eq!(there, (there[0]..=full + 1).collect::<Vec<_>>());
}

#[test]
fn a_log_at_its_quota_refuses_a_mark_before_it_is_written() {
    for medium in [Medium::Emulated, Medium::File] {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(narrow(dir.path(), medium)).unwrap();
        let (full, _) = commit_until_refused(&mut log.writer().unwrap(), 0);
        let error = log.mark("too late").unwrap_err();
        assert!(matches!(error, Error::NoRoomToMark { .. }) && error.remedy() == Remedy::Retry, "{error:?}");
        assert!(error.to_string().contains("nvme.quota_bytes"), "{error}");
        assert!(log.marks().unwrap().is_empty() && full > 100, "nothing was written");
        assert!(checkpoint_at_half(&log));
        let until = Instant::now() + Duration::from_secs(10);
        while let Err(error) = log.mark("in time") {
            let waits =
                matches!(error, Error::NoRoomToMark { .. } | Error::NoRoom { .. } | Error::Full { .. });
            assert!(waits && Instant::now() < until, "{error}");
        }
        assert!(log.marks().unwrap().iter().all(|mark| mark.name == "in time"));
    }
}

#[test]
fn block_waits_for_room_and_throttle_slows_down_before() {
    for medium in [Medium::Emulated, Medium::File] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = narrow(dir.path(), medium);
        config.tail.when_full = WhenFull::Block;
        let (log, _) = Log::open(config).unwrap();
        std::thread::scope(|scope| {
            let appender = scope.spawn(|| {
                let mut writer = log.writer().unwrap();
                for n in 0..700 {
                    writer.append(n, &record(n)).unwrap();
                    writer.commit(Durability::Power).unwrap();
                }
            });
            let (began, mut blocked) = (Instant::now(), Instant::now());
            while !appender.is_finished() {
                if began.elapsed() > Duration::from_secs(240) {
                    // A panic would wait for the appender, which waits for ever.
                    eprintln!("{medium:?}: still blocked: {:#?}\n{:#?}", log.watermarks(), log.metrics());
                    std::process::exit(1);
                }
                let before = log.watermarks();
                std::thread::sleep(Duration::from_millis(100));
                if log.watermarks() != before {
                    blocked = Instant::now();
                } else if blocked.elapsed() > Duration::from_millis(600) {
                    // Longer than `full_wait_ms_max`, and nothing was refused; or the disk did nothing for as long.
                    checkpoint_at_half(&log);
                }
            }
            appender.join().unwrap();
        });
        assert_eq!(numbers(&all(&log)).last(), Some(&699), "{medium:?}");
    }
    let appended_in = |when_full, throttles: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = narrow(dir.path(), Medium::Emulated);
        (config.tail.when_full, config.tail.full_wait_ms_max) = (when_full, 2_000);
        let (log, _) = Log::open(config).unwrap();
        let mut writer = log.writer().unwrap();
        let (began, mut last, mut full) = (Instant::now(), Duration::ZERO, 0);
        loop {
            match writer.append(full, &record(full)).and_then(|_| writer.commit(Durability::Power)) {
                Ok(_) => (last, full) = (began.elapsed(), full + 1),
                Err(error) => {
                    assert!(matches!(error, Error::Full { .. }), "{error:?}");
                    let lane = log.metrics().lanes[writer.lane().0 as usize];
                    assert!(lane.waits_for_room >= 1 && lane.room_wait_ns > 2_000_000_000, "{lane:?}");
                    assert_eq!(lane.throttled > 0, throttles, "{lane:?}");
                    return (full, last);
                }
            }
        }
    };
    let ((plain, fast), (slowed, slow)) =
        (appended_in(WhenFull::Refuse, false), appended_in(WhenFull::Throttle, true));
    println!("{fast:?} without a throttle, {slow:?} with one");
    assert!(plain.abs_diff(slowed) < 150, "{plain} and {slowed} records fit");
    // The pause before the last free segment alone.
    assert!(slow > Duration::from_millis(120), "{slow:?}");
}

/// A log whose NVMe tier lies on 64 MiB.
fn on_mount(task: &str) -> Config {
    let (dir, nvme) = task.split_once('|').unwrap();
    let mut config = small(Path::new(dir), Medium::Emulated);
    config.nvme.path = Some(PathBuf::from(nvme));
    config.tail.full_wait_ms_max = 300;
    config
}

/// Appends until the tail is full, NVMe having no room at all, and waits to be killed.
#[test]
#[ignore = "runs as a child of the next test"]
fn fills_until_killed() {
    let Some(task) = child::task() else { return };
    let (log, _) = Log::open(on_mount(&task)).unwrap();
    let voice = Voice::new();
    let mut writer = log.writer().unwrap();
    voice.say("open");
    // The parent fills the disk when it hears that; this goes on until nothing more fits.
    let (full, error) = commit_until_refused(&mut writer, 0);
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    voice.say(&format!("acked {full}"));
    voice.say("full");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_full_disk_is_recovered_from_with_the_reserve_and_refused_without() {
    for reserve in [true, false] {
        let Some(mount) = Mount::ext4(64 << 20) else { return };
        let dir = tempfile::tempdir().unwrap();
        let task = format!("{}|{}", dir.path().display(), mount.path().join("nvme").display());
        {
            // Made while there is room.
            let mut config = on_mount(&task);
            config.nvme.reserve_bytes = (!reserve).then_some(0);
            let (log, _) = Log::open(config).unwrap();
            assert_eq!(log.metrics().reserve_bytes > 0, reserve);
            log.close().unwrap();
        }
        mount.fill_up();
        let said =
            child::kill_after(&mut child::command("fills_until_killed", &task), "full", Duration::ZERO);
        let acked = said.iter().find_map(|line| line.strip_prefix("acked ")).unwrap().parse::<u32>().unwrap();
        assert!(acked > 50);
        let (there, error) = viewed(&on_mount(&task));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(numbers(&there), (0..acked).collect::<Vec<_>>(), "readable while the disk is full");
        match Log::open(on_mount(&task)) {
            Ok((log, _)) => {
                assert!(reserve, "without a reserve there is no room");
                assert_eq!(numbers(&all(&log)), (0..acked).collect::<Vec<_>>());
                assert_eq!(log.metrics().reserve_bytes, 0, "spent");
                let mut writer = log.writer().unwrap();
                mount.make_room();
                writer.append(acked, &record(acked)).unwrap();
                writer.commit(Durability::Power).unwrap();
                drop(writer);
                let until = Instant::now() + Duration::from_secs(10);
                while log.metrics().reserve_bytes == 0 {
                    assert!(Instant::now() < until, "the reserve is set aside again");
                    std::thread::sleep(Duration::from_millis(20));
                }
                log.close().unwrap();
            }
            Err(error) => {
                assert!(!reserve && matches!(error, Error::NoRoom { .. }), "{error:?}");
                mount.make_room();
                let (log, _) = Log::open(on_mount(&task)).unwrap();
                assert_eq!(numbers(&all(&log)), (0..acked).collect::<Vec<_>>());
            }
        }
    }
}
