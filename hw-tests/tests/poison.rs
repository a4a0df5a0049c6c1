//! Memory that fails: a poisoned page of the tail costs exactly what lay on it, and nothing that NVMe has.
//!
//! The rig has to allow it by `poison = true`: the machine's memory is damaged until it is started anew.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tierlog::{Config, Cut, Durability, Error, Log, TailPlace, View};
use tierlog_hw_tests::poison::poison;
use tierlog_hw_tests::{TailSpot, payloads, require, small, write_and_commit};

/// The configuration of a test's child.
const CHILD: &str = "TIERLOG_HW_CHILD";
const RECORDS: u32 = 300;
const BYTES: usize = 500;

fn on(tail: &TailSpot, dir: &TempDir) -> Config {
    let mut config = small(dir);
    config.tail.places = vec![TailPlace { path: tail.path.clone(), node: None }];
    config
}

fn payload(i: u32) -> Vec<u8> {
    let mut bytes = vec![i as u8; BYTES];
    bytes[..4].copy_from_slice(&i.to_le_bytes());
    bytes
}

fn commit_all(log: &Log, records: std::ops::Range<u32>) {
    let mut writer = log.writer().unwrap();
    for i in records {
        write_and_commit(&mut writer, &payload(i), Durability::Power);
    }
}

/// The page of the tail that holds the beginning of record `i`.
fn page_of(tail: &Path, i: u32) -> u64 {
    let file = std::fs::File::open(tail).unwrap();
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let wanted = payload(i);
    let at = bytes.windows(BYTES).position(|window| window == wanted).expect("the record is in the tail");
    at as u64 / 4096 * 4096
}

#[test]
fn what_nvme_has_is_served_from_there() {
    require!(poison);
    let (tail, dir) = (require!(dax).tail(), require!(nvme).fresh());
    let (log, _) = Log::open(on(&tail, &dir)).unwrap();
    commit_all(&log, 0..RECORDS);
    let until = Instant::now() + Duration::from_secs(20);
    while log.watermarks().iter().any(|lane| lane.durable < lane.published) {
        assert!(Instant::now() < until, "not drained: {:?}", log.watermarks());
        std::thread::sleep(Duration::from_millis(5));
    }
    poison(&tail.path, page_of(&tail.path, RECORDS / 2)).unwrap();
    let expected: Vec<Vec<u8>> = (0..RECORDS).map(payload).collect();
    assert_eq!(payloads(&log), expected, "the owner's reader");
    let view = View::open(&on(&tail, &dir)).unwrap();
    let mut reader = view.reader(&Cut::start()).unwrap();
    let mut count = 0;
    while let Some(record) = reader.next().unwrap() {
        assert_eq!(record.payload, payload(count));
        count += 1;
    }
    assert_eq!(count, RECORDS, "a view");
    drop((reader, view));
    // The lane that met the page is poisoned, so this is no clean end; nothing is missing all the same.
    assert!(matches!(log.close().unwrap_err(), Error::Poisoned { .. }));
    let (log, _) = Log::open(on(&tail, &dir)).unwrap();
    assert_eq!(payloads(&log), expected);
}

/// A log that was killed, its newest records in the tail alone: the one on the page is named, those before it are not
/// touched, and nothing is cut off in silence.
#[test]
fn what_only_the_tail_had_is_told_and_never_cut() {
    if let Ok(config) = std::env::var(CHILD) {
        let (log, _) = Log::open(toml::from_str(&config).unwrap()).unwrap();
        commit_all(&log, 0..RECORDS);
        std::process::abort();
    }
    require!(poison);
    let (tail, dir) = (require!(dax).tail(), require!(nvme).fresh());
    let mut config = on(&tail, &dir);
    // Drains that fail: NVMe has no room, and the tail keeps what was committed.
    config.nvme.spare_segments = 0;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_only_the_tail_had_is_told_and_never_cut"])
        .env(CHILD, toml::to_string(&config).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!child.success());
    let last = RECORDS - 1;
    poison(&tail.path, page_of(&tail.path, last)).unwrap();
    match Log::open(config.clone()) {
        // The drain was faster than the abort: NVMe has it all.
        Ok((log, _)) => assert_eq!(payloads(&log).len(), RECORDS as usize),
        Err(error) => {
            assert!(matches!(error, Error::Corrupt { .. } | Error::Refused(_)), "{error}");
            println!("told: {error}");
            // What NVMe holds is there for who accepts the loss.
            config.accept_loss = true;
            let (log, recovered) = Log::open(config).unwrap();
            let left = payloads(&log);
            assert!(left.len() < RECORDS as usize && !recovered.tails_lost.is_empty(), "{recovered:?}");
            assert!(left.iter().zip(0..).all(|(found, i)| *found == payload(i)), "a prefix");
        }
    }
}
