//! Files: round trips, names, modes, locks, full disks.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{SmallMount, kind, open, open_with, pattern, scratch, ways};
use crate::nvme::{Block, Directory, DirectoryError, DirectoryOptions, DurableWay, FileName, Nvme};

const SEGMENT: FileName = FileName::Segment(7);

#[test]
fn round_trips_on_disk_and_in_memory_in_every_way() {
    for memory in [false, true] {
        for way in ways() {
            let at = scratch(memory);
            let dir = open_with(at.path(), |options| options.durable_way = Some(way));
            assert_eq!(dir.medium().way, Some(way));
            let file = dir.create(SEGMENT, 8 << 20).expect("a file");
            let mut offset = 0;
            for len in [4096, 8192, 12288, 65536, 1 << 20, (1 << 20) + 4096] {
                let run = pattern(len, len as u64);
                file.write_durable(offset, &run).expect("written");
                let mut back = Block::zeroed(len);
                file.read(offset, &mut back).expect("read");
                assert!(*back == *run, "{way} {len}");
                offset += len as u64;
            }
            let reader = dir.open(SEGMENT, false).expect("opened beside the writer");
            let mut back = Block::zeroed(8192);
            reader.read(4096, &mut back).expect("read");
            assert!(*back == *pattern(8192, 8192));
            let mut rest = Block::zeroed(4096);
            reader.read((8 << 20) - 4096, &mut rest).expect("read");
            assert!(rest.iter().all(|&byte| byte == 0), "what was never written is zero");
        }
    }
}

#[test]
fn nothing_goes_beyond_the_end_or_off_the_grid() {
    let at = scratch(false);
    let dir = open(at.path());
    let file = dir.create(SEGMENT, 16384).expect("a file");
    assert_eq!((file.len(), file.name(), file.is_empty()), (16384, SEGMENT, false));
    let mut block = Block::zeroed(8192);
    assert_eq!(kind(file.read(12288, &mut block)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(file.read(u64::MAX - 4095, &mut block)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(file.write_durable(12288, &block)), ErrorKind::InvalidInput);
    assert_eq!(kind(file.write_durable(100, &block)), ErrorKind::InvalidInput);
    assert_eq!(kind(file.read(100, &mut block)), ErrorKind::InvalidInput);
    assert_eq!(fs::metadata(at.path().join("00000007.seg")).expect("there").len(), 16384);
    for len in [0, 4095, 4097] {
        assert_eq!(kind(dir.create(FileName::Segment(8), len)), ErrorKind::InvalidInput);
    }
    // Cut short behind our back.
    let outside = fs::OpenOptions::new().write(true).open(at.path().join("00000007.seg")).expect("opened");
    outside.set_len(8192).expect("truncated");
    assert_eq!(kind(file.read(4096, &mut block)), ErrorKind::UnexpectedEof);
}

#[test]
fn names_are_listed_in_order_and_foreign_ones_refused() {
    let at = scratch(false);
    let dir = open(at.path());
    assert_eq!(dir.files().expect("empty"), []);
    let names =
        [FileName::Superblock, FileName::Watermarks, FileName::Segment(0), FileName::Segment(u32::MAX)];
    for name in names.iter().rev() {
        dir.create(*name, 4096).expect("a file");
    }
    assert_eq!(kind(dir.create(FileName::Superblock, 4096)), ErrorKind::AlreadyExists);
    assert_eq!(dir.files().expect("four"), names);
    dir.remove(FileName::Segment(0)).expect("removed");
    assert_eq!(kind(dir.remove(FileName::Segment(0))), ErrorKind::NotFound);
    assert_eq!(kind(dir.open(FileName::Segment(0), true)), ErrorKind::NotFound);
    assert_eq!(kind(dir.open(FileName::Segment(0), false)), ErrorKind::NotFound);
    for foreign in
        ["1.seg", "00000001.seg~", "0000000000.seg", "+0000001.seg", "lost+found", "Superblock", ".hidden"]
    {
        fs::write(at.path().join(foreign), b"").expect("written");
        let error = dir.files().expect_err("a foreign name");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains(foreign), "{error}");
        fs::remove_file(at.path().join(foreign)).expect("removed");
    }
    assert_eq!(dir.files().expect("three").len(), 3);
}

#[test]
fn only_regular_files_are_opened_and_links_not_followed() {
    let at = scratch(false);
    let dir = open(at.path());
    fs::write(at.path().join("target"), vec![0; 4096]).expect("written");
    symlink("target", at.path().join("superblock")).expect("linked");
    fs::create_dir(at.path().join("watermarks")).expect("made");
    let fifo = at.path().join("00000007.seg");
    assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()));
    for name in [FileName::Superblock, FileName::Watermarks, SEGMENT] {
        for write in [false, true] {
            assert_eq!(kind(dir.open(name, write)), ErrorKind::InvalidData, "{name} {write}");
        }
    }
}

