//! Where an ordinary tail lies best: on the log's own disk, or in `/dev/shm`.
//!
//! Commits at `Process` on a tail that is a plain file, at a fixed rate, drainers running; in two of the four cases another
//! process dirties the page cache of the same disk all the while. Latencies count from when a commit was due, so that a
//! stall is seen by every commit that it held up, and beside it from when it was called.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use clap::Parser;
use tierlog::{Config, Durability, Log, Medium, TailPlace};
use tierlog_benches::cpu::{Cpus, noise};
use tierlog_benches::disturbances::Disturbances;
use tierlog_benches::quantiles::Latencies;
use tierlog_tiers::clock::Ticks;

type Failure = Box<dyn std::error::Error>;

const PAYLOAD: [u8; 64] = [0x5a; 64];
/// The other process's file, written again and again: enough for the kernel to write back whatever is dirty.
const DIRTIED_BYTES: u64 = 4 << 30;

/// Compares places for an ordinary tail.
#[derive(Debug, Parser)]
struct Args {
    /// A directory on the disk; the log's directory and its NVMe tier are made there.
    #[arg(long, default_value = ".")]
    disk: PathBuf,
    /// A directory in memory.
    #[arg(long, default_value = "/dev/shm")]
    memory: PathBuf,
    /// Commits in each case.
    #[arg(long, default_value_t = 2_000_000)]
    commits: u64,
    /// Commits per second: few enough for a case to last longer than the 30 s after which dirty pages are written back.
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// The CPU to measure on; default: the last one allowed.
    #[arg(long)]
    cpu: Option<u32>,
    /// The part that dirties the page cache, in this file, until it is killed.
    #[arg(long, hide = true)]
    dirty: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    if let Some(path) = &args.dirty {
        return dirty(path);
    }
    let (cpus, ticks) = (Cpus::split(args.cpu)?, Ticks::calibrate());
    println!("{}; {}", cpus.describe(), noise());
    println!(
        "64 B, commit(Process), {} commits at {} a second in each case; nanoseconds",
        args.commits, args.rate
    );
    println!("{}", Latencies::heading(""));
    for busy in [false, true] {
        for in_memory in [false, true] {
            case(&args, &cpus, ticks, in_memory, busy)?;
        }
    }
    println!("{}", noise());
    Ok(())
}

fn case(args: &Args, cpus: &Cpus, ticks: Ticks, in_memory: bool, busy: bool) -> Result<(), Failure> {
    let disk = tempfile::Builder::new().prefix("tierlog-placement-").tempdir_in(&args.disk)?;
    let memory = tempfile::Builder::new().prefix("tierlog-placement-").tempdir_in(&args.memory)?;
    let mut config = Config::new(disk.path().join("log"));
    config.tail.medium = Medium::File;
    config.tail.lanes = Some(1);
    if in_memory {
        config.tail.places = vec![TailPlace { path: memory.path().join("tail"), node: None }];
    }
    let (log, _) = cpus.in_background(|| Log::open(config))??;
    let writer = busy
        .then(|| cpus.in_background(|| Dirtying::start(&disk.path().join("dirtied"))))
        .transpose()?
        .transpose()?;
    cpus.take()?;
    let before = Disturbances::now()?;
    let (due, called) = commits(&log, ticks, args)?;
    let disturbed = before.since()?;
    if let Some(writer) = writer {
        writer.stop()?;
    }
    let lane = log.metrics().lanes[0];
    let name = format!(
        "{}, {}",
        if in_memory { "memory" } else { "disk" },
        if busy { "page cache dirtied" } else { "quiet" }
    );
    println!("{}", due.row(&format!("{name}: since due")));
    println!("{}", called.row(&format!("{name}: since called")));
    println!(
        "{:<42} {disturbed}; {} waits for room, {} MiB drained",
        "",
        lane.waits_for_room,
        lane.run_bytes >> 20
    );
    if log.metrics().emulated || lane.commits != args.commits {
        return Err(
            format!("{} commits made on an ordinary tail, but the log says {lane:?}", args.commits).into()
        );
    }
    log.close()?;
    Ok(())
}

/// Latencies since each commit was due, and since it was called.
fn commits(log: &Log, ticks: Ticks, args: &Args) -> Result<(Latencies, Latencies), Failure> {
    let (mut since_due, mut since_called) = (Latencies::default(), Latencies::default());
    let mut writer = log.writer()?;
    let start = ticks.now();
    for n in 0..args.commits {
        let due_ns = n as f64 * 1e9 / args.rate as f64;
        while ticks.ns(ticks.now() - start) < due_ns {
            std::hint::spin_loop();
        }
        let called = ticks.now();
        writer.append(7, &PAYLOAD)?;
        writer.commit(Durability::Process)?;
        let done = ticks.now();
        since_called.record(ticks.ns(done - called) as u64);
        since_due.record((ticks.ns(done - start) - due_ns) as u64);
    }
    Ok((since_due, since_called))
}

/// A process that writes to the page cache until it is stopped.
struct Dirtying {
    child: Child,
    path: PathBuf,
}

impl Dirtying {
    /// Returns when it is at work.
    fn start(path: &Path) -> Result<Dirtying, Failure> {
        let child = Command::new(std::env::current_exe()?).arg("--dirty").arg(path).spawn()?;
        let mut dirtying = Dirtying { child, path: path.to_path_buf() };
        let since = Instant::now();
        while std::fs::metadata(path).map_or(0, |file| file.len()) < DIRTIED_BYTES / 64 {
            if dirtying.child.try_wait()?.is_some() || since.elapsed() > Duration::from_secs(30) {
                return Err("the process that dirties the page cache does not".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(dirtying)
    }

    fn stop(mut self) -> Result<(), Failure> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("the process that dirties the page cache ended: {status}").into());
        }
        self.child.kill()?;
        self.child.wait()?;
        std::fs::remove_file(&self.path)?;
        Ok(())
    }
}

impl Drop for Dirtying {
    fn drop(&mut self) {
        // After an error elsewhere; a child that has ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn dirty(path: &Path) -> Result<(), Failure> {
    let mut file = File::create(path)?;
    let block = vec![0xa5_u8; 1 << 20];
    loop {
        file.rewind()?;
        for _ in 0..DIRTIED_BYTES / block.len() as u64 {
            file.write_all(&block)?;
        }
    }
}
