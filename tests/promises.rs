//! What a log says that it keeps, and what it refuses to promise.

use std::path::Path;

use tierlog::{Config, Cut, Durability, Error, Log, Remedy};

const MEMORY: &str = "/dev/shm";

/// A log whose NVMe tier lies in memory.
fn in_memory(dir: &Path, nvme: &Path) -> Config {
    let mut config = Config::new(dir);
    config.tail.segment_bytes = Some(64 << 10);
    config.nvme.segment_bytes = Some(128 << 10);
    config.nvme.path = Some(nvme.join("nvme"));
    config
}

#[test]
fn a_directory_in_memory_keeps_no_power_and_nothing_is_stored_for_it() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in(MEMORY).unwrap());
    let (log, _) = Log::open(in_memory(dir.path(), memory.path())).unwrap();
    assert_eq!(log.media().keeps, Durability::Process);
    assert!(log.media().power.starts_with("not kept"), "{}", log.media().power);
    let mut writer = log.writer().unwrap();
    writer.append(0, b"kept by whom?").unwrap();
    for level in [Durability::Power, Durability::Machine] {
        let refused = writer.commit(level).unwrap_err();
        assert!(matches!(refused, Error::NotKept { level: Durability::Power, .. }), "{refused}");
        assert_eq!(refused.remedy(), Remedy::Change);
        assert!(refused.to_string().contains("accept_volatile"), "{refused}");
        assert!(writer.submit(level).is_err());
    }
    assert!(log.reader(&Cut::start()).unwrap().next().unwrap().is_none(), "the batch is still open");
    assert_eq!(writer.commit(Durability::Process).unwrap().reached, Durability::Process);
    drop(writer);
    log.close().unwrap();
}

#[test]
fn what_is_accepted_by_name_is_kept_as_well_as_it_can_be_and_marked() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in(MEMORY).unwrap());
    let mut config = in_memory(dir.path(), memory.path());
    config.nvme.accept_volatile = true;
    let (log, _) = Log::open(config).unwrap();
    assert_eq!(log.media().keeps, Durability::Power);
    assert!(log.media().power.contains("survives nothing but the process"), "{}", log.media().power);
    let mut writer = log.writer().unwrap();
    writer.append(0, b"as asked for").unwrap();
    assert_eq!(writer.commit(Durability::Power).unwrap().reached, Durability::Power);
    drop(writer);
    log.close().unwrap();
}

#[test]
fn an_emulated_log_says_so_whatever_lies_below() {
    let (dir, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in(MEMORY).unwrap());
    let (log, _) = Log::open(in_memory(dir.path(), memory.path()).emulated()).unwrap();
    assert!(log.media().emulated && log.media().keeps == Durability::Power);
    log.close().unwrap();
}
