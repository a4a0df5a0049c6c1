//! fjall: a key a record, its journal synchronised by each write.

use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "fjall",
    about: || format!("{}, SyncData", locked("fjall")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(open(place)?)),
    read: Some(read),
};

struct Fjall {
    db: Database,
    log: Keyspace,
    next: AtomicU64,
}

fn open(place: &Place) -> Outcome<Fjall> {
    let db = Database::builder(&place.dir).open()?;
    let log = db.keyspace("log", KeyspaceCreateOptions::default)?;
    Ok(Fjall { db, log, next: AtomicU64::new(0) })
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (fjall, mut all) = (open(place)?, Vec::new());
    for entry in fjall.log.iter() {
        all.extend_from_slice(&entry.into_inner()?.1);
    }
    Ok(all)
}

impl Peer for Fjall {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &Fjall {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for record in records {
            let key = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            batch.insert(&self.log, key, *record);
        }
        Ok(batch.commit()?)
    }
}
