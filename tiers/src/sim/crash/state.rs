//! One state that a crash may leave.

use std::fmt;
use std::sync::Arc;

use super::unit::Unit;
use crate::sim::event::Landing;
use crate::sim::image::{Line, hash_words};
use crate::sim::line::{Atom, Order};
use crate::sim::model::{LateWrite, Made, Model, Presence};
use crate::sim::{Crash, World};

/// One state that a crash may leave, made.
#[derive(Clone)]
pub struct State {
    units: Arc<Vec<Unit>>,
    /// The options that are not 0, by unit.
    choice: Vec<(u32, u128)>,
    model: Arc<Model>,
}

impl State {
    pub(super) fn new(
        crash: Crash,
        model: &Model,
        units: &Arc<Vec<Unit>>,
        choice: Vec<(u32, u128)>,
    ) -> State {
        let model = match crash {
            Crash::Kill => killed(model, units, &choice),
            Crash::Power => unpowered(model, units, &choice),
            Crash::Machine => lost(model, units, &choice),
        };
        State { units: units.clone(), choice, model: Arc::new(model) }
    }

    /// A hash of what a recovery sees: the content of every tail, file and object, names, lengths, late I/O, the boot
    /// id. States with the same hash are the same but for the time, and for how often a line or a sector that is not
    /// durable has changed. 128 bits: that two others share it may be neglected.
    pub fn hash(&self) -> u128 {
        hash(&self.model)
    }

    /// A world of its own that begins in this state, with nobody in it, no plan of faults and an empty trace. Its clock
    /// goes on from the crash.
    pub fn world(&self) -> World {
        World::of(self.model.clone())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.choice.is_empty() {
            return f.write_str("nothing that was under way");
        }
        for (at, (unit, option)) in self.choice.iter().enumerate() {
            let sep = if at == 0 { "" } else { ", " };
            let unit = &self.units[*unit as usize];
            write!(f, "{sep}{unit}: {option} of {}", unit.count() - 1)?;
        }
        Ok(())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({self})")
    }
}

/// The units, each with its option.
fn chosen<'a>(units: &'a [Unit], choice: &[(u32, u128)]) -> impl Iterator<Item = (&'a Unit, u128)> {
    let choice = choice.to_vec();
    units.iter().enumerate().map(move |(at, unit)| {
        let found = choice.binary_search_by_key(&(at as u32), |(unit, _)| *unit);
        (unit, found.map_or(0, |found| choice[found].1))
    })
}

fn unpowered(model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    let mut after = model.clone();
    after.boot = after.boot.wrapping_add(0x9E37_79B9_7F4A_7C15);
    after.forget_threads();
    after.late.clear();
    for (tail, options) in after.tails.iter_mut().zip(&model.options.tails) {
        tail.pending.clear();
        if options.in_memory {
            tail.remove();
        }
    }
    after.files.retain(|_, file| file.presence != Presence::Removed);
    for file in after.files.values_mut() {
        file.pending.clear();
        file.writes.clear();
        file.presence = if file.is_visible() { Presence::Durable } else { Presence::Removed };
    }
    for (unit, option) in chosen(units, choice) {
        match unit {
            Unit::Line { tail, line, states } if option > 0 => {
                after.tails[*tail as usize].durable.set_line(u64::from(*line), &states.content(option));
            }
            Unit::Sector { file, sector, versions, .. } if option > 0 => {
                let version = &model.files[file].pending[sector][versions[option as usize - 1]];
                let file = after.files.get_mut(file).expect("a unit's file is there");
                // Not beyond the end of a file that was cut short.
                if (sector + 1) * file.sector_bytes <= file.durable.len() {
                    file.durable.write(sector * file.sector_bytes, version.content(file.sector_bytes));
                }
            }
            _ => resolve(&mut after, unit, option, Presence::Durable, Presence::Removed),
        }
    }
    after.tails.iter_mut().for_each(|tail| tail.visible = tail.durable.clone());
    for file in after.files.values_mut() {
        (file.visible, file.stale) = (file.durable.clone(), file.durable.clone());
    }
    settle_objects(&mut after);
    after
}

fn killed(model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    let mut after = model.clone();
    after.forget_threads();
    after.files.retain(|_, file| file.presence != Presence::Removed);
    for (unit, option) in chosen(units, choice) {
        match unit {
            Unit::Line { tail, line, states } => {
                cut_store(&mut after, model, *tail, *line, &states.content(option))
            }
            Unit::Write { file, write, .. } => land(&mut after, *file, *write, option as u64),
            _ => resolve(&mut after, unit, option, Presence::Unsynced, Presence::RemovedUnsynced),
        }
    }
    after.tails.iter_mut().for_each(crate::sim::model::TailModel::orphan);
    after.files.values_mut().for_each(crate::sim::model::FileModel::orphan);
    settle_objects(&mut after);
    after
}

fn lost(model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    let mut after = model.clone();
    after.boot = after.boot.wrapping_add(0x9E37_79B9_7F4A_7C15);
    after.forget_threads();
    after.tails.iter_mut().for_each(crate::sim::model::TailModel::remove);
    after.files.clear();
    after.late.clear();
    for (unit, option) in chosen(units, choice) {
        resolve(&mut after, unit, option, Presence::Durable, Presence::Removed);
    }
    settle_objects(&mut after);
    after
}

