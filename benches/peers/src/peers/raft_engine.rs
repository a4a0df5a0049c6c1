//! raft-engine: a raft group a thread, in one shared log; an entry is an index and the record.

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "raft-engine",
    about: || format!("{}, sync=true, a group a thread", locked("raft-engine")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Raft(engine(place)?))),
    read: Some(read),
};

const INDEX_BYTES: usize = size_of::<u64>();

struct Raft(Engine);

struct Turn<'a> {
    engine: &'a Engine,
    group: u64,
    next: u64,
    batch: LogBatch,
}

/// The index, then the record.
struct Indexed;

impl MessageExt for Indexed {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.value.first_chunk().map_or(0, |index| u64::from_le_bytes(*index))
    }
}

fn engine(place: &Place) -> Outcome<Engine> {
    Ok(Engine::open(Config { dir: place.dir.display().to_string(), ..Config::default() })?)
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (engine, mut found) = (engine(place)?, Vec::new());
    let (Some(first), Some(last)) = (engine.first_index(1), engine.last_index(1)) else {
        return Ok(Vec::new());
    };
    engine.fetch_entries_to::<Indexed>(1, first, last + 1, None, &mut found)?;
    Ok(found.iter().flat_map(|entry| &entry.value[INDEX_BYTES..]).copied().collect())
}

impl Peer for Raft {
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>> {
        let group = nth as u64 + 1;
        let next = self.0.last_index(group).unwrap_or(0) + 1;
        Ok(Box::new(Turn { engine: &self.0, group, next, batch: LogBatch::default() }))
    }
}

impl Writer for Turn<'_> {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        for record in records {
            let mut entry = BytesValue::new();
            entry.value.reserve_exact(INDEX_BYTES + record.len());
            entry.value.extend_from_slice(&self.next.to_le_bytes());
            entry.value.extend_from_slice(record);
            self.next += 1;
            self.batch.add_entries::<Indexed>(self.group, &[entry])?;
        }
        self.engine.write(&mut self.batch, true)?;
        Ok(())
    }
}
