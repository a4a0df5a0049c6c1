//! The yardstick on the tail's medium: copy, CLWB, SFENCE, in a mapped file, a part of it for each thread.

use std::sync::{Mutex, MutexGuard};

use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MapOptions, Mapped, MediumAsk, Tail};

use crate::peer::{Kind, Medium, Outcome, Peer, Place, When, Writer};

/// Of each thread's part.
const BYTES: u64 = 64 << 20;

pub const KIND: Kind = Kind {
    name: "raw loop",
    about: || "copy, CLWB, SFENCE; a record a commit, always".into(),
    on: &[Medium::Tail],
    when: When::Always,
    by_file: false,
    open,
    read: None,
};

struct RawTail(Vec<Mutex<Raw>>);

struct Turn<'a>(MutexGuard<'a, Raw>);

fn open(place: &Place) -> Outcome<Box<dyn Peer>> {
    let ask = if place.emulated { MediumAsk::Emulated } else { MediumAsk::Auto };
    let options = MapOptions { ask, ..MapOptions::default() };
    let tail =
        std::sync::Arc::new(Mapped::create(place.dir.join("raw"), place.threads as u64 * BYTES, &options)?);
    let lane = |nth: usize| Ok(Mutex::new(Raw::new(tail.lane(nth as u64 * BYTES, BYTES)?)));
    Ok(Box::new(RawTail((0..place.threads).map(lane).collect::<Outcome<_>>()?)))
}

impl Peer for RawTail {
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>> {
        let raw = self.0[nth].lock().map_err(|_| "a turn before this one panicked")?;
        Ok(Box::new(Turn(raw)))
    }
}

impl Writer for Turn<'_> {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        Ok(self.0.write_back(records[0])?)
    }
}
