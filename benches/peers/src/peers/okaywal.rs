//! OkayWAL: threads share their syncs; segments are taken up again after a checkpoint, which is nothing here.

use std::io;
use std::sync::{Arc, Mutex};

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "okaywal",
    about: || format!("{}, segments of 64 MiB written beforehand, checkpoint at 48 MiB", locked("okaywal")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Okay(open(place, &Found::default())?))),
    read: Some(read),
};

struct Okay(WriteAheadLog);

/// What recovery finds.
#[derive(Debug, Clone, Default)]
struct Found(Arc<Mutex<Vec<u8>>>);

impl LogManager for Found {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let chunks = entry.read_all_chunks()?.unwrap_or_default();
        self.0.lock().map_err(|_| io::Error::other("another thread panicked"))?.extend(chunks.concat());
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Ok(())
    }
}

fn open(place: &Place, found: &Found) -> io::Result<WriteAheadLog> {
    let config = Configuration::default_for(&place.dir);
    config.preallocate_bytes(64 << 20).checkpoint_after_bytes(48 << 20).open(found.clone())
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let found = Found::default();
    open(place, &found)?.shutdown()?;
    Ok(found.0.lock().map_err(|_| "another thread panicked")?.clone())
}

impl Peer for Okay {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &Okay {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        let mut entry = self.0.begin_entry()?;
        for record in records {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }
}
