//! Bandwidth from end to end of a file, past the page cache: 1 MiB at a time, eight in flight.

use std::time::Duration;

use tierlog_tiers::nvme::trial::{QueueOptions, TrialFile, TrialQueue, TrialSync};

use super::tally::Tally;
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::Sweep;

const FILE_BYTES: u64 = 256 << 20;
const SIZE: usize = 1 << 20;
const DEPTH: usize = 8;

struct Stream;

pub(super) fn probes(_: &Sweep) -> Vec<Box<dyn Probe>> {
    vec![Box::new(Stream)]
}

impl Probe for Stream {
    fn title(&self) -> String {
        "bandwidth, 1 MiB at a time".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        // Whole passes at 500 MB/s, three a run at least: one to make the file.
        let nvme_bytes = FILE_BYTES * u64::from(pace.runs + 1);
        let time = Duration::from_millis(500 * u64::from(2 * pace.runs + 1));
        Estimate { time, tail_bytes: 0, nvme_bytes }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (0, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let file = TrialFile::create(&session.nvme_dir.join("trial"), FILE_BYTES)?;
        let options = QueueOptions { depth: DEPTH, size_bytes: SIZE, registered: false, polled: false };
        let mut queue = TrialQueue::open(file.writer(TrialSync::Nothing)?, options)?;
        let flusher = file.writer(TrialSync::Nothing)?;
        let (mut written, mut read) = (Tally::default(), Tally::default());
        let operations = FILE_BYTES / SIZE as u64;
        for round in 0..session.pace.runs {
            let start = session.ticks.now();
            pass(&mut queue, TrialQueue::write)?;
            flusher.flush()?;
            written.round(operations, session.ticks.since(start));
            let start = session.ticks.now();
            pass(&mut queue, TrialQueue::read)?;
            read.round(operations, session.ticks.since(start));
            (session.progress)(f64::from(round + 1) / f64::from(session.pace.runs));
        }
        let at = Point { size_bytes: Some(SIZE as u64), depth: Some(DEPTH as u32), ..Point::default() };
        let figure = |by: &str, promise: &str, tally: &Tally| {
            let mut figure = Figure::new(Group::Device, "stream", by, at.clone(), "nvme", promise);
            tally.fill(&mut figure, SIZE as u64, None);
            figure
        };
        let writes = figure("writes, one flush at the end", session.grounds.nvme_promise, &written);
        Ok(vec![writes, figure("reads", NOTHING, &read)])
    }
}

/// The whole file once.
fn pass(
    queue: &mut TrialQueue,
    mut request: impl FnMut(&mut TrialQueue, usize, u64) -> std::io::Result<()>,
) -> std::io::Result<()> {
    for slot in 0..DEPTH {
        request(queue, slot, (slot * SIZE) as u64)?;
    }
    for at in (DEPTH * SIZE..FILE_BYTES as usize).step_by(SIZE) {
        let slot = queue.finish()?;
        request(queue, slot, at as u64)?;
    }
    (0..DEPTH).try_for_each(|_| queue.finish().map(drop))
}
