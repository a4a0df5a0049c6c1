//! A log, and raw lanes beside it, in the directories of a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MapOptions, Mapped, MediumAsk, Tail};

use crate::bench::probe::{Measured, Session};
use crate::{Config, Cut, Epoch, LaneWatermarks, Log, Medium, Position, TailPlace};

/// Bytes of a tail segment.
const SEGMENT_BYTES: u64 = 4 << 20;
/// A frame's header.
pub const HEADER_BYTES: u64 = 32;
/// Between two looks at how far the drainer is.
const LOOK: Duration = Duration::from_micros(200);
/// A drainer that moves nothing for so long never will.
const STUCK: Duration = Duration::from_secs(10);

/// Bytes of the frame around a payload.
pub fn frame_bytes(payload: u64) -> u64 {
    (HEADER_BYTES + payload).next_multiple_of(64)
}

/// A log of `lanes` lanes with a ring of `ring_bytes` each, a multiple of 4 MiB from 16 to 256 MiB: its tail on the tail's
/// medium, the rest on the NVMe tier's.
pub fn config(session: &Session<'_>, lanes: u32, ring_bytes: u64) -> Config {
    let mut config = Config::new(session.nvme_dir.join("log"));
    config.tail.medium = match session.grounds.tail_ask {
        MediumAsk::Emulated => Medium::Emulated,
        MediumAsk::Auto => Medium::Auto,
        MediumAsk::Page => Medium::Page,
        MediumAsk::File => Medium::File,
    };
    config.tail.places = vec![TailPlace { path: session.tail_dir.join("tail"), node: None }];
    config.tail.lanes = Some(lanes);
    config.tail.segment_bytes = Some(SEGMENT_BYTES);
    config.tail.segments = Some((ring_bytes / SEGMENT_BYTES) as u32);
    config.nvme.accept_volatile = true;
    config
}

/// For another log beside that of `config`, which reads nothing back.
pub fn not_read_back(session: &Session<'_>, mut config: Config) -> Config {
    config.dir = session.nvme_dir.join("unread");
    config.tail.places[0].path = session.tail_dir.join("unread");
    config.nvme.read_back = false;
    config
}

/// A raw lane of `bytes` in a tail file of its own.
///
/// # Errors
/// As the system says.
pub fn raw(session: &Session<'_>, name: &str, bytes: u64) -> Measured<Raw> {
    Ok(Raw::new(raw_tail(session, name, bytes)?.lane(0, bytes)?))
}

/// A tail file of `bytes` for a raw lane, mapped and filled as a log's tail is.
///
/// # Errors
/// As the system says.
pub fn raw_tail(session: &Session<'_>, name: &str, bytes: u64) -> Measured<Arc<Mapped>> {
    let options = MapOptions { ask: session.grounds.tail_ask, ..MapOptions::default() };
    Ok(Arc::new(Mapped::create(session.tail_dir.join(name), bytes, &options)?))
}

/// An open log that is measured.
#[derive(Debug)]
pub struct Place {
    /// The log.
    pub log: Log,
    epoch: Epoch,
    /// Of the tail.
    segment_bytes: u64,
}

impl Place {
    /// Opens a log whose background work leaves `measuring` processors alone; the calling thread is on the first of them
    /// afterwards.
    ///
    /// # Errors
    /// The log's.
    pub fn open(session: &Session<'_>, config: Config, measuring: usize) -> Measured<Place> {
        let segment_bytes = config.tail.segment_bytes.unwrap_or(SEGMENT_BYTES);
        let (log, recovered) = session.cpus.in_background(measuring, || Log::open(config))??;
        session.cpus.take(0)?;
        Ok(Place { log, epoch: recovered.epoch, segment_bytes })
    }

    /// As [`given_back`](Place::given_back); then as [`trim`](Place::trim).
    ///
    /// # Errors
    /// A drainer that comes to nothing; the log's.
    pub fn settle(&self) -> Measured<()> {
        self.given_back()?;
        self.trim()
    }

    /// As [`drained`](Place::drained), and until its room in the tail is free again.
    ///
    /// # Errors
    /// A drainer that comes to nothing.
    pub fn given_back(&self) -> Measured<()> {
        let not_free = |mark: &LaneWatermarks| mark.published.0 - mark.drained.0 > self.segment_bytes;
        self.wait(|mark| mark.durable < mark.published || not_free(mark))
    }

    /// Gives up what is on NVMe.
    ///
    /// # Errors
    /// The log's.
    pub fn trim(&self) -> Measured<()> {
        let end = |mark: LaneWatermarks| Position { epoch: self.epoch, lane: mark.lane, lsn: mark.durable };
        Ok(self.log.checkpoint(&Cut::from(self.log.watermarks().into_iter().map(end).collect::<Vec<_>>()))?)
    }

    /// Waits until what was committed is on NVMe.
    ///
    /// # Errors
    /// A drainer that comes to nothing.
    pub fn drained(&self) -> Measured<()> {
        self.wait(|mark| mark.durable < mark.published)
    }

    /// Until no lane is behind.
    fn wait(&self, behind: impl Fn(&LaneWatermarks) -> bool) -> Measured<()> {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let marks = self.log.watermarks();
            if !marks.iter().any(&behind) {
                return Ok(());
            }
            let now = marks.iter().map(|mark| mark.durable.0 + mark.drained.0).sum();
            if now > before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > STUCK {
                return Err("nothing was drained for 10 s".into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends the log.
    ///
    /// # Errors
    /// The log's.
    pub fn close(self) -> Measured<()> {
        Ok(self.log.close()?)
    }
}
