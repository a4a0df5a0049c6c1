//! redb: a key a record, a transaction a commit.

use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "redb",
    about: || format!("{}, Immediate", locked("redb")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Redb { db: database(place)?, next: AtomicU64::new(0) })),
    read: Some(read),
};

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

struct Redb {
    db: Database,
    next: AtomicU64,
}

fn database(place: &Place) -> Outcome<Database> {
    Ok(Database::create(place.dir.join("redb"))?)
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (db, mut all) = (database(place)?, Vec::new());
    for entry in db.begin_read()?.open_table(LOG)?.iter()? {
        all.extend_from_slice(entry?.1.value());
    }
    Ok(all)
}

impl Peer for Redb {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &Redb {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        let mut transaction = self.db.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(LOG)?;
            for record in records {
                table.insert(self.next.fetch_add(1, Ordering::Relaxed), *record)?;
            }
        }
        Ok(transaction.commit()?)
    }
}
