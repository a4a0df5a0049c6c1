//! Walrus: a topic a thread. Where it lies is said by the environment: the parent of the log's directory.

use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "walrus",
    about: || format!("{}, SyncEach, a topic a thread", locked("walrus-rust")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Topics(open(place)?))),
    read: Some(read),
};

struct Topics(Walrus);

struct Turn<'a> {
    walrus: &'a Walrus,
    topic: String,
}

fn open(place: &Place) -> Outcome<Walrus> {
    let parent = std::env::var_os("WALRUS_DATA_DIR");
    if parent.as_deref() != place.dir.parent().map(|parent| parent.as_os_str()) {
        return Err("WALRUS_DATA_DIR is not the directory to measure in".into());
    }
    let key = place.dir.file_name().ok_or("a directory without a name")?.to_string_lossy();
    let reads = ReadConsistency::AtLeastOnce { persist_every: 1000 };
    Ok(Walrus::with_consistency_and_schedule_for_key(&key, reads, FsyncSchedule::SyncEach)?)
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (walrus, mut all) = (open(place)?, Vec::new());
    while let Some(entry) = walrus.read_next("0", true)? {
        all.extend(entry.data);
    }
    Ok(all)
}

impl Peer for Topics {
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(Turn { walrus: &self.0, topic: nth.to_string() }))
    }
}

impl Writer for Turn<'_> {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        match records {
            [one] => self.walrus.append_for_topic(&self.topic, one)?,
            several => self.walrus.batch_append_for_topic(&self.topic, several)?,
        }
        Ok(())
    }
}
