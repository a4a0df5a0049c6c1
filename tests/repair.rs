//! Damage on NVMe: found in every segment, mended from the tail and from the archive, and told where nothing can mend it.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::image::Image;
use support::layout::BLOCK_BYTES;
use support::records::{Kept, adopted, all, drained, fill, reopened, small, viewed};
use tierlog::{Config, Cut, Durability, Error, Log, Medium, Mended, Repaired, repair, verify};

fn config(dir: &Path) -> Config {
    let mut config = small(&dir.join("log"), Medium::Emulated);
    config.archive.address = format!("file://{}", dir.join("objects").display());
    config.archive.linger_ms_max = 10;
    config.nvme.scrub_bytes_per_second = 0;
    config
}

fn without_archive(dir: &Path) -> Config {
    let mut config = config(dir);
    config.archive.address = String::new();
    config
}

/// A closed log, archived if `config` says so, and what is in it.
fn made(config: &Config) -> Vec<Kept> {
    std::fs::create_dir_all(config.dir.parent().unwrap()).unwrap();
    let (log, _) = Log::open(config.clone()).unwrap();
    fill(&log, 600, 2_000);
    let there = all(&log);
    log.close().unwrap();
    there
}

/// The segment that holds a record, and where in it.
fn place_of(dir: &Path, payload: &[u8]) -> (PathBuf, usize) {
    let names = std::fs::read_dir(dir.join("nvme")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
    segments.sort();
    let found = segments.into_iter().find_map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(payload.len()).position(|window| window == payload)?;
        Some((path, at))
    });
    found.expect("the record is on NVMe")
}

fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at as u64).unwrap();
}

/// A record large enough to be told from all others.
fn long(records: &[Kept], from: usize) -> &Kept {
    records[from..].iter().find(|record| record.payload.len() > 900).unwrap()
}

fn told(config: &Config, dry_run: bool) -> (Repaired, Vec<Mended>) {
    let mut heard = Vec::new();
    let repaired = repair(config, dry_run, &mut |action| heard.push(action.clone())).unwrap();
    assert_eq!(repaired.actions, heard, "everything is told");
    (repaired, heard)
}

fn is_whole(config: &Config, there: &[Kept]) {
    let verified = verify(config).unwrap();
    assert!(verified.findings.is_empty(), "{:?}", verified.findings);
    assert_eq!(reopened(config), there);
}

#[test]
fn damaged_segments_are_mended_from_the_archive_after_all_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let there = made(&config);
    // Two in one segment, one in another: every damaged segment is found.
    let mut hurt = Vec::new();
    for from in [50, 60, 700] {
        let (path, at) = place_of(&config.dir, &long(&there, from).payload);
        flip(&path, at);
        hurt.push(path);
    }
    hurt.sort();
    hurt.dedup();
    let found = verify(&config).unwrap().findings;
    assert_eq!(found.iter().filter(|finding| finding.tier == "nvme").count(), hurt.len(), "{found:?}");
    let before = Image::take(dir.path());
    let (planned, actions) = told(&config, true);
    assert!(before == Image::take(dir.path()), "a dry run changes nothing");
    assert!(planned.report.is_none() && actions.len() == hurt.len());
    let from_archive =
        |action: &Mended| matches!(action, Mended::Segment { from, .. } if from.contains(&"archive"));
    assert!(actions.iter().all(from_archive), "{actions:?}");
    let (repaired, done) = told(&config, false);
    assert_eq!(done, actions, "done is what was said");
    assert!(!repaired.is_lost());
    let report = std::fs::read_to_string(repaired.report.unwrap()).unwrap();
    assert_eq!(report.lines().filter(|line| line.starts_with("mend lane")).count(), hurt.len());
    assert_eq!(std::fs::read_dir(config.dir.join("quarantine")).unwrap().count(), hurt.len());
    assert!(told(&config, true).1.is_empty());
    is_whole(&config, &there);
}

#[test]
fn what_no_tier_has_stays_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let config = without_archive(dir.path());
    let there = made(&config);
    let victim = long(&there, 300);
    let (path, at) = place_of(&config.dir, &victim.payload);
    flip(&path, at);
    let before = Image::take(&config.dir.join("nvme"));
    let (repaired, actions) = told(&config, false);
    assert!(repaired.is_lost());
    // The bytes may have been another record's with the same beginning.
    let is_record = |lane: u32, lsn: u64| there.iter().any(|record| (record.lane, record.lsn) == (lane, lsn));
    assert!(
        matches!(&actions[..], [Mended::Lost { lane, lsn, .. }] if is_record(lane.0, lsn.0)),
        "{actions:?}"
    );
    assert!(before == Image::take(&config.dir.join("nvme")));
    let (readable, error) = viewed(&config);
    assert!(
        matches!(error, Some(Error::Corrupt { .. })) && there.starts_with(&readable) && !readable.is_empty()
    );
}

#[test]
fn a_segment_that_lost_its_header_has_its_own_frames() {
    let dir = tempfile::tempdir().unwrap();
    let config = without_archive(dir.path());
    let there = made(&config);
    let (path, _) = place_of(&config.dir, &long(&there, 400).payload);
    flip(&path, 40);
    assert!(!verify(&config).unwrap().findings.is_empty());
    let (_, actions) = told(&config, false);
    assert!(matches!(&actions[..], [Mended::Segment { from, .. }] if from == &["nvme"]), "{actions:?}");
    is_whole(&config, &there);
}

