//! open-wal: one writer a log, so threads share it behind a lock, or have a log each.

use std::sync::Mutex;

use open_wal::{Lsn, Wal, WalConfig};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, Split, When, Writer};
use crate::version::locked;

pub const SHARED: Kind = Kind {
    name: "open-wal",
    about: || format!("{}, one log behind a lock, segments of 64 MiB", locked("open-wal")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open,
    read: Some(read),
};

pub const SPLIT: Kind = Kind {
    name: "open-wal, a log each",
    about: || format!("{}, a log a thread, segments of 64 MiB", locked("open-wal")),
    when: When::Threads,
    open: |place| Split::open(place, open),
    read: Some(|place| read(&Place { dir: place.dir.join("0"), ..place.clone() })),
    ..SHARED
};

struct OpenWal(Mutex<Wal>);

fn wal(place: &Place) -> Outcome<Wal> {
    let config = WalConfig { segment_size: 64 << 20, ..WalConfig::default() };
    Ok(Wal::open(&place.dir, config)?.0)
}

fn open(place: &Place) -> Outcome<Box<dyn Peer>> {
    Ok(Box::new(OpenWal(Mutex::new(wal(place)?))))
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (wal, mut all) = (wal(place)?, Vec::new());
    let mut reader = wal.reader_from(Lsn(0))?;
    while let Some(record) = reader.next() {
        all.extend_from_slice(record?.1);
    }
    Ok(all)
}

impl Peer for OpenWal {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &OpenWal {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        let mut wal = self.0.lock().map_err(|_| "another thread panicked")?;
        for record in records {
            wal.append(record)?;
        }
        wal.commit()?;
        Ok(())
    }
}
