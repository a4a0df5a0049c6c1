//! Tests of the directory against real file systems.

mod block;
mod faults;
mod files;
mod medium;
mod queues;

use std::io;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Block, Directory, DirectoryOptions, DurableWay};

/// A directory on the disk of the build, or in memory.
pub(super) fn scratch(memory: bool) -> TempDir {
    let exe = std::env::current_exe().expect("this test");
    let parent = if memory { Path::new("/dev/shm") } else { exe.parent().expect("its directory") };
    tempfile::tempdir_in(parent).expect("a directory")
}

pub(super) fn open(path: &Path) -> Directory {
    Directory::open(path, &DirectoryOptions::default()).expect("an open directory")
}

pub(super) fn open_with(path: &Path, change: impl FnOnce(&mut DirectoryOptions)) -> Directory {
    let mut options = DirectoryOptions::default();
    change(&mut options);
    Directory::open(path, &options).expect("an open directory")
}

/// The ways there are on this machine.
pub(super) fn ways() -> Vec<DurableWay> {
    let refused = open(scratch(false).path()).medium().uring_refused.clone();
    if let Some(why) = &refused {
        eprintln!("SKIP: no io_uring here: {why}");
    }
    DurableWay::ALL.into_iter().filter(|way| refused.is_none() || !way.rings()).collect()
}

/// Bytes that differ from block to block.
pub(super) fn pattern(len: usize, seed: u64) -> Block {
    let mut block = Block::zeroed(len);
    let mut state = seed | 1;
    for word in block.chunks_exact_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.copy_from_slice(&state.to_le_bytes());
    }
    block
}

pub(super) fn kind<T: std::fmt::Debug>(outcome: io::Result<T>) -> io::ErrorKind {
    outcome.expect_err("an error").kind()
}

/// A file system in memory of a fixed size, unmounted at the end; none without the right to mount.
pub(super) struct SmallMount(TempDir);

impl SmallMount {
    pub(super) fn new(size: &str) -> Option<SmallMount> {
        let at = tempfile::tempdir().expect("a mount point");
        let size = format!("size={size}");
        match Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at.path()).output() {
            Ok(output) if output.status.success() => Some(SmallMount(at)),
            outcome => {
                eprintln!("SKIPPED: needs the right to mount a tmpfs: {outcome:?}");
                None
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallMount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "umount {}", self.0.path().display());
    }
}
