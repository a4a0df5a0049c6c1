//! What a world is at one moment: what programs see, what is durable, and what may become durable.
//!
//! Owns everything that survives a crash in some form. Invariant: it is changed by [`Model::apply`] alone, so a trace's
//! events make it again.

mod clock;
mod file;
mod object;
mod tail;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use clock::ClockModel;
pub(super) use file::{FileModel, LateWrite, Presence};
pub(super) use object::{ObjectModel, Request};
pub(super) use tail::{Made, TailModel, lines};

use super::event::{Event, Flushed};
use super::options::WorldOptions;
use crate::nvme::FileName;

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) options: Arc<WorldOptions>,
    pub(super) boot: u64,
    pub(super) tails: Vec<TailModel>,
    pub(super) files: BTreeMap<u32, FileModel>,
    pub(super) next_file: u32,
    /// Directories whose device is gone.
    pub(super) gone: Vec<bool>,
    /// Writes of a killed process that are yet to land.
    pub(super) late: Vec<LateWrite>,
    pub(super) objects: ObjectModel,
    pub(super) clock: ClockModel,
    /// Per thread what it flushed since its last fence: tail, line, event.
    flushed: BTreeMap<u32, Vec<(u32, u32, u64)>>,
    /// Per thread the lines it streamed to since its last fence.
    streamed: BTreeMap<u32, Vec<(u32, u32)>>,
    /// The last event, if it was a store: a crash may leave a part of it even where what is visible survives.
    pub(super) fresh: Option<u64>,
}

impl Model {
    pub(super) fn new(options: &WorldOptions) -> Model {
        Model {
            boot: options.seed,
            tails: options.tails.iter().map(TailModel::new).collect(),
            files: BTreeMap::new(),
            next_file: 0,
            gone: vec![false; options.nvme.len()],
            late: Vec::new(),
            objects: ObjectModel::default(),
            clock: ClockModel::new(&options.clock),
            flushed: BTreeMap::new(),
            streamed: BTreeMap::new(),
            fresh: None,
            options: Arc::new(options.clone()),
        }
    }

    /// The file that a name stands for.
    pub(super) fn named(&self, nvme: u32, name: FileName) -> Option<u32> {
        let mut there = self.files.iter().filter(|(_, file)| file.is_visible());
        there.find(|(_, file)| (file.nvme, file.name) == (nvme, name)).map(|(id, _)| *id)
    }

    /// Takes in event number `event`.
    pub(super) fn apply(&mut self, event: u64, what: &Event) {
        if self.fresh.take().is_some() {
            self.tails.iter_mut().for_each(TailModel::settle_visible);
        }
        match what {
            Event::Store { .. }
            | Event::Flush { .. }
            | Event::Fence { .. }
            | Event::Sync { .. }
            | Event::TailCreate { .. }
            | Event::TailCreated { .. }
            | Event::TailRemove { .. }
            | Event::Poison { .. } => self.apply_to_tail(event, what),
            Event::ObjectBegin { .. }
            | Event::ObjectApply { .. }
            | Event::ObjectEnd { .. }
            | Event::ObjectLook { .. }
            | Event::ObjectSet { .. } => self.objects.apply(event, what),
            Event::Time { .. } | Event::Step { .. } | Event::Jump { .. } | Event::Trust { .. } => {
                self.clock.apply(what);
            }
            Event::Note { .. } => {}
            _ => self.apply_to_files(event, what),
        }
    }

