//! wal-db: threads append without a lock, and share their syncs.

use wal_db::Wal;

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "wal-db",
    about: || format!("{}, one file, append_and_sync", locked("wal-db")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(WalDb(Wal::open(place.dir.join("wal"))?))),
    read: Some(read),
};

struct WalDb(Wal);

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (wal, mut all) = (Wal::open(place.dir.join("wal"))?, Vec::new());
    for record in wal.iter()? {
        all.extend_from_slice(record?.data());
    }
    Ok(all)
}

impl Peer for WalDb {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &WalDb {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        if let [one] = records {
            self.0.append_and_sync(one).map(drop)?;
            return Ok(());
        }
        for record in records {
            self.0.append(record).map(drop)?;
        }
        Ok(self.0.sync()?)
    }
}
