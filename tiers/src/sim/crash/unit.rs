//! The parts of a world that a crash leaves in one of several states, each independently of the others.
//!
//! Option 0 is always that nothing of what was under way took effect, [`Unit::full`] that all of it did.

use crate::nvme::BLOCK_BYTES;
use crate::sim::Crash;
use crate::sim::line::{LineStates, PendingLine};
use crate::sim::model::{FileModel, Made, Model, Name};
use crate::sim::reads::Place;

#[derive(Debug, Clone)]
pub(super) enum Unit {
    /// The content of a line.
    Line { tail: u32, line: u32, states: LineStates },
    /// Whether a tail is there: no, cut short, whole.
    Tail { tail: u32 },
    /// Which pending version of a sector is on the medium: by option, its place among them.
    Sector { file: u32, sector: u64, versions: Vec<usize>, full: usize },
    /// How many sectors of a write under way land.
    Write { file: u32, write: u64, sectors: u64 },
    /// Whether a file is there, and how long it is: by option.
    Name { file: u32, lens: Vec<Option<u64>> },
    /// Whether a request under way is applied: no, at once, late.
    Object { create: u64, number: u64, late: bool },
}

impl Unit {
    pub(super) fn count(&self) -> u128 {
        match self {
            Unit::Line { states, .. } => states.count(),
            Unit::Tail { .. } => 3,
            Unit::Sector { versions, .. } => versions.len() as u128 + 1,
            Unit::Write { sectors, .. } => u128::from(*sectors) + 1,
            Unit::Name { lens, .. } => lens.len() as u128,
            Unit::Object { late, .. } => 2 + u128::from(*late),
        }
    }

    pub(super) fn full(&self) -> u128 {
        match self {
            Unit::Line { states, .. } => states.full(),
            Unit::Sector { full, .. } => *full as u128,
            Unit::Object { .. } => 1,
            other => other.count() - 1,
        }
    }

    /// Where to look for the option. A write and a late request show in many places.
    pub(super) fn place(&self) -> Place {
        match self {
            Unit::Line { tail, line, .. } => Place::Line { tail: *tail, line: *line },
            Unit::Tail { tail } => Place::Tail { tail: *tail },
            Unit::Sector { file, sector, .. } => Place::Sector { file: *file, sector: *sector },
            Unit::Write { file, .. } => Place::File { file: *file },
            Unit::Name { file, .. } => Place::Name { file: *file },
            Unit::Object { late: true, .. } => Place::Objects,
            Unit::Object { number, .. } => Place::Object { number: *number },
        }
    }
}

/// What a crash at this moment leaves open.
pub(super) fn units(model: &Model, crash: Crash) -> Vec<Unit> {
    let mut units = Vec::new();
    if crash != Crash::Machine {
        tails(model, crash, &mut units);
        for (number, file) in &model.files {
            names(*number, file, crash, &mut units);
            match crash {
                Crash::Power => sectors(*number, file, &mut units),
                _ => writes(*number, file, &mut units),
            }
        }
    }
    objects(model, &mut units);
    units.retain(|unit| unit.count() > 1);
    units
}

fn tails(model: &Model, crash: Crash, units: &mut Vec<Unit>) {
    for (number, (tail, options)) in model.tails.iter().zip(&model.options.tails).enumerate() {
        let number = number as u32;
        if tail.made == Made::Making {
            units.push(Unit::Tail { tail: number });
        } else if crash == Crash::Power && !options.in_memory {
            for (line, pending) in &tail.pending {
                let states = pending.states(&tail.durable.line(u64::from(*line)));
                units.push(Unit::Line { tail: number, line: *line, states });
            }
        } else if let (Crash::Kill, Some(fresh)) = (crash, model.fresh) {
            for (line, pending) in &tail.pending {
                if let Some((before, after)) = split(pending, fresh) {
                    let mut content = tail.durable.line(u64::from(*line));
                    before.apply(&mut content);
                    units.push(Unit::Line { tail: number, line: *line, states: after.states(&content) });
                }
            }
        }
    }
}

/// The stores before the last event, and that one.
fn split(pending: &PendingLine, fresh: u64) -> Option<(PendingLine, PendingLine)> {
    let at = pending.atoms.iter().position(|atom| atom.event == fresh)?;
    let (before, after) = pending.atoms.split_at(at);
    Some((PendingLine { atoms: before.to_vec() }, PendingLine { atoms: after.to_vec() }))
}

fn names(number: u32, file: &FileModel, crash: Crash, units: &mut Vec<Unit>) {
    let len = file.len();
    let lens = match (file.name_state, crash) {
        (Name::Creating, _) | (Name::Unsynced, Crash::Power) => {
            let block = BLOCK_BYTES as u64;
            let mut lens = vec![None, Some(0), Some(block), Some(len / 2 / block * block), Some(len - block)];
            lens.push(Some(len));
            lens.sort_unstable();
            lens.dedup();
            lens
        }
        (Name::Sized, Crash::Power) => vec![None, Some(len)],
        (Name::Removing, _) | (Name::RemovedUnsynced, Crash::Power) => vec![Some(len), None],
        _ => return,
    };
    units.push(Unit::Name { file: number, lens });
}

fn sectors(number: u32, file: &FileModel, units: &mut Vec<Unit>) {
    for (sector, versions) in file.pending.iter().filter(|_| file.name_state != Name::Removed) {
        let mut durable = vec![0; file.sector_bytes as usize];
        file.durable.read(sector * file.sector_bytes, &mut durable);
        let content = |at: usize| versions[at].content(file.sector_bytes);
        let mut distinct: Vec<usize> = Vec::new();
        let mut full = 0;
        for at in 0..versions.len() {
            full = match distinct.iter().position(|other| content(*other) == content(at)) {
                _ if content(at) == durable => 0,
                Some(known) => known + 1,
                None => {
                    distinct.push(at);
                    distinct.len()
                }
            };
        }
        units.push(Unit::Sector { file: number, sector: *sector, versions: distinct, full });
    }
}

fn writes(number: u32, file: &FileModel, units: &mut Vec<Unit>) {
    for (write, (_, bytes)) in file.writes.iter().filter(|_| file.name_state != Name::Removed) {
        let sectors = bytes.len() as u64 / file.sector_bytes;
        units.push(Unit::Write { file: number, write: *write, sectors });
    }
}

fn objects(model: &Model, units: &mut Vec<Unit>) {
    let late = model.options.objects.late_operations.is_some();
    for (create, request) in &model.objects.requests {
        if !model.objects.objects.contains_key(&request.number) {
            units.push(Unit::Object { create: *create, number: request.number, late });
        }
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unit::Line { tail, line, .. } => write!(f, "tail{tail} line {line}"),
            Unit::Tail { tail } => write!(f, "tail{tail}"),
            Unit::Sector { file, sector, .. } => write!(f, "file{file} sector {sector}"),
            Unit::Write { file, write, .. } => write!(f, "file{file} write of event {write}"),
            Unit::Name { file, .. } => write!(f, "file{file} name"),
            Unit::Object { create, .. } => write!(f, "object request of event {create}"),
        }
    }
}