/// Whole segments that are gone: one with others behind it, and the last one.
#[test]
fn segments_that_are_gone_come_back_from_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let there = made(&config);
    for last in [false, true] {
        let victim = if last { there.last().unwrap() } else { long(&there, 400) };
        let (path, _) = place_of(&config.dir, &victim.payload);
        std::fs::remove_file(&path).unwrap();
        assert!(!verify(&config).unwrap().findings.is_empty());
        let (repaired, actions) = told(&config, false);
        assert!(!repaired.is_lost() && !actions.is_empty(), "{actions:?}");
        let verified = verify(&config).unwrap();
        assert!(verified.findings.is_empty(), "last {last}: {:?} after {actions:?}", verified.findings);
    }
    is_whole(&config, &there);
}

/// A crash at any point of a repair: the new segment is there without its header, or both are there.
#[test]
fn a_repair_that_was_killed_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let there = made(&config);
    let (path, at) = place_of(&config.dir, &long(&there, 300).payload);
    flip(&path, at);
    let before = Image::take(&config.dir);
    told(&config, false);
    let after = Image::take(&config.dir);
    let (name, new) = after
        .segments()
        .into_iter()
        .map(|name| (name.clone(), after.files().find(|(of, _)| *of == name).unwrap().1.clone()))
        .find(|(name, bytes)| before.files().all(|(of, old)| of != name || old != bytes))
        .expect("a segment was written");
    for header in [false, true] {
        let mut state = before.clone();
        let mut bytes = new.clone();
        if !header {
            bytes[..BLOCK_BYTES].fill(0);
        }
        state.add(name.to_str().unwrap(), bytes);
        state.put(&config.dir);
        let (repaired, _) = told(&config, false);
        assert!(!repaired.is_lost());
        let verified = verify(&config).unwrap();
        assert!(verified.findings.is_empty(), "header {header}: {:?}", verified.findings);
        let (records, error) = viewed(&config);
        assert!(error.is_none() && records == there);
    }
    is_whole(&config, &there);
}

#[test]
fn the_tail_mends_what_it_still_has() {
    let dir = tempfile::tempdir().unwrap();
    let config = without_archive(dir.path());
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    for n in 0..200_u32 {
        writer.append(n, &n.to_le_bytes().repeat(500)).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    drained(&log);
    let until = Instant::now() + Duration::from_secs(20);
    while log.watermarks()[0].drained.0 == 0 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(1));
    }
    let (there, marks) = (all(&log), log.watermarks()[0]);
    // As a crash leaves it.
    let crashed = Image::take(&config.dir).copy();
    drop(writer);
    let victim = there.iter().rfind(|record| record.lsn + 2_048 <= marks.drained.0).unwrap();
    let (path, at) = place_of(crashed.path(), &victim.payload);
    flip(&path, at);
    let mut crashed_config = adopted(crashed.path(), Medium::Emulated);
    crashed_config.nvme.scrub_bytes_per_second = 0;
    let (_, actions) = told(&crashed_config, false);
    assert!(
        matches!(&actions[..], [Mended::Segment { from, .. }] if from.contains(&"tail")),
        "{actions:?}, drained to {}",
        marks.drained
    );
    std::fs::remove_file(crashed.path().join("owner")).ok();
    let (log, _) = Log::open(crashed_config).unwrap();
    assert_eq!(all(&log), there);
}

#[test]
fn a_log_that_is_open_is_looked_at_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let (log, _) = Log::open(config.clone()).unwrap();
    fill(&log, 100, 2_000);
    let mut closing = config.clone();
    closing.lock_wait_ms_max = 100;
    assert!(matches!(repair(&closing, false, &mut |_| ()), Err(Error::Locked { .. })));
    assert!(told(&config, true).1.is_empty());
}

#[test]
fn the_scrubber_finds_damage_beside_writers_and_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    (config.nvme.scrub_bytes_per_second, config.nvme.scrub_every_ms) = (64 << 20, 50);
    let (log, _) = Log::open(config.clone()).unwrap();
    fill(&log, 600, 2_000);
    let there = all(&log);
    drained(&log);
    let within = |what: &str, done: &dyn Fn() -> bool| {
        let until = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < until, "{what}: {:?}", log.metrics());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    within("archived", &|| log.watermarks().iter().all(|lane| lane.archived == lane.published));
    assert_eq!(log.metrics().scrub_damaged, 0);
    let (path, at) = place_of(&config.dir, &long(&there, 20).payload);
    flip(&path, at);
    within("mended", &|| log.metrics().scrub_mended == 1);
    let passes = log.metrics().scrub_passes;
    fill(&log, 100, 2_000);
    within("another pass", &|| log.metrics().scrub_passes > passes + 1);
    assert_eq!((log.metrics().scrub_damaged, log.metrics().scrub_mended), (1, 1));
    let mut reader = log.reader(&Cut::start()).unwrap();
    for record in &there {
        assert_eq!(reader.next().unwrap().unwrap().payload, record.payload);
    }
    drop(reader);
    log.close().unwrap();
    assert!(verify(&config).unwrap().findings.is_empty());
    // The old file is out of the way.
    let (_, actions) = told(&config, false);
    assert!(matches!(&actions[..], [Mended::Aside { .. }]), "{actions:?}");
}

/// At a rate of a few megabytes a second a pass takes its time.
#[test]
fn the_scrubber_keeps_to_its_rate() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = without_archive(dir.path());
    made(&config);
    (config.nvme.scrub_bytes_per_second, config.nvme.scrub_every_ms) = (1 << 20, 1);
    let (log, _) = Log::open(config).unwrap();
    std::thread::sleep(Duration::from_millis(1_000));
    let read = log.metrics().scrub_bytes;
    assert!((100 << 10..3 << 20).contains(&read), "{read} bytes in a second");
}
