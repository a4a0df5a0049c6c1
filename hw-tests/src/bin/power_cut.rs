//! One life of a machine whose power is cut: recovers logs, compares them with what was acknowledged before, and goes on
//! committing until it is killed.
//!
//! `power_cut CHANNEL ACKED CONFIG...`: acknowledgements go to the file or device CHANNEL, a line each, "log writer
//! count". ACKED is the newest count of every writer of every log, as whoever listens has it, separated by commas; empty
//! for the first life. With CHANNEL `-` the logs are only checked, and closed.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use tierlog::{Config, Cut, Durability, Log, Writer};

const WRITERS: usize = 2;

/// Counts of a log's writers.
type Counts = [u64; WRITERS];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first_chunk() {
        Some(([channel, acked], configs)) if !configs.is_empty() => match live(channel, acked, configs) {
            Ok(()) => ExitCode::SUCCESS,
            Err(what) => {
                eprintln!("power_cut: {what}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("power_cut CHANNEL ACKED CONFIG...");
            ExitCode::from(2)
        }
    }
}

fn live(channel: &str, acked: &str, configs: &[String]) -> Result<(), String> {
    let acked = parse(acked, configs.len())?;
    let open = || File::options().append(true).open(channel).map_err(|error| format!("{channel}: {error}"));
    let channel = if channel == "-" { None } else { Some(open()?) };
    let tell = |word: &str| {
        let Some(mut channel) = channel.as_ref() else { return Ok(()) };
        channel.write_all(word.as_bytes()).map_err(|error| error.to_string())
    };
    tell("opening\n")?;
    let mut logs = Vec::new();
    for (path, acked) in configs.iter().zip(acked) {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let config: Config = toml::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        let (log, recovered) = Log::open(config).map_err(|error| format!("{path}: {error}"))?;
        let counts = check(&log, acked).map_err(|what| format!("{path}: {what}; {recovered:?}"))?;
        println!("{path}: acknowledged {acked:?}, recovered {counts:?}; {}", log.media().power);
        logs.push((log, counts));
    }
    tell("writing\n")?;
    let Some(channel) = channel else {
        return logs.into_iter().try_for_each(|(log, _)| log.close().map_err(|error| error.to_string()));
    };
    let seen: Vec<[AtomicU64; WRITERS]> = logs.iter().map(|(_, counts)| counts.map(AtomicU64::new)).collect();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, (log, _)) in logs.iter().enumerate() {
            for writer in 0..WRITERS {
                let (channel, seen) = (&channel, &seen[number]);
                threads.push(scope.spawn(move || write(channel, number, writer, log, seen)));
            }
        }
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a writer panicked".to_string())?)
    })
}

/// The counts of the line of arguments, zeros if it is empty.
fn parse(acked: &str, logs: usize) -> Result<Vec<Counts>, String> {
    let counts: Result<Vec<u64>, _> =
        acked.split(',').filter(|text| !text.is_empty()).map(str::parse).collect();
    let mut counts = counts.map_err(|error| format!("{acked:?}: {error}"))?;
    if counts.is_empty() {
        counts.resize(logs * WRITERS, 0);
    }
    if counts.len() != logs * WRITERS {
        return Err(format!("{acked:?}: not {} counts", logs * WRITERS));
    }
    Ok(counts.chunks_exact(WRITERS).map(|of| [of[0], of[1]]).collect())
}

/// Commits batches for ever, each of one to three records, and acknowledges each.
fn write(
    channel: &File,
    number: usize,
    writer: usize,
    log: &Log,
    seen: &[AtomicU64; WRITERS],
) -> Result<(), String> {
    let mut lane: Writer = log.writer().map_err(|error| error.to_string())?;
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
        lane.commit(Durability::Power).map_err(|error| error.to_string())?;
        count += size;
        seen[writer].store(count, Ordering::Release);
        // One write: lines of several threads do not mix.
        (&*channel)
            .write_all(format!("{number} {writer} {count}\n").as_bytes())
            .map_err(|error| error.to_string())?;
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
fn check(log: &Log, acked: Counts) -> Result<Counts, String> {
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
