//! Which operations fail, and how: by a script or by a seed.

use std::collections::BTreeMap;
use std::fmt;

use super::random::Random;

/// An operation on files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileOperation {
    /// A read.
    Read,
    /// A write, of a queue or durable.
    Write,
    /// A flush: a file's own, a queue's, or that of a durable write.
    Flush,
    /// The creation of a file.
    Create,
    /// The opening of a file.
    Open,
    /// The removal of a file.
    Remove,
    /// The listing of a directory.
    List,
}

/// How an operation on files goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFault {
    /// An I/O error, and nothing was done. A flush that fails so never makes its writes durable: they may be lost
    /// whatever a later flush says.
    ErrorBefore,
    /// An I/O error, and it was done. As `ErrorBefore` for reads, opens and listings.
    ErrorAfter,
    /// `StorageFull`, and nothing was done. For writes and creations, an I/O error elsewhere.
    Full,
    /// An I/O error with the first half of the write done. For writes; elsewhere as `ErrorBefore`.
    Short,
    /// Success, and nothing was written. For writes; elsewhere without effect.
    Lost,
    /// Success, and the bytes went so many blocks further on in the file, round its end. For writes.
    Misdirected(u64),
    /// What is read is what stood there before the file's newest write. For reads.
    Stale,
    /// One bit of what is read has rotted, on the medium, from now on. For reads.
    Rot,
    /// The device is gone, until [`World::come_back`](super::World::come_back): I/O errors.
    Gone,
}

/// An operation on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectOperation {
    /// A create.
    Create,
    /// A put.
    Put,
    /// A replace, of an object that is there.
    Replace,
    /// A read.
    Read,
    /// A delete.
    Delete,
    /// A listing.
    List,
    /// A probe.
    Probe,
}

/// How an operation on objects goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectFault {
    /// `Unavailable`, and nothing was done.
    ErrorBefore,
    /// `Unavailable`, and it was done: the answer was lost.
    LostAnswer,
    /// `Unavailable`, and it will be done before the object operation that comes so many later, if it still can be by
    /// then.
    Late(u64),
    /// The request arrives twice; the caller hears the second answer.
    Duplicate,
    /// What was made in so many operations before is not listed. For listings; elsewhere without effect.
    Lagging(u64),
    /// `Refused`, and nothing was done.
    Refused,
    /// `Unavailable`, this time and for so many operations more.
    Away(u64),
}

/// Which operations fail, and how. Each kind of operation is counted from 1, over all directories, from the moment the
/// plan is given to a world.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    file: Vec<Scripted<FileOperation, FileFault>>,
    object: Vec<Scripted<ObjectOperation, ObjectFault>>,
    sync: Vec<Scripted<(), ()>>,
    seeded: Option<Seeded>,
    away: u64,
    injected: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
struct Scripted<O, F> {
    on: O,
    /// How many are yet to pass.
    passes: u64,
    times: u64,
    fault: F,
}

#[derive(Debug, Clone)]
struct Seeded {
    random: Random,
    one_in: u64,
    /// Only faults that the caller is told of.
    honest: bool,
}

impl Plan {
    /// Nothing fails.
    pub fn none() -> Plan {
        Plan::default()
    }

    /// Every operation fails with a chance of one in `one_in`, in some way that fits it and that a caller can notice or
    /// need not: everything but `Full` and `Gone`.
    ///
    /// # Panics
    /// If `one_in` is 0.
    pub fn seeded(seed: u64, one_in: u64) -> Plan {
        assert!(one_in > 0, "a chance of one in none");
        Plan { seeded: Some(Seeded { random: Random::new(seed), one_in, honest: false }), ..Plan::default() }
    }

    /// As [`seeded`](Plan::seeded), but only with faults that the caller is told of: no lost or misdirected write, no stale
    /// or rotten read.
    ///
    /// # Panics
    /// If `one_in` is 0.
    pub fn honest(seed: u64, one_in: u64) -> Plan {
        assert!(one_in > 0, "a chance of one in none");
        Plan { seeded: Some(Seeded { random: Random::new(seed), one_in, honest: true }), ..Plan::default() }
    }

    /// The `nth` operation of a kind fails, and the `times - 1` after it.
    #[must_use]
    pub fn file_fault(mut self, on: FileOperation, nth: u64, times: u64, fault: FileFault) -> Plan {
        self.file.push(Scripted { on, passes: nth.saturating_sub(1), times, fault });
        self
    }

