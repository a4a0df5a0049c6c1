//! Reopening after something went missing: it is torn, or refused, never made anew over what counts.

use std::os::unix::fs::FileExt;

use tierlog::{Config, Durability, Log, Medium};

#[test]
fn an_unfenced_first_lap_that_lost_its_first_header_is_torn_not_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.nvme.accept_volatile = true;
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(8);
    config.nvme.segment_bytes = Some(256 << 10);
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    // Never fenced: two slots of Buffered batches.
    for _ in 0..10 {
        writer.append(0, &[1; 10_000]).unwrap();
        writer.commit(Durability::Buffered).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for sub in ["", "nvme"] {
        std::fs::create_dir_all(copy.path().join(sub)).unwrap();
        for entry in std::fs::read_dir(dir.path().join(sub)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(sub).join(entry.file_name())).unwrap();
            }
        }
    }
    let tail = std::fs::File::options().write(true).open(copy.path().join("tail")).unwrap();
    tail.write_all_at(&[0; 128], 2 << 20).unwrap();
    config.dir = copy.path().into();
    config.adopt = true;
    let recovered = Log::open(config).map(|(_, recovered)| recovered);
    assert!(recovered.is_ok(), "{recovered:?}");
}

#[test]
fn a_tail_with_acknowledged_records_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.nvme.accept_volatile = true;
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(64 << 10);
    config.nvme.segment_bytes = Some(256 << 10);
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(0, b"acknowledged").unwrap();
    writer.commit(Durability::Power).unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("tail"), copy.path().join("tail")).unwrap();
    config.dir = copy.path().into();
    let recovered = Log::open(config).map(|(_, recovered)| recovered);
    assert!(recovered.is_err(), "{recovered:?}");
}

#[test]
fn a_superblock_only_begun_is_no_refusal() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("nvme")).unwrap();
    std::fs::write(dir.path().join("nvme/superblock"), vec![0; 4096]).unwrap();
    let mut config = Config::new(dir.path());
    config.nvme.accept_volatile = true;
    config.tail.medium = Medium::Emulated;
    Log::open(config).unwrap();
}

#[test]
fn many_opens_without_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.nvme.accept_volatile = true;
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(64 << 10);
    config.nvme.segment_bytes = Some(256 << 10);
    let size = |dir: &std::path::Path| {
        std::fs::read(dir.join("nvme/superblock"))
            .unwrap()
            .chunks_exact(512 << 10)
            .map(|slot| u32::from_le_bytes(slot[16..20].try_into().unwrap()))
            .max()
            .unwrap()
    };
    Log::open(config.clone()).unwrap().0.close().unwrap();
    let before = size(dir.path());
    for _ in 0..10 {
        Log::open(config.clone()).unwrap().0.close().unwrap();
    }
    assert_eq!(size(dir.path()), before, "the open record grows with every open");
}

#[cfg(feature = "object")]
#[test]
fn an_archive_that_is_gone_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let archive = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.nvme.accept_volatile = true;
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.archive.address = archive.path().join("a").display().to_string();
    config.archive.accept_local = true;
    for _ in 0..2 {
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut writer = log.writer().unwrap();
        writer.append(0, b"x").unwrap();
        writer.commit(Durability::Machine).unwrap();
        drop(writer);
        log.close().unwrap();
    }
    std::fs::rename(archive.path().join("a"), archive.path().join("b")).unwrap();
    let opened = Log::open(config.clone());
    let names: Vec<_> =
        std::fs::read_dir(archive.path().join("a/seq")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(opened.is_err(), "opened all the same; the new archive begins with {names:?}");
}
