//! The parts of a world that a crash leaves in one of several states, each independently of the others.
//!
//! Option 0 is always that nothing of what was under way took effect, [`Unit::full`] that all of it did.

use std::sync::Arc;

use crate::nvme::BLOCK_BYTES;
use crate::object::Name;
use crate::sim::Crash;
use crate::sim::line::{LineStates, PendingLine};
use crate::sim::model::{FileModel, Made, Model, Presence};
use crate::sim::reads::Place;

#[derive(Debug, Clone)]
pub(super) enum Unit {
    /// The content of a line.
    Line { tail: u32, line: u32, states: LineStates },
    /// Whether a tail is there: no, whole.
    Tail { tail: u32 },
    /// Which pending version of a sector is on the medium: by option, its place among them.
    Sector { file: u32, sector: u64, versions: Vec<usize>, full: usize },
    /// How many sectors of a write under way land.
    Write { file: u32, write: u64, sectors: u64 },
    /// Whether a file is there, and how long it is: by option.
    Name { file: u32, lens: Vec<Option<u64>> },
    /// What became of the requests for an object under way.
    Object { name: Name, outcomes: Vec<Outcome>, full: usize },
}

impl Unit {
    pub(super) fn count(&self) -> u128 {
        match self {
            Unit::Line { states, .. } => states.count(),
            Unit::Tail { .. } => 2,
            Unit::Sector { versions, .. } => versions.len() as u128 + 1,
            Unit::Write { sectors, .. } => u128::from(*sectors) + 1,
            Unit::Name { lens, .. } => lens.len() as u128,
            Unit::Object { outcomes, .. } => outcomes.len() as u128,
        }
    }

    pub(super) fn full(&self) -> u128 {
        match self {
            Unit::Line { states, .. } => states.full(),
            Unit::Sector { full, .. } => *full as u128,
            Unit::Object { full, .. } => *full as u128,
            other => other.count() - 1,
        }
    }

    /// The tier: 0 tails, 1 files, 2 objects.
    pub(super) fn tier(&self) -> usize {
        match self {
            Unit::Line { .. } | Unit::Tail { .. } => 0,
            Unit::Sector { .. } | Unit::Write { .. } | Unit::Name { .. } => 1,
            Unit::Object { .. } => 2,
        }
    }

    /// Where the option shows.
    pub(super) fn places(&self) -> Vec<Place> {
        match self {
            Unit::Line { tail, line, .. } => vec![Place::Line { tail: *tail, line: *line }],
            Unit::Tail { tail } => vec![Place::Tail { tail: *tail }],
            Unit::Sector { file, sector, .. } => vec![Place::Sector { file: *file, sector: *sector }],
            Unit::Write { file, .. } => vec![Place::File { file: *file }],
            Unit::Name { file, .. } => vec![Place::Name { file: *file }],
            Unit::Object { outcomes, .. } if outcomes.iter().any(|it| !it.late.is_empty()) => {
                vec![Place::Objects]
            }
            Unit::Object { name, .. } => match name {
                Name::Data(_) => vec![Place::Object { name: *name }, Place::ObjectList],
                _ => vec![Place::Object { name: *name }],
            },
        }
    }
}

/// What may become of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) body: Option<Arc<[u8]>>,
    /// The requests that are yet to be applied.
    pub(super) late: Vec<u64>,
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
    let lens = match (file.presence, crash) {
        (Presence::Creating, _) | (Presence::Unsynced, Crash::Power) => {
            let block = BLOCK_BYTES as u64;
            let cut = [0, block.min(len), len / 2 / block * block, len.saturating_sub(block), len];
            let mut lens: Vec<Option<u64>> = cut.into_iter().map(Some).chain([None]).collect();
            lens.sort_unstable();
            lens.dedup();
            lens
        }
        (Presence::Sized, Crash::Power) => vec![None, Some(len)],
        (Presence::Removing, _) | (Presence::RemovedUnsynced, Crash::Power) => vec![Some(len), None],
        _ => return,
    };
    units.push(Unit::Name { file: number, lens });
}

fn sectors(number: u32, file: &FileModel, units: &mut Vec<Unit>) {
    for (sector, versions) in file.pending.iter().filter(|_| file.presence != Presence::Removed) {
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
    for (write, (_, bytes)) in file.writes.iter().filter(|_| file.presence != Presence::Removed) {
        let sectors = bytes.len() as u64 / file.sector_bytes;
        units.push(Unit::Write { file: number, write: *write, sectors });
    }
}

/// Of more requests for one name than this, the newest are lost.
const REQUESTS_MAX: usize = 6;

fn objects(model: &Model, units: &mut Vec<Unit>) {
    let mut names: Vec<Name> = model.objects.requests.values().map(|request| request.name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (outcomes, full) = outcomes(model, name);
        units.push(Unit::Object { name, outcomes, full });
    }
}

/// Each request is applied, lost or late, in the order in which they were made; the last outcome is not always the one
/// with all of them applied.
fn outcomes(model: &Model, name: Name) -> (Vec<Outcome>, usize) {
    let requests = model.objects.requests.iter().filter(|(_, request)| request.name == name);
    let mut all = model.objects.body(name);
    let mut outcomes = vec![Outcome { body: all.clone(), late: Vec::new() }];
    for (number, request) in requests.take(REQUESTS_MAX) {
        let change = |body: &Option<Arc<[u8]>>| match request.change.takes(body.as_deref()) {
            true => request.change.after(),
            false => body.clone(),
        };
        all = change(&all);
        let mut more: Vec<Outcome> =
            outcomes.iter().map(|before| Outcome { body: change(&before.body), ..before.clone() }).collect();
        if model.options.objects.late_operations.is_some() {
            let late = |before: &Outcome| [&before.late[..], &[*number]].concat();
            more.extend(outcomes.iter().map(|before| Outcome { late: late(before), ..before.clone() }));
        }
        for outcome in more {
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
    }
    let full = outcomes.iter().position(|outcome| outcome.late.is_empty() && outcome.body == all);
    (outcomes, full.unwrap_or(0))
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unit::Line { tail, line, .. } => write!(f, "tail{tail} line {line}"),
            Unit::Tail { tail } => write!(f, "tail{tail}"),
            Unit::Sector { file, sector, .. } => write!(f, "file{file} sector {sector}"),
            Unit::Write { file, write, .. } => write!(f, "file{file} write of event {write}"),
            Unit::Name { file, .. } => write!(f, "file{file} name"),
            Unit::Object { name, .. } => write!(f, "object {name}"),
        }
    }
}
