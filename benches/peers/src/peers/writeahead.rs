//! writeahead: a thread of its own writes for all, who wait for it.

use futures::StreamExt;
use futures::executor::block_on;
use writeahead::{SimpleFile, WriteAhead, WriteAheadOptions, WriteHandle};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

pub const KIND: Kind = Kind {
    name: "writeahead",
    about: || format!("{}, its defaults (windows of 256 KiB written beforehand)", locked("writeahead")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Ahead(start(place)?))),
    read: Some(read),
};

struct Ahead(WriteAhead<SimpleFile>);

fn start(place: &Place) -> Outcome<WriteAhead<SimpleFile>> {
    let options = WriteAheadOptions { log_dir: place.dir.clone(), ..WriteAheadOptions::default() };
    let mut log = WriteAhead::with_options(options);
    log.start()?;
    Ok(log)
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (log, mut all) = (start(place)?, Vec::new());
    let mut stream = log.create_stream()?;
    while let Some(record) = block_on(stream.next()) {
        all.extend(record?.1);
    }
    Ok(all)
}

impl Peer for Ahead {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self.0.writer()?))
    }
}

impl Writer for WriteHandle {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        block_on(self.write_batch(records.iter().map(|record| record.to_vec()).collect()))?;
        Ok(())
    }
}
