//! Small logs, and what is in them.

use std::path::Path;
use std::time::{Duration, Instant};

use tierlog::{Config, Cut, Durability, Error, Log, Medium, Merged, View};

/// Bytes of a tail segment of [`small`].
pub const SEGMENT_BYTES: usize = 64 << 10;
/// Segments of a ring of [`small`].
pub const SEGMENTS: usize = 4;

/// A record with everything that tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    pub gsn: u64,
    pub lane: u32,
    pub lsn: u64,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// With `TIERLOG_TEST_PROBED=1`, on a machine that has it, the memory that there is instead of an emulated one.
pub fn as_probed(medium: Medium) -> Medium {
    let probed = std::env::var_os("TIERLOG_TEST_PROBED").is_some_and(|value| value == "1");
    if probed && medium == Medium::Emulated { Medium::Auto } else { medium }
}

/// The smallest log there can be, of two lanes.
pub fn small(dir: &Path, medium: Medium) -> Config {
    let mut config = Config::new(dir);
    // Temporary directories may lie in memory.
    config.nvme.accept_volatile = true;
    config.tail.medium = as_probed(medium);
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(SEGMENT_BYTES as u64);
    config.tail.segments = Some(SEGMENTS as u32);
    config.nvme.segment_bytes = Some(128 << 10);
    config.nvme.spare_segments = 1;
    // An emulated machine's disk may stand still for long.
    config.tail.full_wait_ms_max = 60_000;
    config
}

/// The same where the directory is a copy.
pub fn adopted(dir: &Path, medium: Medium) -> Config {
    Config { adopt: true, ..small(dir, medium) }
}

/// Everything in merged order, up to the end or the first error.
pub fn drain(reader: tierlog::Result<Merged>) -> (Vec<Kept>, Option<Error>) {
    let mut kept = Vec::new();
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (kept, Some(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => kept.push(Kept {
                gsn: record.gsn.0,
                lane: record.lane.0,
                lsn: record.lsn.0,
                stream: record.stream,
                payload: record.payload.to_vec(),
            }),
            Ok(None) => return (kept, None),
            Err(error) => return (kept, Some(error)),
        }
    }
}

/// Everything that a log holds.
pub fn all(log: &Log) -> Vec<Kept> {
    let (kept, error) = drain(log.reader(&Cut::start()));
    assert!(error.is_none(), "{error:?} behind {} records", kept.len());
    kept
}

/// Opens the log, reads everything and closes it.
pub fn reopened(config: &Config) -> Vec<Kept> {
    let (log, _) = Log::open(config.clone()).unwrap();
    let kept = all(&log);
    log.close().unwrap();
    kept
}

/// Opens the log to look at it, and reads everything.
pub fn viewed(config: &Config) -> (Vec<Kept>, Option<Error>) {
    match View::open(config) {
        Ok(view) => drain(view.reader(&Cut::start())),
        Err(error) => (Vec::new(), Some(error)),
    }
}

/// Commits `batches` at Power, in two lanes by turns, of one to three records each of less than `bytes_max`.
pub fn fill(log: &Log, batches: usize, bytes_max: usize) {
    let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
    for batch in 0..batches {
        let writer = &mut writers[batch % 2];
        for record in 0..=batch % 3 {
            let payload: Vec<u8> =
                (0..(batch * 397 + record * 11) % bytes_max).map(|i| (i + batch) as u8).collect();
            writer.append(batch as u32, &payload).unwrap();
        }
        writer.commit(Durability::Power).unwrap();
    }
}

/// Waits until everything published is on NVMe.
pub fn drained(log: &Log) {
    let until = Instant::now() + Duration::from_secs(20);
    while log.watermarks().iter().any(|lane| lane.durable < lane.published) {
        assert!(Instant::now() < until, "not drained: {:?}", log.watermarks());
        std::thread::sleep(Duration::from_millis(1));
    }
}
