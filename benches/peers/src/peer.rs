//! A log that takes part: how it is opened, written by threads, and read back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whatever keeps one from taking part, for people.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Opens a log: an empty one, or what a killed process left.
pub type Open = fn(&Place) -> Outcome<Box<dyn Peer>>;
/// All payloads that a new open finds, end to end, in the order of one writer's commits.
pub type Read = fn(&Place) -> Outcome<Vec<u8>>;

/// An open log, shared by threads.
pub trait Peer: Send + Sync {
    /// The calling thread's way to write; threads are counted from 0.
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>>;

    /// Waits until what commits left for later has been done, so that it disturbs nobody else's turn.
    fn settle(&self) -> Outcome<()> {
        Ok(())
    }
}

/// Writes for one thread.
pub trait Writer {
    /// Makes these records durable, as one batch where there are several, and returns when they are.
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()>;
}

/// The two places to compare at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Medium {
    /// The tail's: persistent memory, or memory in its place.
    Tail,
    /// The disk.
    Disk,
}

/// Where a log is opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// On what.
    pub medium: Medium,
    /// Ordinary memory stands in for persistent memory.
    pub emulated: bool,
    /// What a commit survives there, as the results say it.
    pub promise: String,
    /// A directory of its own.
    pub dir: PathBuf,
    /// A directory of its own on the disk, for what does not stay on the tail's medium.
    pub nvme_dir: PathBuf,
    /// Threads that will write.
    pub threads: usize,
}

/// At which points a kind takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At all.
    Always,
    /// With several threads: it is a log for each, and with one the same as another kind.
    Threads,
    /// With several records a commit: with one it is the same as another kind.
    Records,
}

/// A kind of log.
pub struct Kind {
    /// As in the results.
    pub name: &'static str,
    /// What it is and how it is set, for people.
    pub about: fn() -> String,
    /// Where it takes part.
    pub on: &'static [Medium],
    /// At which points.
    pub when: When,
    /// Durable by the file system's word, which tmpfs gives for nothing.
    pub by_file: bool,
    /// How it is opened.
    pub open: Open,
    /// How it is read back; a yardstick keeps no log.
    pub read: Option<Read>,
}

/// A log for each thread.
pub struct Split(Vec<Box<dyn Peer>>);

impl Split {
    /// Opens as many as there are threads.
    pub fn open(place: &Place, open: Open) -> Outcome<Box<dyn Peer>> {
        let each = |nth| {
            let dir = place.dir.join(format!("{nth}"));
            std::fs::create_dir_all(&dir)?;
            open(&Place { dir, threads: 1, ..place.clone() })
        };
        Ok(Box::new(Split((0..place.threads).map(each).collect::<Outcome<_>>()?)))
    }
}

impl Peer for Split {
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>> {
        self.0[nth].writer(0)
    }
}
