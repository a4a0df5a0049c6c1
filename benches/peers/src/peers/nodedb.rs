//! nodedb-wal: threads share their syncs through its group committer.

use std::path::PathBuf;
use std::sync::Mutex;

use nodedb_wal::group_commit::PendingWrite;
use nodedb_wal::reader::WalReader;
use nodedb_wal::writer::WalWriterConfig;
use nodedb_wal::{DwbMode, GroupCommitter, RecordType, WalWriter};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const O_DIRECT: Kind = Kind {
    name: "nodedb-wal",
    about: || format!("{}, its defaults (O_DIRECT, double writes)", locked("nodedb-wal")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| open(place, WalWriterConfig::default()),
    read: Some(read),
};

pub const BUFFERED: Kind = Kind {
    name: "nodedb-wal, page cache",
    about: || format!("{}, through the page cache, no double writes", locked("nodedb-wal")),
    open: |place| {
        let dwb_mode = Some(DwbMode::Off);
        open(place, WalWriterConfig { use_direct_io: false, dwb_mode, ..WalWriterConfig::default() })
    },
    ..O_DIRECT
};

struct NodeDb {
    writer: Mutex<WalWriter>,
    group: GroupCommitter,
}

fn path(place: &Place) -> PathBuf {
    place.dir.join("wal")
}

fn open(place: &Place, config: WalWriterConfig) -> Outcome<Box<dyn Peer>> {
    let writer = Mutex::new(WalWriter::open(&path(place), config)?);
    Ok(Box::new(NodeDb { writer, group: GroupCommitter::new() }))
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (mut reader, mut all) = (WalReader::open(&path(place))?, Vec::new());
    while let Some(record) = reader.next_record()? {
        all.extend(record.payload);
    }
    Ok(all)
}

impl Peer for NodeDb {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &NodeDb {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        let record_type = RecordType::Put as u32;
        if let [one] = records {
            let payload = one.to_vec();
            let write = PendingWrite { record_type, tenant_id: 1, vshard_id: 0, database_id: 0, payload };
            self.group.submit(&self.writer, write)?;
            return Ok(());
        }
        let mut writer = self.writer.lock().map_err(|_| "another thread panicked")?;
        for record in records {
            writer.append(record_type, 1, 0, 0, record)?;
        }
        Ok(writer.sync()?)
    }
}
