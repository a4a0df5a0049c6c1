//! Ours: `Power` on the tail's medium, and on a disk behind an ordinary tail.

use std::time::{Duration, Instant};

use tierlog::{Config, Cut, Durability, Log};

use super::{BOTH, DISK, OURS};
use crate::peer::{Kind, Medium, Outcome, Peer, Place, When, Writer};
use crate::version::locked;

/// How long the drain of one turn may take.
const SETTLE_MAX: Duration = Duration::from_secs(30);

pub const KIND: Kind = Kind {
    name: OURS,
    about: || format!("{}, Power, a lane a thread, 16 segments a ring", locked("tierlog")),
    on: BOTH,
    when: When::Always,
    by_file: false,
    open: |place| open(place, By::Lanes),
    read: Some(read),
};

pub const STREAMS: Kind = Kind {
    name: super::STREAMS,
    about: || "as tierlog; each record of a commit belongs to another stream".into(),
    on: BOTH,
    when: When::Records,
    by_file: false,
    open: |place| open(place, By::Streams),
    read: Some(read),
};

pub const SHARED: Kind = Kind {
    name: super::SHARED,
    about: || "as tierlog; all threads share one lane, and those that commit at the same time a write".into(),
    on: DISK,
    when: When::Threads,
    by_file: false,
    open: |place| open(place, By::OneLane),
    read: Some(read),
};

/// How threads write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Lanes,
    Streams,
    OneLane,
}

struct Ours {
    log: Log,
    by: By,
}

struct Turn {
    writer: tierlog::Writer,
    by: By,
}

struct Share(tierlog::Shared);

fn config(place: &Place) -> Config {
    let mut config = Config::new(&place.dir);
    config.tail.lanes = Some(place.threads as u32);
    config.tail.segments = Some(16);
    if place.medium == Medium::Tail {
        config.nvme.path = Some(place.nvme_dir.clone());
    }
    if place.emulated { config.emulated() } else { config }
}

fn open(place: &Place, by: By) -> Outcome<Box<dyn Peer>> {
    Ok(Box::new(Ours { log: Log::open(config(place))?.0, by }))
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (log, _) = Log::open(config(place))?;
    let mut reader = log.reader(&Cut::start())?;
    let mut all = Vec::new();
    while let Some(record) = reader.next()? {
        all.extend_from_slice(record.payload);
    }
    Ok(all)
}

impl Peer for Ours {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        if self.by == By::OneLane {
            return Ok(Box::new(Share(self.log.shared()?)));
        }
        Ok(Box::new(Turn { writer: self.log.writer()?, by: self.by }))
    }

    fn settle(&self) -> Outcome<()> {
        let began = Instant::now();
        while self.log.watermarks().iter().any(|lane| lane.durable < lane.published) {
            if began.elapsed() > SETTLE_MAX {
                return Err(format!("not drained within {SETTLE_MAX:?}: {:?}", self.log.watermarks()).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Writer for Turn {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        for (nth, record) in records.iter().enumerate() {
            self.writer.append(if self.by == By::Streams { nth as u32 } else { 0 }, record)?;
        }
        self.writer.commit(Durability::Power)?;
        Ok(())
    }
}

impl Writer for Share {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        self.0.commit(Durability::Power, |writer| {
            records.iter().try_for_each(|record| writer.append(0, record).map(drop))
        })?;
        Ok(())
    }
}