#[test]
fn modes_hold_whatever_the_umask() {
    for umask in ["000", "777"] {
        let at = scratch(false);
        let path = at.path().join("nvme");
        let output = child(
            "make_a_file",
            &[("TIERLOG_DIR", path.as_os_str().to_str().expect("text")), ("TIERLOG_UMASK", umask)],
        );
        assert!(output.wait_with_output().expect("ran").status.success());
        let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
        assert_eq!(mode(path.clone()), 0o700, "umask {umask}");
        assert_eq!(mode(path.join("00000007.seg")), 0o600, "umask {umask}");
    }
}

#[test]
#[ignore = "the child of modes_hold_whatever_the_umask"]
fn make_a_file() {
    let umask = u32::from_str_radix(&std::env::var("TIERLOG_UMASK").expect("a umask"), 8).expect("octal");
    // SAFETY: sets a number of this process, which runs this one test.
    unsafe { libc::umask(umask) };
    let path = std::env::var("TIERLOG_DIR").expect("a path");
    let dir = open_with(path.as_ref(), |options| options.create = true);
    dir.create(SEGMENT, 4096).expect("a file");
}

/// Runs one ignored test of this file in a process of its own.
fn child(test: &str, environment: &[(&str, &str)]) -> std::process::Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture", &format!("nvme::tests::files::{test}")])
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child")
}

#[test]
fn a_writer_locks_out_another_process_until_it_dies() {
    let at = scratch(false);
    let dir = open_with(at.path(), |options| options.lock_wait_ms_max = 50);
    drop(dir.create(SEGMENT, 4096).expect("a file"));
    let mut holder = child("hold_a_file", &[("TIERLOG_DIR", at.path().to_str().expect("text"))]);
    let mut lines = BufReader::new(holder.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("text").ends_with("HELD")), "the child holds the file");
    let began = Instant::now();
    let error = dir.open(SEGMENT, true).expect_err("held");
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.to_string().contains("held by a process or its forked child"), "{error}");
    dir.open(SEGMENT, false).expect("a reader takes no lock");
    // A longer wait sees it die.
    let path = at.path().to_path_buf();
    let waiter = std::thread::spawn(move || open(&path).open(SEGMENT, true).map(drop));
    std::thread::sleep(Duration::from_millis(100));
    holder.kill().expect("killed");
    holder.wait().expect("reaped");
    waiter.join().expect("joined").expect("the lock went with its holder");
}

#[test]
#[ignore = "the child of a_writer_locks_out_another_process_until_it_dies"]
fn hold_a_file() {
    let path = std::env::var("TIERLOG_DIR").expect("a path");
    let _file = open(path.as_ref()).open(SEGMENT, true).expect("the lock");
    println!("HELD");
    std::io::stdout().flush().expect("flushed");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_second_writer_of_one_process_is_refused_and_a_removed_file_not_waited_for() {
    let at = scratch(false);
    let dir = open_with(at.path(), |options| options.lock_wait_ms_max = 0);
    let first = dir.create(SEGMENT, 4096).expect("a file");
    assert_eq!(kind(dir.open(SEGMENT, true)), ErrorKind::WouldBlock);
    let path = at.path().to_path_buf();
    let waiter = std::thread::spawn(move || open(&path).open(SEGMENT, true).map(|file| file.len()));
    std::thread::sleep(Duration::from_millis(150));
    dir.remove(SEGMENT).expect("removed");
    dir.create(SEGMENT, 8192).map(drop).expect("another of the name");
    drop(first);
    assert_eq!(waiter.join().expect("joined").expect("opened"), 8192, "the file that has the name now");
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let Some(mount) = SmallMount::new("1m") else { return };
    let dir = open(mount.path());
    let kept = dir.create(FileName::Superblock, 65536).expect("fits");
    let error = dir.create(SEGMENT, 2 << 20).expect_err("does not fit");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().contains("00000007.seg"), "{error}");
    assert_eq!(dir.files().expect("listed"), [FileName::Superblock]);
    kept.write_durable(0, &pattern(65536, 1)).expect("what is there goes on");
    dir.create(SEGMENT, 512 << 10).expect("the space is free again");
}

