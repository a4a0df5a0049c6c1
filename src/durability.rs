//! What a commit promises, and what it reports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::number::{Lsn, Stamp};

/// What a record must survive. A commit at a level covers every earlier frame of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing yet: queued in the tail, not published, without a stamp. The queue is bounded by the ring: a commit that
    /// would fill half of it counts as `Process`.
    Buffered,
    /// `kill -9` of this process.
    Process,
    /// Power loss of this machine.
    #[default]
    Power,
    /// Loss of this machine.
    Machine,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Buffered => "buffered",
            Durability::Process => "process",
            Durability::Power => "power",
            Durability::Machine => "machine",
        })
    }
}

impl FromStr for Durability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Durability::Buffered, Durability::Process, Durability::Power, Durability::Machine];
        let unknown =
            || Error::Config(format!("{text:?} is no durability: buffered, process, power or machine"));
        all.into_iter().find(|level| level.to_string() == text).ok_or_else(unknown)
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Exclusive end of the batch in its lane.
    pub at: Lsn,
    /// Its order; of a `Buffered` commit, the lane's last stamp before it.
    pub stamp: Stamp,
    /// What the batch survives now: never less than asked for.
    pub reached: Durability,
}