    /// The `nth` operation of a kind fails, and the `times - 1` after it.
    #[must_use]
    pub fn object_fault(mut self, on: ObjectOperation, nth: u64, times: u64, fault: ObjectFault) -> Plan {
        self.object.push(Scripted { on, passes: nth.saturating_sub(1), times, fault });
        self
    }

    /// The `nth` msync of a tail is refused; the tail then says so for as long as it is open.
    #[must_use]
    pub fn sync_fault(mut self, nth: u64) -> Plan {
        self.sync.push(Scripted { on: (), passes: nth.saturating_sub(1), times: 1, fault: () });
        self
    }

    /// How many faults there were so far, by operation and kind.
    pub fn injected(&self) -> &BTreeMap<String, u64> {
        &self.injected
    }

    fn count<O: fmt::Debug, F: fmt::Debug>(&mut self, on: O, fault: Option<F>) {
        if let Some(fault) = fault {
            *self.injected.entry(format!("{on:?} {fault:?}")).or_default() += 1;
        }
    }

    pub(super) fn file(&mut self, on: FileOperation) -> Option<FileFault> {
        let scripted = next(&mut self.file, on);
        let fault = scripted.or_else(|| {
            let seeded = self.seeded.as_mut()?;
            let faults = if seeded.honest { honest_faults(on) } else { file_faults(on) };
            seeded.pick(faults)
        });
        self.count(on, fault);
        fault
    }

    pub(super) fn sync(&mut self) -> bool {
        let refused = next(&mut self.sync, ()).is_some();
        self.count("Sync", refused.then_some("Refused"));
        refused
    }

    pub(super) fn object(&mut self, on: ObjectOperation) -> Option<ObjectFault> {
        if self.away > 0 {
            self.away -= 1;
            self.count(on, Some(ObjectFault::ErrorBefore));
            return Some(ObjectFault::ErrorBefore);
        }
        let scripted = next(&mut self.object, on);
        let fault = scripted.or_else(|| self.seeded.as_mut()?.pick(object_faults(on)));
        self.count(on, fault);
        if let Some(ObjectFault::Away(operations)) = fault {
            self.away = operations;
        }
        fault
    }
}

/// Counts one operation; the first fault that is due.
fn next<O: Copy + PartialEq, F: Copy>(scripts: &mut [Scripted<O, F>], on: O) -> Option<F> {
    let mut due = None;
    for script in scripts.iter_mut().filter(|script| script.on == on) {
        if script.passes > 0 {
            script.passes -= 1;
        } else if script.times > 0 {
            script.times -= 1;
            due = due.or(Some(script.fault));
        }
    }
    due
}

impl Seeded {
    fn pick<F: Copy>(&mut self, faults: &[F]) -> Option<F> {
        let hit = !faults.is_empty() && self.random.below(self.one_in) == 0;
        hit.then(|| faults[self.random.below(faults.len() as u64) as usize])
    }
}

fn file_faults(on: FileOperation) -> &'static [FileFault] {
    use FileFault::{ErrorAfter, ErrorBefore, Lost, Misdirected, Rot, Short, Stale};
    match on {
        FileOperation::Read => &[ErrorBefore, Stale, Rot],
        FileOperation::Write => &[ErrorBefore, ErrorAfter, Short, Lost, Misdirected(1)],
        FileOperation::Flush | FileOperation::Create | FileOperation::Remove => &[ErrorBefore, ErrorAfter],
        FileOperation::Open | FileOperation::List => &[ErrorBefore],
    }
}

fn honest_faults(on: FileOperation) -> &'static [FileFault] {
    use FileFault::{ErrorAfter, ErrorBefore, Full, Short};
    match on {
        FileOperation::Read | FileOperation::Open | FileOperation::List => &[ErrorBefore],
        FileOperation::Write => &[ErrorBefore, ErrorAfter, Short, Full],
        FileOperation::Create => &[ErrorBefore, ErrorAfter, Full],
        FileOperation::Flush | FileOperation::Remove => &[ErrorBefore, ErrorAfter],
    }
}

fn object_faults(on: ObjectOperation) -> &'static [ObjectFault] {
    use ObjectFault::{Away, Duplicate, ErrorBefore, Lagging, Late, LostAnswer};
    match on {
        ObjectOperation::Create
        | ObjectOperation::Put
        | ObjectOperation::Replace
        | ObjectOperation::Delete => &[ErrorBefore, LostAnswer, Late(3), Duplicate, Away(3)],
        ObjectOperation::List => &[ErrorBefore, Lagging(3), Away(3)],
        ObjectOperation::Read | ObjectOperation::Probe => &[ErrorBefore, Away(3)],
    }
}
