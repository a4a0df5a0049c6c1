//! Scripted workloads: a few steps each, chosen so that every rule of the protocol is met.

use std::fmt;

use tierlog::Durability::{self, Buffered, Machine, Power, Process};
use tierlog::{Config, sim};

/// One step. Writers are named by number; each has a lane of its own while it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Takes a lane.
    Take(u8),
    /// Appends a record.
    Append(u8),
    /// Commits what was appended, or what was committed lower.
    Commit(u8, Durability),
    /// The same, with a ticket.
    Submit(u8, Durability),
    /// Takes the open batch back.
    Abort(u8),
    /// Gives the lane back.
    Drop(u8),
    /// Reads everything that is published.
    Read,
    /// Lets background work go on for so many milliseconds.
    Rest(u64),
    /// Says that what was read is not needed any more.
    Checkpoint,
    /// Closes the log and opens it again.
    Reopen,
}

/// What the tail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// Persistent memory, caches lost with power.
    Adr,
    /// Persistent memory, caches kept.
    Eadr,
    /// Durable by msync.
    Page,
    /// An ordinary file.
    File,
}

impl Tail {
    fn medium(self) -> sim::TailMedium {
        match self {
            Tail::Adr => sim::TailMedium::FsDax { eadr: false },
            Tail::Eadr => sim::TailMedium::FsDax { eadr: true },
            Tail::Page => sim::TailMedium::Page,
            Tail::File => sim::TailMedium::File,
        }
    }
}

/// A workload and what it runs on.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// The tail.
    pub tail: Tail,
    /// Whether there is an archive.
    pub archive: bool,
    /// Records from this size on are streamed past the cache.
    pub crossover: usize,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Script {
    /// The log that it is done to.
    pub fn config(&self) -> Config {
        smallest(self.archive)
    }

    /// The world it begins in.
    pub fn world(&self, mutant: Option<sim::Mutant>) -> sim::World {
        let tail = sim::TailOptions {
            medium: self.tail.medium(),
            crossover: self.crossover,
            ..sim::TailOptions::default()
        };
        let nvme = sim::NvmeOptions { late_ms: 10, ..sim::NvmeOptions::default() };
        let options = sim::WorldOptions { tails: vec![tail], nvme: vec![nvme], mutant, ..Default::default() };
        sim::World::new(&options)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let archived = if self.archive { ", archived" } else { "" };
        write!(f, "{} on {:?}, streams from {}{archived}", self.name, self.tail, self.crossover)
    }
}

/// The smallest log there can be.
pub fn smallest(archive: bool) -> Config {
    let mut config = Config::new("sim");
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(4 << 10);
    config.tail.segments = Some(4);
    config.tail.full_wait_ms_max = 1_000;
    config.nvme.segment_bytes = Some(16 << 10);
    config.nvme.spare_segments = 1;
    if archive {
        config.archive.address = "memory:lab".into();
        config.archive.linger_ms_max = 5;
    }
    config
}

/// All of them.
pub fn scripts() -> Vec<Script> {
    let mut all = Vec::new();
    for (name, steps) in [
        ("commits", commits()),
        ("batches", batches()),
        ("buffered", buffered()),
        ("aborts", aborts()),
        ("lap", lap()),
    ] {
        for tail in [Tail::Adr, Tail::Eadr, Tail::Page, Tail::File] {
            all.push(Script { name, tail, archive: false, crossover: 256, steps: steps.clone() });
        }
        all.push(Script { name, tail: Tail::Adr, archive: false, crossover: 64, steps: steps.clone() });
    }
    for (name, steps) in [("depends", depends()), ("tickets", tickets())] {
        all.push(Script { name, tail: Tail::File, archive: false, crossover: usize::MAX, steps });
    }
    for tail in [Tail::Adr, Tail::File] {
        for (name, steps) in [("archived", archived()), ("trimmed", trimmed()), ("reopened", reopened())] {
            all.push(Script { name, tail, archive: name != "reopened", crossover: 256, steps });
        }
    }
    all
}

use Step::{Abort, Append, Checkpoint, Commit, Drop, Read, Reopen, Rest, Submit, Take};

/// Two lanes, a record a commit.
fn commits() -> Vec<Step> {
    let mut steps = vec![Take(0), Take(1)];
    for _ in 0..3 {
        steps.extend([Append(0), Commit(0, Power), Append(1), Commit(1, Power)]);
    }
    steps
}

