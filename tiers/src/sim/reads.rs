//! What was read of what came over from before the crash.
//!
//! Two states that differ only in what is never read are one to whoever recovers.

use std::collections::HashSet;

use super::image::LINE_BYTES;
use super::model::Model;
use crate::nvme::FileName;
use crate::object::Name;

/// A part of a world that a crash leaves in one of several states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    Line {
        tail: u32,
        line: u32,
    },
    Tail {
        tail: u32,
    },
    Sector {
        file: u32,
        sector: u64,
    },
    /// Whether the file is there, and how long.
    Name {
        file: u32,
    },
    /// Anything of a file.
    File {
        file: u32,
    },
    Object {
        name: Name,
    },
    /// Which data objects there are.
    ObjectList,
    /// Anything of the store.
    Objects,
}

/// Places in the order in which they were first read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    pub(super) order: Vec<Place>,
    /// Read already, or overwritten before anybody read them.
    known: HashSet<Place>,
}

impl Reads {
    fn read(&mut self, place: Place) {
        if self.known.insert(place) {
            self.order.push(place);
            match place {
                Place::Sector { file, .. } | Place::Name { file } => self.read(Place::File { file }),
                Place::Object { .. } | Place::ObjectList => self.read(Place::Objects),
                _ => {}
            }
        }
    }

    pub(super) fn tail(&mut self, tail: u32, at: u64, len: u64) {
        for line in super::model::lines(at, len) {
            self.read(Place::Line { tail, line });
        }
    }

    pub(super) fn tail_opened(&mut self, tail: u32) {
        self.read(Place::Tail { tail });
    }

    /// Whole lines were overwritten.
    pub(super) fn tail_stored(&mut self, tail: u32, at: u64, len: u64) {
        let whole = at.div_ceil(LINE_BYTES)..(at + len) / LINE_BYTES;
        self.known.extend(whole.map(|line| Place::Line { tail, line: line as u32 }));
    }

    pub(super) fn file(&mut self, file: u32, at: u64, len: u64, sector_bytes: u64) {
        (at / sector_bytes..(at + len).div_ceil(sector_bytes))
            .for_each(|sector| self.read(Place::Sector { file, sector }));
    }

    pub(super) fn file_written(&mut self, file: u32, at: u64, len: u64, sector_bytes: u64) {
        let sectors = at / sector_bytes..(at + len) / sector_bytes;
        self.known.extend(sectors.map(|sector| Place::Sector { file, sector }));
    }

    /// A name was looked up, or all of a directory.
    pub(super) fn names(&mut self, model: &Model, nvme: u32, name: Option<FileName>) {
        let asked =
            |file: &super::model::FileModel| file.nvme == nvme && name.is_none_or(|name| name == file.name);
        for file in model.files.iter().filter(|(_, file)| asked(file)).map(|(file, _)| *file) {
            self.read(Place::Name { file });
        }
    }

    pub(super) fn object(&mut self, name: Name) {
        self.read(Place::Object { name });
    }

    pub(super) fn object_list(&mut self) {
        self.read(Place::ObjectList);
    }
}