#[test]
fn a_full_disk_opens() {
    let Some(mount) = SmallMount::new("64k") else { return };
    let dir = open_with(mount.path(), |options| options.uring = false);
    // The kernel may hold on to the measured file for a moment.
    let fits = (0..100).any(|_| {
        let made = dir.create(FileName::Superblock, 65536);
        made.as_ref().is_err().then(|| std::thread::sleep(Duration::from_millis(20)));
        made.is_ok()
    });
    assert!(fits);
    let again = open(mount.path());
    assert_eq!((again.medium().way, again.medium().calibration), (Some(DurableWay::Fdatasync), None));
    let file = again.open(FileName::Superblock, true).expect("opened");
    file.write_durable(0, &pattern(65536, 1)).expect("an overwrite needs no space");
}

#[test]
fn read_only_changes_nothing() {
    let at = scratch(false);
    drop(open(at.path()).create(FileName::Superblock, 4096).expect("a file"));
    let dir = open_with(at.path(), |options| options.read_only = true);
    assert_eq!((dir.medium().way, dir.medium().calibration), (None, None));
    assert_eq!(kind(dir.create(SEGMENT, 4096)), ErrorKind::PermissionDenied);
    assert_eq!(kind(dir.remove(FileName::Superblock)), ErrorKind::PermissionDenied);
    assert_eq!(kind(dir.open(FileName::Superblock, true)), ErrorKind::PermissionDenied);
    assert_eq!(kind(dir.queue()), ErrorKind::PermissionDenied);
    let file = dir.open(FileName::Superblock, false).expect("opened");
    assert_eq!(kind(file.write_durable(0, &Block::zeroed(4096))), ErrorKind::PermissionDenied);
    file.read(0, &mut Block::zeroed(4096)).expect("read");
}

#[test]
fn what_is_no_directory_is_told_apart() {
    let at = scratch(false);
    let options = DirectoryOptions::default();
    let missing = Directory::open(at.path().join("missing"), &options);
    assert!(matches!(missing, Err(DirectoryError::Missing { .. })), "{missing:?}");
    let create = DirectoryOptions { create: true, ..options.clone() };
    let missing = Directory::open(at.path().join("missing/deep"), &create);
    assert!(matches!(missing, Err(DirectoryError::Missing { .. })), "{missing:?}");
    fs::write(at.path().join("file"), b"").expect("written");
    symlink(".", at.path().join("link")).expect("linked");
    for name in ["file", "link", "link/"] {
        for options in [&options, &create] {
            let foreign = Directory::open(at.path().join(name), options);
            assert!(matches!(foreign, Err(DirectoryError::Foreign { .. })), "{name} {foreign:?}");
        }
    }
    fs::set_permissions(at.path(), Permissions::from_mode(0o700)).expect("set");
    Directory::open(at.path().join("made"), &create).expect("made");
    Directory::open(at.path().join("made"), &create).expect("opened again");
}

#[test]
fn the_fingerprint_is_the_superblocks() {
    let at = scratch(false);
    let dir = open(at.path());
    assert_eq!(kind(dir.fingerprint()), ErrorKind::NotFound);
    dir.create(FileName::Superblock, 4096).expect("a file");
    let first = dir.fingerprint().expect("told");
    assert_eq!(open(at.path()).fingerprint().expect("told"), first);
    let copy = scratch(false);
    fs::copy(at.path().join("superblock"), copy.path().join("superblock")).expect("copied");
    assert_ne!(open(copy.path()).fingerprint().expect("told"), first);
}
