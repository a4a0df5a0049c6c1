//! Two writers, one order a commit, each commit measured.

use std::time::{Duration, Instant};

use super::compare::{LANES, compare, mismatch};
use super::flow::Flow;
use crate::cli::ending::Failure;
use crate::cli::latency::Latencies;
use crate::config::Config;
use crate::durability::Durability;
use crate::log::Log;
use crate::read::Cut;

/// What two writers measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) latencies: Latencies,
    pub(super) seconds: f64,
    /// How the log keeps `Power`.
    pub(super) power: String,
    pub(super) emulated: bool,
}

/// Appends the orders, round and round, until there are `records_max` or the time is over; then reads all of it back.
///
/// # Errors
/// A mismatch; the log's own.
pub(super) fn measure(
    config: Config,
    flow: &Flow,
    records_max: u64,
    time_max: Duration,
) -> Result<Measured, Failure> {
    let (log, _) = Log::open(config)?;
    let media = log.media();
    let started = Instant::now();
    let done = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for place in 0..LANES {
            let (taken, has_lane) = std::sync::mpsc::channel();
            let log = &log;
            threads.push(scope.spawn(move || write(log, flow, place, records_max / LANES, time_max, &taken)));
            // One after the other, so that the lanes are known; without its lane the thread says why below.
            let _ = has_lane.recv();
        }
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| mismatch("a writer panicked"))?);
        joined.collect::<Result<Vec<Latencies>, Failure>>()
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut latencies = Latencies::new();
    done?.iter().for_each(|lane| latencies.add(lane));
    let came = compare(log.reader(&Cut::start())?, flow, &[])?;
    if came.records() != latencies.count() {
        return Err(mismatch(format!("{} commits, {} records", latencies.count(), came.records())));
    }
    log.close()?;
    Ok(Measured { latencies, seconds, power: media.power, emulated: media.emulated })
}

fn write(
    log: &Log,
    flow: &Flow,
    place: u64,
    records_max: u64,
    time_max: Duration,
    taken: &std::sync::mpsc::Sender<()>,
) -> Result<Latencies, Failure> {
    let mut writer = log.writer()?;
    let until = Instant::now() + time_max;
    // The receiver waits for this very word: it is there.
    let _ = taken.send(());
    let mut latencies = Latencies::new();
    for number in 0..records_max {
        let order = flow.get(number * LANES + place);
        let before = Instant::now();
        if before >= until {
            break;
        }
        writer.append(0, order)?;
        writer.commit(Durability::Power)?;
        latencies.record(before.elapsed().as_nanos());
    }
    Ok(latencies)
}
