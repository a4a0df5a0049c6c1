//! A hash of what a recovery sees of a world.

use crate::nvme::FileName;
use crate::object::Name;
use crate::sim::image::hash_words;
use crate::sim::model::{Model, Presence};

/// The sum of the hashes of its parts.
pub(super) fn hash(model: &Model) -> u128 {
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
            FileName::Superblock => 1 << 32,
            FileName::Watermarks => 2 << 32,
            FileName::Slots => 3 << 32,
            FileName::Reserve => 4 << 32,
            FileName::Segment(number) => u64::from(number),
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
fn words(kind: u64, name: Name, body: &[u8]) -> Vec<u64> {
    let name = match name {
        Name::Base => [0; 4],
        Name::Number(number) => [1, number, 0, 0],
        Name::Data(it) => [2 | u64::from(it.epoch) << 32, it.incarnation, it.number, u64::from(it.index)],
    };
    let body_words =
        body.chunks(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    [kind, body.len() as u64].into_iter().chain(name).chain(body_words).collect()
}
