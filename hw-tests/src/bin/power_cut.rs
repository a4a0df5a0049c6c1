//! One life of a machine whose power is cut: recovers logs, compares them with what was acknowledged before, and goes on
//! committing until it is killed.
//!
//! `power_cut CHANNEL ACKED CONFIG...`: acknowledgements go to the file or device CHANNEL, a line each, "log writer
//! count". ACKED is the newest count of every writer of every log, as whoever listens has it, separated by commas; empty
//! for the first life. With CHANNEL `-` the logs are only checked, and closed.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;

use tierlog::{Config, Durability, Log};
use tierlog_hw_tests::counts::{Counts, WRITERS, check, commit_counted};

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

/// Commits for ever, and acknowledges each batch.
fn write(
    mut channel: &File,
    number: usize,
    writer: usize,
    log: &Log,
    seen: &[AtomicU64; WRITERS],
) -> Result<(), String> {
    commit_counted(log, writer, seen, Durability::Power, |count| {
        // One write: lines of several threads do not mix.
        let told = channel.write_all(format!("{number} {writer} {count}\n").as_bytes());
        told.map(|()| true).map_err(|error| error.to_string())
    })
}
