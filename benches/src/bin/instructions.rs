//! Instructions and stores of one append + commit at `Power` on an emulated tail, counted by callgrind: figures that no
//! neighbour disturbs. Stores count by themselves (docs/decisions/0009).
//!
//! Runs itself under valgrind, which knows CLFLUSH and not CLWB: one line of the frame costs one instruction either way.

use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use tierlog::{Durability, FlushWith, Log, Writer};
use tierlog_benches::emulated;

type Failure = Box<dyn std::error::Error>;

const RING_BYTES: u64 = 16 << 20;

/// Counts the instructions of append + commit.
#[derive(Debug, Parser)]
struct Args {
    /// Payload sizes in bytes.
    #[arg(long, value_delimiter = ',', default_value = "0,32,64,256")]
    sizes: Vec<usize>,
    /// Lanes of the log, each of which commits in its turn.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    lanes: Vec<u32>,
    /// Commits to count.
    #[arg(long, default_value_t = 20_000)]
    commits: u64,
    /// Keeps callgrind's files in this directory, for callgrind_annotate.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// The part that valgrind runs.
    #[arg(long, hide = true)]
    counted: bool,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    if args.counted {
        return run(args.sizes[0], args.lanes[0], args.commits);
    }
    println!("{}", emulated::SURVIVES);
    for size in &args.sizes {
        for lanes in &args.lanes {
            let [instructions, stores] = count(&args, *size, *lanes)?.map(|n| n as f64 / args.commits as f64);
            println!(
                "{size:>6} B, {lanes:>4} lanes: {instructions:.1} instructions, {stores:.1} of which store, per append + \
                 commit(Power)"
            );
        }
    }
    Ok(())
}

/// Instructions and stores inside [`counted_commits`], as callgrind says.
fn count(args: &Args, size: usize, lanes: u32) -> Result<[u64; 2], Failure> {
    let dir = tempfile::tempdir()?;
    let out = args
        .keep
        .clone()
        .unwrap_or_else(|| dir.path().to_path_buf())
        .join(format!("callgrind.{size}.{lanes}"));
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--cache-sim=yes",
            "--collect-atstart=no",
            "--toggle-collect=*counted_commits*",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--counted", "--sizes", &size.to_string(), "--lanes", &lanes.to_string()])
        .args(["--commits", &args.commits.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}; install the package valgrind"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind: {}\n{text}", output.status).into());
    }
    let collected = text.lines().find_map(|line| line.split_once("Collected :"));
    let (_, numbers) = collected.ok_or_else(|| format!("valgrind says no \"Collected\":\n{text}"))?;
    // Instructions, loads, stores, and what of them misses a simulated cache.
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    let number =
        |nth: usize| numbers.get(nth).ok_or("valgrind says too little")?.parse().map_err(Failure::from);
    Ok([number(0)?, number(2)?])
}

fn run(size: usize, lanes: u32, commits: u64) -> Result<(), Failure> {
    let dir = tempfile::tempdir_in("/dev/shm")?;
    let mut config = emulated::config(&dir.path().join("log"), RING_BYTES);
    config.tail.flush = Some(FlushWith::Clflush);
    config.tail.lanes = Some(lanes);
    config.nvme.uring = false;
    let (log, _) = Log::open(config)?;
    let mut writers = (0..lanes).map(|_| log.writer()).collect::<Result<Vec<_>, _>>()?;
    counted_commits(&mut writers, &vec![0x5a; size], commits)?;
    let made: u64 = log.metrics().lanes.iter().map(|lane| lane.commits).sum();
    if made != commits {
        return Err(format!("{commits} commits made, but the log says {made}").into());
    }
    Ok(())
}

/// What is counted; callgrind finds it by its name.
#[inline(never)]
fn counted_commits(writers: &mut [Writer], payload: &[u8], commits: u64) -> Result<(), Failure> {
    for nth in 0..commits as usize {
        let of = writers.len();
        let writer = &mut writers[nth % of];
        writer.append(7, payload)?;
        writer.commit(Durability::Power)?;
    }
    Ok(())
}
