//! What the rig names, and what every test does with it.

use std::path::PathBuf;

use serde::Deserialize;
use tempfile::TempDir;
use tierlog::{Commit, Config, Cut, Durability, Log, Writer};
use tierlog_tiers::tail::{MapOptions, Mapped};

/// A directory, or a device-DAX region, of the rig.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Where; it must be there.
    pub path: PathBuf,
    /// The NUMA node that it lies next to.
    pub node: Option<u32>,
}

/// Where a tail may lie.
#[derive(Debug)]
pub struct TailSpot {
    /// A file yet to be made, or an erased region.
    pub path: PathBuf,
    /// Removed when dropped.
    _dir: Option<TempDir>,
}

impl Place {
    /// A fresh directory in it, removed when dropped.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn fresh(&self) -> TempDir {
        TempDir::new_in(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// A place for a tail: in a fresh directory, or the region itself, whose contents are erased.
    ///
    /// # Panics
    /// If there is none.
    pub fn tail(&self) -> TailSpot {
        if self.path.is_dir() {
            let dir = self.fresh();
            return TailSpot { path: dir.path().join("tail"), _dir: Some(dir) };
        }
        // The first 2 MiB say whose it is.
        let erased = Mapped::create(&self.path, 2 << 20, &MapOptions::default());
        erased.unwrap_or_else(|error| panic!("{error}"));
        TailSpot { path: self.path.clone(), _dir: None }
    }
}

/// A log of some 20 MiB, so that a small device takes one for each test.
pub fn small(dir: &TempDir) -> Config {
    let mut config = Config::new(dir.path());
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(1 << 20);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(2 << 20);
    config
}

/// Appends one record and commits it.
///
/// # Panics
/// If the log refuses, or reached less than asked for.
pub fn write_and_commit(writer: &mut Writer, payload: &[u8], durability: Durability) -> Commit {
    writer.append(0, payload).unwrap();
    let commit = writer.commit(durability).unwrap();
    assert!(commit.reached >= durability, "{commit:?}");
    commit
}

/// Every record of the log, in merged order.
///
/// # Panics
/// If the log cannot be read.
pub fn payloads(log: &Log) -> Vec<Vec<u8>> {
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut payloads = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        payloads.push(record.payload.to_vec());
    }
    payloads
}