/// What is decided in the same way whatever the kind of crash.
fn resolve(after: &mut Model, unit: &Unit, option: u128, made: Presence, removed: Presence) {
    match unit {
        Unit::Tail { tail } => {
            let tail = &mut after.tails[*tail as usize];
            match option {
                0 => tail.remove(),
                1 => tail.made = Made::Short,
                _ => tail.made = Made::Whole,
            }
        }
        Unit::Name { file, lens } => {
            let file = after.files.get_mut(file).expect("a unit's file is there");
            match lens[option as usize] {
                None => file.presence = removed,
                Some(len) => {
                    file.presence = made;
                    if len < file.len() {
                        file.cut(len);
                    }
                }
            }
        }
        Unit::Object { name, outcomes, .. } => {
            let outcome = &outcomes[option as usize];
            after.objects.set(*name, outcome.body.clone());
            let due = after.options.objects.late_operations.unwrap_or(0);
            for late in &outcome.late {
                if let Some(request) = after.objects.requests.get_mut(late) {
                    request.due = Some(LATE | due);
                }
            }
        }
        _ => {}
    }
}

/// Marks requests that the crash made late.
const LATE: u64 = 1 << 63;

/// Requests that are not late are over; the others are numbered above all events to come.
fn settle_objects(after: &mut Model) {
    after.objects.operations = 0;
    after.objects.objects.values_mut().for_each(|object| object.made = 0);
    let late = std::mem::take(&mut after.objects.requests).into_values();
    let late = late.filter_map(|mut request| {
        request.due = Some(request.due? & !LATE).filter(|_| request.due.is_some_and(|due| due & LATE != 0));
        request.due.map(|_| request)
    });
    after.objects.requests = (0..).map(|at| u64::MAX - at).zip(late).collect();
}

/// Leaves only a part of the last store.
fn cut_store(after: &mut Model, before: &Model, tail: u32, line: u32, content: &Line) {
    let tail = &mut after.tails[tail as usize];
    tail.visible.set_line(u64::from(line), content);
    let Some(pending) = tail.pending.get_mut(&line) else { return };
    pending.atoms.retain(|atom| Some(atom.event) != before.fresh);
    let mut earlier = tail.durable.line(u64::from(line));
    pending.apply(&mut earlier);
    let mut order = Order::Next;
    for word in 0..8 {
        if earlier[word] != content[word] {
            let value = content[word];
            pending.atoms.push(Atom { event: 0, word: word as u8, mask: u64::MAX, value, order });
            order = Order::Same;
        }
    }
    if pending.atoms.is_empty() {
        tail.pending.remove(&line);
    }
}

/// Lands the first sectors of a write, now or late.
fn land(after: &mut Model, file: u32, write: u64, sectors: u64) {
    let late_ms = after.options.nvme[after.files[&file].nvme as usize].late_ms;
    let model = after.files.get_mut(&file).expect("a unit's file is there");
    let bytes = sectors * model.sector_bytes;
    let (at, body) = model.writes[&write].clone();
    if late_ms == 0 {
        return model.end(write, Landing::Part { bytes });
    }
    model.end(write, Landing::Nothing);
    // Also one that never lands holds its file until it has ended.
    let due_ns = after.clock.now_ns + late_ms * 1_000_000;
    let bytes: Arc<[u8]> = body[..bytes as usize].into();
    let write = u64::MAX - after.late.len() as u64;
    after.late.push(LateWrite { write, file, at, bytes, due_ns });
}

fn hash(model: &Model) -> u128 {
    let mut sum = hash_words(&[model.boot]);
    let mut add = |words: &[u64]| sum = sum.wrapping_add(hash_words(words));
    let halves = |hash: u128| [hash as u64, (hash >> 64) as u64];
    for (number, tail) in model.tails.iter().enumerate() {
        let ([a, b], [c, d]) = (halves(tail.visible.hash()), halves(tail.durable.hash()));
        add(&[1, number as u64, tail.made as u64, tail.visible.len(), a, b, c, d]);
        tail.poison.iter().for_each(|range| add(&[2, number as u64, range.start, range.end]));
    }
    for file in model.files.values().filter(|file| file.presence != Presence::Removed) {
        let ([a, b], [c, d]) = (halves(file.visible.hash()), halves(file.durable.hash()));
        let name = match file.name {
            crate::nvme::FileName::Superblock => 1 << 32,
            crate::nvme::FileName::Watermarks => 2 << 32,
            crate::nvme::FileName::Segment(number) => u64::from(number),
        };
        add(&[3, u64::from(file.nvme), name, file.presence as u64, file.len(), a, b, c, d]);
    }
    for late in &model.late {
        add(&[4, u64::from(late.file), late.at, late.bytes.len() as u64, late.write]);
    }
    for (name, object) in &model.objects.objects {
        add(&words(5, *name, &object.body));
    }
    for request in model.objects.requests.values() {
        add(&words(6, request.name, request.change.after().as_deref().unwrap_or_default()));
    }
    sum
}

/// An object as words to be hashed.
fn words(kind: u64, name: crate::object::Name, body: &[u8]) -> Vec<u64> {
    use crate::object::Name;
    let name = match name {
        Name::Base => [0; 4],
        Name::Number(number) => [1, number, 0, 0],
        Name::Data(it) => [2 | u64::from(it.epoch) << 32, it.incarnation, it.number, u64::from(it.index)],
    };
    let body_words =
        body.chunks(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    [kind, body.len() as u64].into_iter().chain(name).chain(body_words).collect()
}
