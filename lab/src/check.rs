//! Whether what a recovery gave back is what the log promised.

use std::fmt;

use tierlog::host::Host;
use tierlog::{Cut, Durability, Error, Log};

use crate::history::{BatchId, Fate, History};
use crate::payload::number;

/// What a crash took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Crash {
    /// The process; the machine goes on.
    Kill,
    /// The power of the machine.
    Power,
    /// The machine: only objects are left.
    Machine,
}

impl Crash {
    /// The same, as the simulator names it.
    pub fn of_world(self) -> tierlog::sim::Crash {
        match self {
            Crash::Kill => tierlog::sim::Crash::Kill,
            Crash::Power => tierlog::sim::Crash::Power,
            Crash::Machine => tierlog::sim::Crash::Machine,
        }
    }

    /// What an acknowledgement must have said to hold now.
    pub fn level(self) -> Durability {
        match self {
            Crash::Kill => Durability::Process,
            Crash::Power => Durability::Power,
            Crash::Machine => Durability::Machine,
        }
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The open refused what a crash may leave.
    Refused(String),
    /// A reader failed on what was recovered.
    Unreadable(String),
    /// A record came back that was never appended, or with other bytes.
    Forged(String),
    /// A record came back twice, or out of its lane's order.
    Disordered(u64),
    /// An acknowledged batch is gone.
    LostAcknowledged(BatchId),
    /// A batch came back that an earlier recovery gave back, or did not, otherwise.
    TookBack(BatchId),
    /// A batch came back that an earlier recovery had cut off, that was abandoned or never committed.
    Resurrected(BatchId),
    /// A batch came back without some of its records.
    Broken(BatchId),
    /// A batch came back without one that was committed before it in its lane.
    Hole(BatchId),
    /// A batch came back without one that its process had read.
    Dependency(BatchId),
    /// A batch comes before one that its process had read.
    Order(BatchId),
    /// Somebody goes on with a log that another one owns.
    TwoOwners,
    /// Opening again gave something else.
    NotIdempotent(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Reads everything back, in merged order, checked against each lane's own.
///
/// # Errors
/// [`Violation::Unreadable`], [`Violation::Forged`], [`Violation::Disordered`].
pub fn read_back<H: Host>(log: &Log<H>) -> Result<Vec<(u32, u64)>, Violation> {
    let unreadable = |error: Error| Violation::Unreadable(error.to_string());
    let forged = |bytes: &[u8]| Violation::Forged(format!("{bytes:02x?}"));
    let mut merged = Vec::new();
    let mut reader = log.reader(&Cut::start()).map_err(unreadable)?;
    while let Some(record) = reader.next().map_err(unreadable)? {
        merged.push((record.lane.0, number(record.payload).ok_or_else(|| forged(record.payload))?));
    }
    for mark in log.watermarks() {
        let mut of_lane = merged.iter().filter(|(lane, _)| *lane == mark.lane.0);
        let mut reader = log.lane(mark.lane, None).map_err(unreadable)?;
        while let Some(record) = reader.next().map_err(unreadable)? {
            let found = number(record.payload).ok_or_else(|| forged(record.payload))?;
            if of_lane.next() != Some(&(mark.lane.0, found)) {
                return Err(Violation::Disordered(found));
            }
        }
        if let Some((_, record)) = of_lane.next() {
            return Err(Violation::Disordered(*record));
        }
    }
    Ok(merged)
}

/// Holds what came back after a crash at `event` against the history. The batches that came back.
///
/// # Errors
/// The first promise found broken.
pub fn check(
    history: &History,
    crash: Crash,
    event: u64,
    merged: &[(u32, u64)],
) -> Result<Vec<BatchId>, Violation> {
    let came_back = whole_batches(history, merged)?;
    let is_back = |id: BatchId| came_back.contains(&id);
    for (id, batch) in history.batches.iter().enumerate() {
        if batch.records.is_empty() {
            continue;
        }
        if batch.may_be_gone(event) && !is_back(id) {
            continue;
        }
        let owed = batch.fate == Fate::Open && batch.is_acknowledged(crash.level(), event);
        match (is_back(id), batch.fate) {
            (false, Fate::Kept) if crash != Crash::Machine => return Err(Violation::TookBack(id)),
            (false, _) if owed => return Err(Violation::LostAcknowledged(id)),
            (true, Fate::Lost) => return Err(Violation::Resurrected(id)),
            (true, Fate::Open) if !batch.may_come_back(event) => return Err(Violation::Resurrected(id)),
            _ => {}
        }
        if !is_back(id) {
            continue;
        }
        let before = history.batches[..id].iter().enumerate();
        let gone = |(of, earlier): &(BatchId, &crate::history::Batch)| {
            earlier.lane == batch.lane
                && earlier.fate != Fate::Lost
                && earlier.committed_at.is_some()
                && !earlier.may_be_gone(event)
                && !earlier.records.is_empty()
                && !is_back(*of)
        };
        if before.clone().any(|one| gone(&one)) {
            return Err(Violation::Hole(id));
        }
        let may_be_gone = |need: &BatchId| history.batches[*need].may_be_gone(event);
        if batch.needs.iter().any(|need| !is_back(*need) && !may_be_gone(need)) {
            return Err(Violation::Dependency(id));
        }
        let place = |of: BatchId| came_back.iter().position(|one| *one == of);
        if batch.needs.iter().any(|need| place(*need) > place(id)) {
            return Err(Violation::Order(id));
        }
    }
    Ok(came_back)
}

/// The batches in the order in which they came, each whole, each lane in its order.
fn whole_batches(history: &History, merged: &[(u32, u64)]) -> Result<Vec<BatchId>, Violation> {
    let mut found: Vec<BatchId> = Vec::new();
    let mut rest = merged;
    while let Some((lane, record)) = rest.first().copied() {
        let forged = || Violation::Forged(format!("record {record} in lane {lane}"));
        let id = history.holder(record).ok_or_else(forged)?;
        let batch = &history.batches[id];
        let late = found.iter().any(|other| *other >= id && history.batches[*other].lane == batch.lane);
        if batch.lane != lane || late {
            return Err(Violation::Disordered(record));
        }
        let len = batch.records.len().min(rest.len());
        if !rest[..len].iter().map(|(_, record)| record).eq(batch.records.iter()) {
            return Err(Violation::Broken(id));
        }
        found.push(id);
        rest = &rest[len..];
    }
    Ok(found)
}