/// Batches of several records, levels mixed.
fn batches() -> Vec<Step> {
    let batch = |writer, level| [Append(writer), Append(writer), Append(writer), Commit(writer, level)];
    let mut steps = vec![Take(0), Take(1)];
    for level in [Process, Power, Process] {
        steps.extend(batch(0, level));
        steps.extend(batch(1, Power));
    }
    steps.extend([Rest(20), Append(0), Append(0)]);
    steps
}

/// Batches without a stamp of their own.
fn buffered() -> Vec<Step> {
    vec![
        Take(0),
        Append(0),
        Commit(0, Buffered),
        Append(0),
        Append(0),
        Commit(0, Buffered),
        Append(0),
        Commit(0, Power),
        Append(0),
        Commit(0, Buffered),
        Take(1),
        Append(1),
        Commit(1, Buffered),
        Drop(1),
        Append(0),
        Commit(0, Buffered),
    ]
}

/// Batches taken back, between others and behind buffered ones.
fn aborts() -> Vec<Step> {
    vec![
        Take(0),
        Append(0),
        Commit(0, Power),
        Append(0),
        Append(0),
        Abort(0),
        Append(0),
        Commit(0, Buffered),
        Append(0),
        Abort(0),
        Append(0),
        Commit(0, Power),
        Append(0),
        Drop(0),
        Take(0),
        Append(0),
        Commit(0, Power),
    ]
}

/// More than a ring, so that slots are drained, given back and used again.
fn lap() -> Vec<Step> {
    let mut steps = vec![Take(0), Take(1)];
    for round in 0..24 {
        steps.extend([Append(0), Append(0), Append(0), Append(0), Append(0), Append(0), Append(0)]);
        steps.push(Commit(0, if round % 5 == 0 { Power } else { Process }));
        steps.push(Rest(2));
    }
    steps.extend([Append(1), Commit(1, Power), Rest(30), Append(0), Commit(0, Power)]);
    steps
}

/// Commits that have read what is not stable yet.
fn depends() -> Vec<Step> {
    vec![
        Take(0),
        Take(1),
        Append(0),
        Commit(0, Process),
        Read,
        Append(1),
        Commit(1, Process),
        Read,
        Append(0),
        Append(0),
        Commit(0, Process),
        Read,
        Append(1),
        Commit(1, Power),
        Append(0),
        Commit(0, Process),
        Read,
        Append(1),
        Append(1),
        Abort(1),
        Append(1),
        Commit(1, Process),
    ]
}

/// Commits completed by somebody else.
fn tickets() -> Vec<Step> {
    vec![
        Take(0),
        Take(1),
        Append(0),
        Submit(0, Power),
        Append(0),
        Submit(0, Power),
        Read,
        Append(1),
        Submit(1, Power),
        Rest(3),
        Append(0),
        Commit(0, Process),
        Rest(20),
    ]
}

/// Everything to the archive, at `Machine` too.
fn archived() -> Vec<Step> {
    vec![
        Take(0),
        Take(1),
        Append(0),
        Commit(0, Power),
        Append(1),
        Commit(1, Machine),
        Rest(10),
        Append(0),
        Append(0),
        Submit(0, Machine),
        Append(1),
        Commit(1, Process),
        Rest(30),
        Append(0),
        Commit(0, Power),
    ]
}

/// Checkpoints, so that segments of every tier are given back; another lane writes to them.
fn trimmed() -> Vec<Step> {
    let mut steps = vec![Take(0), Take(1)];
    for _ in 0..20 {
        steps.extend([Append(0); 8]);
        steps.extend([Commit(0, Process), Rest(4)]);
    }
    steps.extend([Rest(40), Checkpoint, Append(0), Commit(0, Power)]);
    for _ in 0..12 {
        steps.extend([Append(1), Commit(1, Power), Rest(1)]);
    }
    steps.push(Rest(20));
    steps
}

/// Closed and opened again, with a batch left open.
fn reopened() -> Vec<Step> {
    vec![
        Take(0),
        Append(0),
        Commit(0, Power),
        Append(0),
        Reopen,
        Take(0),
        Take(1),
        Append(1),
        Commit(1, Power),
        Append(0),
        Commit(0, Process),
        Reopen,
        Take(0),
        Append(0),
        Commit(0, Power),
    ]
}
