//! A tail in a device-DAX region.

use std::process::Command;

use tempfile::TempDir;
use tierlog::{Config, Durability, Error, Log, Medium, Refusal, TailPlace, View};
use tierlog_hw_tests::{TailSpot, payloads, require, rig, small, write_and_commit};
use tierlog_tiers::tail::{MapError, MapOptions, Mapped};

/// The configuration of the child of a test.
const CHILD: &str = "TIERLOG_HW_CHILD";
const COMMITS: u32 = 1_000;

/// Tests take turns: the rig names one region.
static REGION: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    REGION.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn on(tail: &TailSpot, dir: &TempDir) -> Config {
    let mut config = small(dir);
    config.tail.places = vec![TailPlace { path: tail.path.clone(), node: None }];
    config
}

fn commit_all(log: &Log) {
    let mut writer = log.writer().unwrap();
    for i in 0..COMMITS {
        write_and_commit(&mut writer, &i.to_le_bytes(), Durability::Power);
    }
}

fn expect_all(log: &Log) {
    let expected: Vec<Vec<u8>> = (0..COMMITS).map(|i| i.to_le_bytes().to_vec()).collect();
    assert_eq!(payloads(log), expected);
}

#[test]
fn commits_survive_a_close_and_media_names_the_device() {
    let (place, _turn) = (require!(devdax), turn());
    let (tail, dir) = (place.tail(), require!(nvme).fresh());
    let (log, _) = Log::open(on(&tail, &dir)).unwrap();
    let media = log.media();
    assert!(media.tails[0].starts_with(&format!("devdax {}", tail.path.display())), "{media:?}");
    assert_eq!(media.power, media.tails[0]);
    commit_all(&log);
    log.close().unwrap();
    let (log, recovered) = Log::open(on(&tail, &dir)).unwrap();
    assert!(recovered.clean && recovered.tails_lost.is_empty(), "{recovered:?}");
    expect_all(&log);
}

#[test]
fn commits_survive_the_process() {
    if let Ok(config) = std::env::var(CHILD) {
        let (log, _) = Log::open(toml::from_str(&config).unwrap()).unwrap();
        commit_all(&log);
        std::process::abort();
    }
    let (place, _turn) = (require!(devdax), turn());
    let (tail, dir) = (place.tail(), require!(nvme).fresh());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commits_survive_the_process"])
        .env(CHILD, toml::to_string(&on(&tail, &dir)).unwrap())
        .output()
        .unwrap();
    assert!(!child.status.success(), "{child:?}");
    let (log, recovered) = Log::open(on(&tail, &dir)).unwrap();
    assert!(!recovered.clean, "{recovered:?}");
    expect_all(&log);
    let view = View::open(&on(&tail, &dir)).unwrap();
    assert!(view.is_live());
}

/// The device's own lock guards one node of it; the tail's identity and the NVMe directory's lock guard the rest.
#[test]
fn a_region_belongs_to_one_log() {
    let (place, _turn) = (require!(devdax), turn());
    let nvme = require!(nvme);
    let (tail, dir, other) = (place.tail(), nvme.fresh(), nvme.fresh());
    let (log, _) = Log::open(on(&tail, &dir)).unwrap();
    commit_all(&log);
    let quick = |dir: &TempDir| Config { lock_wait_ms_max: 10, ..on(&tail, dir) };
    assert!(matches!(Log::open(quick(&dir)).unwrap_err(), Error::Locked { .. }), "the same log");
    let refused = Log::open(quick(&other)).unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::Foreign { .. })),
        "another log, by what is written: {refused}"
    );
    let held = Mapped::open(&tail.path, &MapOptions { lock_wait_ms_max: 10, ..MapOptions::default() });
    assert!(matches!(held, Err(MapError::Held { .. })), "the device node is locked as well: {held:?}");
    log.close().unwrap();
    let refused = Log::open(quick(&nvme.fresh())).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::Foreign { .. })), "another log's: {refused}");
    let (log, _) = Log::open(quick(&dir)).unwrap();
    expect_all(&log);
    log.close().unwrap();
    // Erased: the closed log needs nothing of it and makes it anew.
    place.tail();
    let (log, _) = Log::open(quick(&dir)).unwrap();
    expect_all(&log);
    drop(log);
}

#[test]
fn what_a_device_cannot_be_is_refused() {
    let (place, _turn) = (require!(devdax), turn());
    let (tail, dir) = (place.tail(), require!(nvme).fresh());
    for medium in [Medium::File, Medium::Page] {
        let mut config = on(&tail, &dir);
        config.tail.medium = medium;
        assert!(matches!(Log::open(config).unwrap_err(), Error::Config(_)));
    }
    let mut config = on(&tail, &dir);
    config.tail.lanes = Some(1_000);
    assert!(Log::open(config).is_err(), "larger than the region");
    assert!(rig::devdax().is_ok_and(|place| place.path.exists()), "the device is still there");
}
