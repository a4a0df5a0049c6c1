//! A tail in persistent memory, mapped through a DAX file system.

use std::process::Command;

use tierlog::{Config, Durability, Log};
use tierlog_hw_tests::{payloads, require, small, write_and_commit};

const COMMITS: u32 = 1_000;
/// The configuration of the last test's child.
const CHILD: &str = "TIERLOG_HW_CHILD";

fn commit_all(config: Config) -> Log {
    let (log, _) = Log::open(config).unwrap();
    let mut writer = log.writer().unwrap();
    for i in 0..COMMITS {
        write_and_commit(&mut writer, &i.to_le_bytes(), Durability::Power);
    }
    drop(writer);
    log
}

fn expect_all(log: &Log) {
    let expected: Vec<Vec<u8>> = (0..COMMITS).map(|i| i.to_le_bytes().to_vec()).collect();
    assert_eq!(payloads(log), expected);
}

#[test]
fn media_names_fsdax_and_keeps_power_by_flush_and_fence() {
    let dir = require!(dax).fresh();
    let (log, _) = Log::open(small(&dir)).unwrap();
    let media = log.media();
    assert!(!media.emulated && media.tails[0].starts_with("fsdax "), "{media:?}");
    let how = if media.tails[0].contains("eADR") { "fence only" } else { "CLWB+SFENCE by cache line" };
    assert!(media.power.starts_with("fsdax ") && media.power.contains(how), "{media:?}");
    log.close().unwrap();
}

#[test]
fn commits_survive_a_close() {
    let dir = require!(dax).fresh();
    commit_all(small(&dir)).close().unwrap();
    let (log, recovered) = Log::open(small(&dir)).unwrap();
    assert!(recovered.clean, "{recovered:?}");
    expect_all(&log);
}

#[test]
fn commits_survive_the_process() {
    if let Ok(config) = std::env::var(CHILD) {
        let _log = commit_all(toml::from_str(&config).unwrap());
        std::process::abort();
    }
    let dir = require!(dax).fresh();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commits_survive_the_process"])
        .env(CHILD, toml::to_string(&small(&dir)).unwrap())
        .output()
        .unwrap();
    assert!(!child.status.success(), "{child:?}");
    let (log, recovered) = Log::open(small(&dir)).unwrap();
    assert!(!recovered.clean, "{recovered:?}");
    expect_all(&log);
}
