//! Tests of the mapped tail on what ordinary hardware has: tmpfs and a disk.

mod fault;
mod lock;
mod media;
mod poison;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::{ALIGN, MapOptions, Mapped, MediumAsk};

const LEN: u64 = 2 * ALIGN;

/// A directory in memory, and one on whatever disk the system's temporary files lie on.
fn directories() -> [TempDir; 2] {
    [in_memory(), tempfile::tempdir().unwrap()]
}

fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

/// Waits for the lock: a child that another test starts has every file open between fork and exec.
fn asking(ask: MediumAsk) -> MapOptions {
    MapOptions { ask, ..MapOptions::default() }
}

fn create(dir: &TempDir, ask: MediumAsk) -> (PathBuf, Arc<Mapped>) {
    let path = dir.path().join("tail");
    let mapped = Mapped::create(&path, LEN, &asking(ask)).unwrap();
    (path, Arc::new(mapped))
}

/// This test binary again, running one helper that is ignored otherwise, with a path in `TAIL`.
fn helper(name: &str, path: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("tail::tests::{name}"),
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env("TAIL", path);
    command
}

fn helper_path() -> PathBuf {
    std::env::var_os("TAIL").expect("run by another test").into()
}
