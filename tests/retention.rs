//! Trimming: what is kept, how long, and that a crash in the middle neither loses nor leaks.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::chance::Chance;
use support::child::{self, Voice};
use support::records::{all, drained, fill, small};
use tierlog::{Config, Cut, Durability, Error, HeldBy, Log, Lsn, Medium, Result, View};

fn config(dir: &Path) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.nvme.spare_segments = 1;
    config
}

fn segments(dir: &Path) -> usize {
    let names = std::fs::read_dir(dir.join("nvme")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".seg")).count()
}

fn try_end(log: &Log) -> Result<Cut> {
    drained(log);
    let mut reader = log.reader(&Cut::start())?;
    while reader.next()?.is_some() {}
    Ok(reader.position())
}

fn end(log: &Log) -> Cut {
    try_end(log).unwrap()
}

/// The same where retention may be faster than the reader.
fn end_of_what_is_kept(log: &Log) -> Cut {
    loop {
        match try_end(log) {
            Err(Error::Trimmed { .. }) => {}
            end => return end.unwrap(),
        }
    }
}

fn lanes_held(dir: &Path) -> Vec<(Lsn, HeldBy)> {
    View::open(&config(dir)).unwrap().holds().into_iter().map(|(_, lsn, by)| (lsn, by)).collect()
}

#[test]
fn what_holds_a_lane_back_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(config(dir.path())).unwrap();
    fill(&log, 600, 2_000);
    assert_eq!(lanes_held(dir.path()), vec![(Lsn(0), HeldBy::Checkpoint); 2]);
    log.checkpoint(&end(&log)).unwrap();
    // What the tail still has is not said to be drained.
    assert!(lanes_held(dir.path()).iter().all(|(lsn, by)| *lsn > Lsn(0) && *by == HeldBy::Drain));
}

#[test]
fn retention_keeps_what_may_go_by_bytes_and_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = config(dir.path());
    kept.nvme.retain.bytes_max = 1 << 20;
    let (log, _) = Log::open(kept.clone()).unwrap();
    fill(&log, 200, 2_000);
    log.checkpoint(&end_of_what_is_kept(&log)).unwrap();
    assert!(log.metrics().nvme_bytes < 1 << 20);
    assert!(log.watermarks().iter().all(|lane| lane.oldest == Lsn(0)), "it fits");
    for _ in 0..10 {
        fill(&log, 600, 2_000);
        log.checkpoint(&end_of_what_is_kept(&log)).unwrap();
    }
    let there = all(&log);
    assert!(log.watermarks().iter().all(|lane| lane.oldest > Lsn(0)));
    let bytes: usize = there.iter().map(|record| record.payload.len()).sum();
    assert!((400 << 10..2 << 20).contains(&bytes), "{bytes} bytes of records kept, of about a megabyte");
    log.close().unwrap();

    kept.nvme.retain = tierlog::Retention { bytes_max: 0, ms_max: 700 };
    let (log, _) = Log::open(kept).unwrap();
    let before = log.watermarks();
    assert_eq!(all(&log), there);
    fill(&log, 600, 2_000);
    let filled = Instant::now();
    log.checkpoint(&end_of_what_is_kept(&log)).unwrap();
    // Nobody calls anything: it goes when it is old enough.
    while log.watermarks().iter().zip(&before).any(|(now, before)| now.oldest.0 < before.published.0) {
        assert!(filled.elapsed() < Duration::from_secs(20), "{:?}", log.watermarks());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(filled.elapsed() >= Duration::from_millis(300), "gone before its time");
}

#[test]
fn a_close_gives_free_segment_files_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(config(dir.path())).unwrap();
    fill(&log, 3_000, 2_000);
    let end = end(&log);
    let most = segments(dir.path());
    assert!(most > 24, "{most}");
    log.checkpoint(&end).unwrap();
    log.close().unwrap();
    assert!(segments(dir.path()) <= 18, "{}", segments(dir.path()));
}

/// Commits, checkpoints and says both, until it is killed.
#[test]
#[ignore = "runs as a child of the next test"]
fn trims_until_killed() {
    let Some(task) = child::task() else { return };
    let (log, _) = Log::open(config(Path::new(&task))).unwrap();
    let voice = Voice::new();
    let mut writer = log.writer().unwrap();
    voice.say("begun");
    for n in 0_u64.. {
        writer.append(0, &[n as u8; 3_000]).unwrap();
        let commit = writer.commit(Durability::Power).unwrap();
        voice.say(&format!("end {}", commit.at));
        if n % 40 == 39 {
            let mut cut = Cut::start();
            cut.set(commit.stamp.end);
            log.checkpoint(&cut).unwrap();
            voice.say(&format!("checkpoint {}", commit.at));
        }
    }
}

#[test]
fn killed_while_trimming_nothing_is_lost_and_no_file_is_orphaned() {
    let dir = tempfile::tempdir().unwrap();
    let mut chance = Chance::seeded("retention", "killed_while_trimming");
    let mut most = 0;
    for round in 0..12 {
        let mut command = child::command("trims_until_killed", dir.path().to_str().unwrap());
        let time = Duration::from_millis(20 + chance.below(300) as u64);
        let said = child::kill_after(&mut command, "begun", time);
        let lsns = |word: &str| -> Vec<u64> {
            said.iter().filter_map(|line| line.strip_prefix(word)).map(|lsn| lsn.parse().unwrap()).collect()
        };
        let newest = |word| lsns(word).into_iter().max().unwrap_or(0);
        let (log, _) = Log::open(config(dir.path())).unwrap();
        let marks = &log.watermarks()[0];
        assert!(marks.published.0 >= newest("end "), "acknowledged, and not there");
        assert!(marks.oldest.0 <= marks.published.0);
        let there = all(&log);
        assert!(there.windows(2).all(|pair| pair[0].lsn < pair[1].lsn));
        if let Some(oldest) = there.first() {
            // A filler may come first.
            let checkpoint = newest("checkpoint ").max(marks.oldest.0);
            let needed = lsns("end ").into_iter().filter(|end| *end > checkpoint).min().unwrap_or(u64::MAX);
            assert!(oldest.lsn < needed, "what ends at {needed} is needed, {} is the oldest", oldest.lsn);
        }
        log.close().unwrap();
        most = most.max(segments(dir.path()));
        assert!(most <= 30, "round {round}: {most} files: orphans pile up");
    }
}
