//! One lane's thread: appends, commits, acknowledges.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::deal::Chunk;
use crate::cli::ending::Failure;
use crate::cli::input::{Framing, place};
use crate::cli::latency::Latencies;
use crate::durability::{Commit, Durability};
use crate::number::Lane;
use crate::writer::Writer;

/// What one lane is to do.
#[derive(Debug)]
pub(super) struct LaneWork {
    /// Which of the `places` this lane has in the dealing.
    pub(super) place: u64,
    pub(super) places: u64,
    pub(super) batch: u64,
    pub(super) level: Durability,
    pub(super) stream: u32,
    pub(super) acks: Option<Arc<File>>,
    /// The input, as errors name it.
    pub(super) name: String,
    pub(super) framing: Framing,
}

/// What came of it: what was committed.
#[derive(Debug)]
pub(super) struct LaneDone {
    pub(super) lane: Lane,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) commits: u64,
    /// From a batch's first append to the return of its commit, without waiting for input.
    pub(super) latencies: Latencies,
    /// Where in the input it stopped, and why.
    pub(super) failure: Option<(u64, Failure)>,
}

impl Default for LaneDone {
    fn default() -> Self {
        let latencies = Latencies::new();
        LaneDone { lane: Lane(0), records: 0, bytes: 0, commits: 0, latencies, failure: None }
    }
}

/// The batch that is being built.
#[derive(Debug)]
struct Batch {
    records: u64,
    bytes: u64,
    since: Instant,
    waited: Duration,
}

impl LaneWork {
    /// Takes chunks until there are no more, or until something fails; what was not committed then is taken back.
    pub(super) fn run(self, writer: &mut Writer, chunks: &Receiver<Chunk>) -> LaneDone {
        let mut done = LaneDone { lane: writer.lane(), ..LaneDone::default() };
        let mut batch = None;
        if let Err(failure) = self.take_all(writer, chunks, &mut done, &mut batch) {
            let taken = done.records + batch.as_ref().map_or(0, |batch| batch.records);
            done.failure = Some((self.index(taken), failure));
        }
        done
    }

    fn take_all(
        &self,
        writer: &mut Writer,
        chunks: &Receiver<Chunk>,
        done: &mut LaneDone,
        batch: &mut Option<Batch>,
    ) -> Result<(), Failure> {
        loop {
            let asked = Instant::now();
            let Ok(chunk) = chunks.recv() else { break };
            if let Some(batch) = batch {
                batch.waited += asked.elapsed();
            }
            for record in chunk.records() {
                self.take(writer, record, done, batch)?;
            }
        }
        match batch.take() {
            Some(last) => self.commit(writer, last, done),
            None => Ok(()),
        }
    }

    fn take(
        &self,
        writer: &mut Writer,
        record: &[u8],
        done: &mut LaneDone,
        batch: &mut Option<Batch>,
    ) -> Result<(), Failure> {
        let open = batch.get_or_insert_with(|| Batch {
            records: 0,
            bytes: 0,
            since: Instant::now(),
            waited: Duration::ZERO,
        });
        let appended = writer.append(self.stream, record);
        appended.map_err(|error| self.failed(done.records + open.records, &error))?;
        open.records += 1;
        open.bytes += record.len() as u64;
        match batch.take_if(|batch| batch.records == self.batch) {
            Some(full) => self.commit(writer, full, done),
            None => Ok(()),
        }
    }

    fn commit(&self, writer: &mut Writer, batch: Batch, done: &mut LaneDone) -> Result<(), Failure> {
        let last = done.records + batch.records - 1;
        let commit = writer.commit(self.level).map_err(|error| self.failed(last, &error))?;
        done.latencies.record(batch.since.elapsed().saturating_sub(batch.waited).as_nanos());
        done.records += batch.records;
        done.bytes += batch.bytes;
        done.commits += 1;
        self.acknowledge(done.lane, self.index(last), &commit)
    }

    /// One write(2), so that it is out before anything else happens, and whole.
    fn acknowledge(&self, lane: Lane, index: u64, commit: &Commit) -> Result<(), Failure> {
        let Some(acks) = &self.acks else { return Ok(()) };
        let line = format!("ack lane={lane} index={index} lsn={} gsn={}\n", commit.at, commit.stamp.gsn);
        // A reader that is gone is a failure here: somebody counted on these lines.
        (&**acks).write_all(line.as_bytes()).map_err(Failure::io("acknowledgements on standard output"))
    }

    /// The place in the input of this lane's record number `own`.
    fn index(&self, own: u64) -> u64 {
        (own / self.batch * self.places + self.place) * self.batch + own % self.batch
    }

    fn failed(&self, own: u64, error: &crate::error::Error) -> Failure {
        Failure::Failed(format!("{}: {error}", place(&self.name, self.framing, self.index(own))))
    }
}
