//! Changes of parts, and checksums made right behind them.

use std::collections::{BTreeMap, BTreeSet};

use tierlog::fuzz::{Segment, seal_block};
use tierlog::sim::World;
use tierlog_tiers::nvme::{BLOCK_BYTES, Block, Nvme, NvmeFile};
use tierlog_tiers::tail::Tail;

use super::parts::{Kind, Part, Place};
use crate::input::Input;

/// The checksum is left as it was.
const TORN: u8 = 0x80;

/// What is changed.
pub struct Edits<'a> {
    parts: &'a [Part],
    changed: BTreeMap<usize, Vec<u8>>,
    sealed: BTreeSet<usize>,
    gone: Vec<Place>,
}

impl<'a> Edits<'a> {
    /// Nothing yet.
    pub fn new(parts: &'a [Part]) -> Self {
        Edits { parts, changed: BTreeMap::new(), sealed: BTreeSet::new(), gone: Vec::new() }
    }

    /// One change: what is done, to which part, where in it, with which number.
    pub fn take(&mut self, input: &mut Input<'_>) {
        let (what, number, offset, value) =
            (input.u8(), self.part(input.u16().into()), input.u16(), input.u64());
        let other = self.bytes(self.part(value as usize)).to_vec();
        if what & TORN == 0 {
            self.sealed.insert(number);
        }
        let part = &self.parts[number];
        let bytes = self.changed.entry(number).or_insert_with(|| part.bytes.clone());
        let at = usize::from(offset) % bytes.len();
        let mut put = |at: usize, with: &[u8]| {
            let end = (at + with.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
        };
        match what % 8 {
            0 => put(at, &[value as u8]),
            1 => put(at & !3, &(value as u32).to_le_bytes()),
            2 => put(at & !7, &value.to_le_bytes()),
            3 => {
                let at = at & !7;
                let word = bytes
                    .get(at..at + 8)
                    .map_or(0, |word| u64::from_le_bytes(word.try_into().expect("eight")));
                let more = i64::from(value as i8) * if value & 0x100 == 0 { 64 } else { 1 };
                let sum = word.wrapping_add_signed(more).to_le_bytes();
                let end = (at + 8).min(bytes.len());
                bytes[at..end].copy_from_slice(&sum[..end - at]);
            }
            4 => bytes[at..].fill(0),
            5 => put(0, &other),
            6 => put(at & !63, &other),
            _ => self.gone.push(part.place),
        }
    }

    /// Puts bytes into a part, its checksum made right.
    #[cfg(test)]
    pub fn set(&mut self, number: usize, at: usize, bytes: &[u8]) {
        self.sealed.insert(number);
        let changed = self.changed.entry(number).or_insert_with(|| self.parts[number].bytes.clone());
        changed[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn part(&self, number: usize) -> usize {
        number % self.parts.len()
    }

    fn bytes(&self, number: usize) -> &[u8] {
        self.changed.get(&number).unwrap_or(&self.parts[number].bytes)
    }

    /// Puts all of it into a world where nobody has the log open.
    pub fn write(mut self, world: &World) {
        self.seal();
        for (number, bytes) in &self.changed {
            let part = &self.parts[*number];
            match part.place {
                Place::Tail => {
                    let tail = world.open_tail(0).expect("nobody has it open");
                    tail.write(part.at, bytes).expect("no fault is planned");
                }
                Place::File(name) => {
                    let file = world.nvme(0).open(name, true).expect("nobody has it open");
                    write_file(&*file, part.at, bytes);
                }
                Place::Object(name) => {
                    let whole = world.objects().read(name, None).expect("no fault is planned");
                    let mut whole = whole.expect("it was there");
                    whole[part.at as usize..][..bytes.len()].copy_from_slice(bytes);
                    world.set_object(name, Some(&whole));
                }
            }
        }
        for place in &self.gone {
            match place {
                Place::Tail => world.remove_tail(0),
                // It may be gone already.
                Place::File(name) => drop(world.nvme(0).remove(*name)),
                Place::Object(name) => world.set_object(*name, None),
            }
        }
    }

    /// Blocks first, then the frames of segments whose header is another one, then the frames that were changed.
    fn seal(&mut self) {
        for number in self.sealed.clone() {
            if self.parts[number].kind == Kind::Block
                && seal_block(self.changed.get_mut(&number).expect("changed"))
            {
                self.follow(number);
            }
        }
        for number in self.sealed.clone() {
            self.seal_frames(number);
        }
    }

    /// The frames behind a header.
    fn follow(&mut self, of: usize) {
        for (number, part) in self.parts.iter().enumerate() {
            if matches!(part.kind, Kind::Frames { header, .. } if header == of) {
                self.changed.entry(number).or_insert_with(|| part.bytes.clone());
                self.sealed.insert(number);
            }
        }
    }

    fn seal_frames(&mut self, number: usize) {
        let Kind::Frames { header, lsn } = self.parts[number].kind else { return };
        let was = Segment::read(&self.parts[header].bytes).expect("parts are whole");
        let Some(segment) = Segment::read(self.bytes(header)) else { return };
        let mut lsn = segment.first().wrapping_add(lsn - was.first());
        let in_tail = self.parts[number].place == Place::Tail;
        let mut rest = &mut self.changed.get_mut(&number).expect("changed")[..];
        while let Some(extent) = segment.seal_frame(lsn, rest) {
            let taken = if in_tail { extent.lsns } else { extent.media_bytes };
            // A pad takes nothing in a tail.
            let Some(behind) = rest.get_mut(taken as usize..).filter(|_| taken > 0) else { return };
            (rest, lsn) = (behind, lsn.wrapping_add(extent.lsns));
        }
    }
}

/// In whole blocks.
fn write_file(file: &dyn NvmeFile, at: u64, bytes: &[u8]) {
    let start = at - at % BLOCK_BYTES as u64;
    let end = (at + bytes.len() as u64).next_multiple_of(BLOCK_BYTES as u64);
    let mut run = Block::zeroed((end - start) as usize);
    file.read(start, &mut run).expect("no fault is planned");
    run[(at - start) as usize..][..bytes.len()].copy_from_slice(bytes);
    file.write_durable(start, &run).expect("no fault is planned");
}
