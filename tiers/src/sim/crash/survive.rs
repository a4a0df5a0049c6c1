//! From a world at the moment of a crash to what is left of it.

use std::sync::Arc;

use super::unit::Unit;
use crate::sim::Crash;
use crate::sim::event::Landing;
use crate::sim::image::Line;
use crate::sim::line::{Atom, Order};
use crate::sim::model::{FileModel, LateWrite, Made, Model, Presence, Request, TailModel};

/// What is left by a crash, each unit by its option; those that are not named by 0.
pub(super) fn survive(crash: Crash, model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    match crash {
        Crash::Kill => killed(model, units, choice),
        Crash::Power => unpowered(model, units, choice),
        Crash::Machine => lost(model, units, choice),
    }
}

/// The units, each with its option.
fn chosen<'a>(units: &'a [Unit], choice: &'a [(u32, u128)]) -> impl Iterator<Item = (&'a Unit, u128)> {
    units.iter().enumerate().map(move |(at, unit)| {
        let found = choice.binary_search_by_key(&(at as u32), |(unit, _)| *unit);
        (unit, found.map_or(0, |found| choice[found].1))
    })
}

fn unpowered(model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    let mut after = model.clone();
    after.reboot();
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
    after.tails.iter_mut().for_each(TailModel::orphan);
    after.files.values_mut().for_each(FileModel::orphan);
    settle_objects(&mut after);
    after
}

fn lost(model: &Model, units: &[Unit], choice: &[(u32, u128)]) -> Model {
    let mut after = model.clone();
    after.reboot();
    after.tails.iter_mut().for_each(TailModel::remove);
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
    let late = std::mem::take(&mut after.objects.requests).into_values().filter_map(|request| {
        let due = request.due.filter(|due| due & LATE != 0)?;
        Some(Request { due: Some(due & !LATE), ..request })
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
    let write = after.late.iter().map(|late| late.write).min().map_or(u64::MAX, |write| write - 1);
    after.late.push(LateWrite { write, file, at, bytes, due_ns });
}
