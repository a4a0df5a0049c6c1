//! The input, dealt to lanes round robin a batch at a time, at a rate if one was asked for.
//!
//! A chunk goes out when it is large, and whenever the next record may have to be waited for: a slow producer's record is
//! committed when it comes. Memory: a few chunks a lane.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::cli::ending::Failure;
use crate::cli::figures::count;
use crate::cli::input::Input;
use crate::cli::output;

/// Chunks that wait for a lane; then the input waits.
pub(super) const CHUNKS_WAITING_MAX: usize = 2;
const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_RECORDS: usize = 1_024;
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Records on their way to a lane.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    /// Exclusive end of each record.
    ends: Vec<usize>,
}

impl Chunk {
    /// The records, in order.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES || self.ends.len() >= CHUNK_RECORDS
    }
}

/// When each record is due.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<f64>,
    since: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>) -> Self {
        Pace { rate, since: Instant::now() }
    }

    /// How long record `index` has to wait.
    fn wait(&self, index: u64) -> Option<Duration> {
        let due = Duration::try_from_secs_f64(index as f64 / self.rate?).unwrap_or(Duration::MAX);
        due.checked_sub(self.since.elapsed()).filter(|wait| !wait.is_zero())
    }
}

/// A lane that takes no more: its thread knows why.
struct LaneEnded;

pub(super) struct Dealer {
    input: Input,
    lanes: Vec<(SyncSender<Chunk>, Chunk)>,
    batch: u64,
    pace: Pace,
    progress: Option<Instant>,
    dealt: u64,
}

impl Dealer {
    pub(super) fn new(
        input: Input,
        lanes: Vec<SyncSender<Chunk>>,
        batch: u64,
        pace: Pace,
        progress: bool,
    ) -> Self {
        let lanes = lanes.into_iter().map(|lane| (lane, Chunk::default())).collect();
        Dealer { input, lanes, batch, pace, progress: progress.then(Instant::now), dealt: 0 }
    }

    /// Deals everything. When a lane has ended it ends as well: the lane has the reason.
    ///
    /// # Errors
    /// What is wrong with the input; all before it was dealt.
    pub(super) fn deal(mut self) -> Result<(), Failure> {
        let dealt = loop {
            match self.deal_one() {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break Ok(()),
                Ok(Err(failure)) => break Err(failure),
                Err(LaneEnded) => return Ok(()),
            }
        };
        // A lane that ended has the reason.
        drop(self.send_all());
        if self.progress.is_some() {
            output::tell(format_args!("\r{} records{:20}", count(self.dealt), ""));
        }
        dealt
    }

    fn deal_one(&mut self) -> Result<Result<bool, Failure>, LaneEnded> {
        if self.input.would_wait() {
            self.send_all()?;
        }
        if let Some(wait) = self.pace.wait(self.dealt) {
            self.send_all()?;
            std::thread::sleep(wait);
        }
        let lane = ((self.dealt / self.batch) % self.lanes.len() as u64) as usize;
        let (sender, chunk) = &mut self.lanes[lane];
        match self.input.next(&mut chunk.bytes) {
            Ok(true) => chunk.ends.push(chunk.bytes.len()),
            end => return Ok(end),
        }
        if chunk.is_full() {
            sender.send(std::mem::take(chunk)).map_err(|_| LaneEnded)?;
        }
        self.dealt += 1;
        self.report();
        Ok(Ok(true))
    }

    fn send_all(&mut self) -> Result<(), LaneEnded> {
        for (sender, chunk) in self.lanes.iter_mut().filter(|(_, chunk)| !chunk.ends.is_empty()) {
            sender.send(std::mem::take(chunk)).map_err(|_| LaneEnded)?;
        }
        Ok(())
    }

    fn report(&mut self) {
        if !self.dealt.is_multiple_of(64) {
            return;
        }
        if let Some(last) = self.progress.as_mut().filter(|last| last.elapsed() >= PROGRESS_EVERY) {
            *last = Instant::now();
            let rate = self.dealt as f64 / self.pace.since.elapsed().as_secs_f64();
            output::progress(format_args!(
                "\r{} records, {} a second  ",
                count(self.dealt),
                count(rate as u64)
            ));
        }
    }
}