    fn apply_to_tail(&mut self, event: u64, what: &Event) {
        match what {
            Event::Store { thread, tail, at, bytes, how } => {
                let streamed = self.tails[*tail as usize].store(event, *thread, *at, bytes, *how);
                if let Some(lines) = streamed {
                    let lines = lines.map(|line| (*tail, line));
                    self.streamed.entry(*thread).or_default().extend(lines);
                }
                self.fresh = Some(event);
            }
            Event::Flush { thread, tail, at, len } => {
                let lines = lines(*at, *len).map(|line| (*tail, line, event));
                self.flushed.entry(*thread).or_default().extend(lines);
            }
            Event::Fence { thread, streams } => self.fence(event, *thread, *streams),
            Event::Sync { tail, at, len } => self.tails[*tail as usize].sync(*at, *len),
            Event::TailCreate { tail, len } => self.tails[*tail as usize].create(*len),
            Event::TailCreated { tail } => self.tails[*tail as usize].made = Made::Whole,
            Event::TailRemove { tail } => self.tails[*tail as usize].remove(),
            Event::Poison { tail, at, len } => self.tails[*tail as usize].poison.push(*at..at + len),
            _ => unreachable!("not an event of a tail: {what:?}"),
        }
    }

    fn fence(&mut self, event: u64, thread: u32, streams: bool) {
        for (tail, line, flush) in self.flushed.remove(&thread).unwrap_or_default() {
            self.tails[tail as usize].promote(line, |atom| atom.is_flushed(flush, thread));
        }
        if streams {
            for (tail, line) in self.streamed.remove(&thread).unwrap_or_default() {
                self.tails[tail as usize].promote(line, |atom| atom.is_streamed(event, thread));
            }
        }
    }

    fn apply_to_files(&mut self, event: u64, what: &Event) {
        match what {
            Event::FileCreate { nvme, name, len } => {
                let sector_bytes = self.options.nvme[*nvme as usize].sector_bytes;
                self.files.insert(self.next_file, FileModel::creating(*nvme, *name, *len, sector_bytes));
                self.next_file += 1;
            }
            Event::FileCreated { file, done: false, .. } => self.forget(*file),
            Event::FileCreated { file, done: true, synced } => {
                self.named_now(*file, *synced, Presence::Unsynced)
            }
            Event::FileRemove { file } => self.file(*file).presence = Presence::Removing,
            Event::FileRemoved { file, synced } => self.named_now(*file, *synced, Presence::RemovedUnsynced),
            Event::Write { file, at, bytes } => self.file(*file).begin(event, *at, bytes),
            Event::Written { write, outcome } => {
                if let Some(file) = self.files.values_mut().find(|file| file.writes.contains_key(write)) {
                    file.end(*write, *outcome);
                }
            }
            Event::FileFlush { file, outcome } => self.file(*file).flush(*outcome == Flushed::Durable),
            Event::Landed { write } => self.land(*write),
            Event::Rot { file, bit } => self.file(*file).rot(*bit),
            Event::Gone { nvme, gone } => self.gone[*nvme as usize] = *gone,
            _ => unreachable!("not an event of a file: {what:?}"),
        }
    }

    fn file(&mut self, file: u32) -> &mut FileModel {
        self.files.get_mut(&file).expect("events name files that are there")
    }

    /// A name was made or taken away; flushing the directory makes all its names durable.
    fn named_now(&mut self, file: u32, synced: bool, otherwise: Presence) {
        self.file(file).presence = otherwise;
        if synced {
            let nvme = self.file(file).nvme;
            for file in self.files.values_mut().filter(|file| file.nvme == nvme) {
                file.presence = file.presence.synced();
            }
        }
    }

    fn forget(&mut self, file: u32) {
        self.file(file).presence = Presence::Removed;
    }

    fn land(&mut self, write: u64) {
        if let Some(at) = self.late.iter().position(|late| late.write == write) {
            let late = self.late.remove(at);
            if let Some(file) = self.files.get_mut(&late.file) {
                file.begin(write, late.at, &late.bytes);
                file.end(write, super::event::Landing::Whole { durable: false });
            }
        }
    }

    /// The machine starts anew.
    pub(super) fn reboot(&mut self) {
        self.boot = self.boot.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.forget_threads();
    }

    /// Nobody is left to fence what was flushed or streamed.
    pub(super) fn forget_threads(&mut self) {
        self.flushed.clear();
        self.streamed.clear();
        self.fresh = None;
    }
}
