//! Records that say what had been acknowledged when they were written, by two writers; and what a log must still hold of
//! them.

use std::sync::atomic::{AtomicU64, Ordering};

use tierlog::host::Host;
use tierlog::{Cut, Durability, Log};

/// Writers of a log, each in a lane of its own.
pub const WRITERS: usize = 2;

/// Counts of a log's writers.
pub type Counts = [u64; WRITERS];

/// Commits batches, each of one to three records, and tells the writer's count after each acknowledgement, as long as
/// `acknowledge` wants more.
///
/// # Errors
/// Those of the log and of `acknowledge`.
pub fn commit_counted<H: Host>(
    log: &Log<H>,
    writer: usize,
    seen: &[AtomicU64; WRITERS],
    durability: Durability,
    mut acknowledge: impl FnMut(u64) -> Result<bool, String>,
) -> Result<(), String> {
    let mut lane = log.writer().map_err(|error| error.to_string())?;
    let mut count = seen[writer].load(Ordering::Acquire);
    loop {
        let size = 1 + count % 3;
        for part in 0..size {
            let others = [0, 1].map(|other| seen[other].load(Ordering::Acquire));
            let record = Record {
                writer: writer as u64,
                count: count + 1 + part,
                left: size - 1 - part,
                seen: others,
            };
            lane.append(writer as u32, &record.bytes()).map_err(|error| error.to_string())?;
        }
        lane.commit(durability).map_err(|error| error.to_string())?;
        count += size;
        seen[writer].store(count, Ordering::Release);
        if !acknowledge(count)? {
            return Ok(());
        }
    }
}

/// What a record says.
#[derive(Debug)]
struct Record {
    writer: u64,
    /// The writer's records up to this one.
    count: u64,
    /// Records of the batch that follow.
    left: u64,
    /// What was acknowledged when it was written.
    seen: Counts,
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        let words = [self.writer, self.count, self.left, self.seen[0], self.seen[1]];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        // Small ones, large ones, and all between.
        bytes.extend((0..self.count * 37 % 1_500).map(|i| (i ^ self.count) as u8));
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Record> {
        let word = |i: usize| Some(u64::from_le_bytes(bytes.get(i * 8..i * 8 + 8)?.try_into().ok()?));
        let record = Record { writer: word(0)?, count: word(1)?, left: word(2)?, seen: [word(3)?, word(4)?] };
        (record.bytes() == bytes).then_some(record)
    }
}

/// Reads the log: every writer's records without a gap, whole batches, everything acknowledged, and everything that a
/// record had seen. Gives up what lies below the acknowledged part, so that a life need not read all lives before.
///
/// # Errors
/// Those of the log, and in words what is missing or should not be there.
pub fn check<H: Host>(log: &Log<H>, acked: Counts) -> Result<Counts, String> {
    let mut reader = log.reader(&Cut::start()).map_err(|error| error.to_string())?;
    let (mut counts, mut left, mut needed): (Counts, Counts, Counts) = Default::default();
    // As far as everything was acknowledged long ago.
    let (mut old, mut all_acked) = (reader.position(), true);
    while let Some(record) = reader.next().map_err(|error| error.to_string())? {
        let what = Record::parse(record.payload).ok_or_else(|| format!("other bytes in {record:?}"))?;
        let writer = what.writer as usize;
        let count = counts.get_mut(writer).ok_or_else(|| format!("no such writer: {what:?}"))?;
        // The oldest ones may be gone, as far as they were acknowledged.
        let first = *count == 0 && what.count <= acked[writer] + 1;
        let follows = what.count == *count + 1 && (left[writer] == 0 || what.left == left[writer] - 1);
        if !first && !follows {
            return Err(format!("behind {count}, with {} left of its batch, comes {what:?}", left[writer]));
        }
        (*count, left[writer]) = (what.count, what.left);
        needed = [0, 1].map(|other| needed[other].max(what.seen[other]));
        // Some of each writer's stay: one that is not heard of again is told from one whose records are lost.
        all_acked &= what.count + 100 <= acked[writer];
        if all_acked {
            old = reader.position();
        }
    }
    if left != [0, 0] {
        return Err(format!("a batch in part: {left:?} records of it are not there"));
    }
    for writer in 0..WRITERS {
        if counts[writer] < acked[writer] || counts[writer] < needed[writer] {
            return Err(format!(
                "writer {writer}: {counts:?} of {acked:?} acknowledged, {needed:?} seen by others"
            ));
        }
    }
    drop(reader);
    log.checkpoint(&old).map_err(|error| error.to_string())?;
    Ok(counts)
}
