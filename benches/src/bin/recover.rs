//! An open after SIGKILL: how fast the tail is scanned, against a checksum over the same memory in the same run, and how
//! much memory an open takes for a short and a long log.
//!
//! The scan is timed inside `Log::open`, once the tail is mapped, by one thread, and so is the checksum. `View::open` of
//! the dead log, beside it, also maps the tail; `Log::open` moves what was accepted to NVMe and starts anew.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tierlog::{Config, Cut, Durability, Log, View};
use tierlog_benches::cpu::noise;
use tierlog_benches::emulated;
use tierlog_benches::peak::Memory;
use tierlog_benches::quantiles::spread;
use tierlog_benches::sizes::Sizes;
use tierlog_tiers::nvme::{Block, Directory, DirectoryOptions, FileName, Nvme};
use tierlog_tiers::tail::{MapOptions, Mapped, MediumAsk, Tail, TailLane};

type Failure = Box<dyn std::error::Error>;

/// Where a tail's first ring begins (docs/FORMAT.md).
const RING_AT: u64 = 2 << 20;
/// One segment, filled and never retired: the whole of it is to be scanned however fast the drainer was.
const SCANNED_BYTES: u64 = 256 << 20;
const PAYLOAD: (usize, usize) = (64, 512);
/// What one request of the raw file asks for.
const RAW_BYTES: usize = 1 << 20;
/// A ring of 32 MiB for the logs whose length is varied.
const RING_BYTES: u64 = 32 << 20;
const READY: &str = "ready";

/// Measures recovery.
#[derive(Debug, Parser)]
struct Args {
    /// Where logs are made, and removed at the end: 3 GiB are needed.
    #[arg(long, default_value = "/dev/shm")]
    dir: PathBuf,
    /// How often scan and checksum are timed, in turns.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Lengths of the logs for the memory table, in MiB.
    #[arg(long, value_delimiter = ',', default_value = "64,1024")]
    history_mib: Vec<u64>,
    /// Exits with 1 if the scan is slower than this part of the checksum.
    #[arg(long)]
    ratio_min: Option<f64>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program runs of itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Fills a log with so many bytes of frames, says so, and waits to be killed.
    #[command(hide = true)]
    Fill {
        dir: PathBuf,
        bytes: u64,
        #[arg(long)]
        long: bool,
    },
    /// Opens a log, reads it to its end, and prints its memory after either.
    #[command(hide = true)]
    Open { dir: PathBuf },
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    match &args.part {
        Some(Part::Fill { dir, bytes, long }) => fill(dir, *bytes, *long),
        Some(Part::Open { dir }) => open(dir),
        None => measure(&args),
    }
}

fn measure(args: &Args) -> Result<(), Failure> {
    println!("{}\n{}", emulated::SURVIVES, noise());
    let ratio = scan(args)?;
    println!(
        "\nmemory of a process that opens a killed log and reads all of it, ring {} MiB",
        RING_BYTES >> 20
    );
    for mib in &args.history_mib {
        let dir = tempfile::Builder::new().prefix("tierlog-recover-").tempdir_in(&args.dir)?;
        fill_and_kill(dir.path(), mib << 20, true)?;
        let output = Command::new(std::env::current_exe()?).arg("open").arg(dir.path()).output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
        }
        print!("{mib:>6} MiB of frames: {}", String::from_utf8_lossy(&output.stdout));
    }
    println!("{}", noise());
    match args.ratio_min {
        Some(least) if ratio < least => {
            Err(format!("the scan has {ratio:.2} of the checksum's speed, less than {least}").into())
        }
        _ => Ok(()),
    }
}

fn scan(args: &Args) -> Result<f64, Failure> {
    let [mut checksums, mut scans, mut ratios, mut views, mut settles, mut opens] = [const { Vec::new() }; 6];
    let mut raws = Vec::new();
    let mut tail = String::new();
    for _ in 0..args.rounds {
        let dir = tempfile::Builder::new().prefix("tierlog-recover-").tempdir_in(&args.dir)?;
        let config = filled_segment(dir.path());
        let end = fill_and_kill(dir.path(), SCANNED_BYTES - (1 << 20), false)?;
        checksums.push(speed(end, checksum(&dir.path().join("tail"), end)?));
        let start = Instant::now();
        let view = View::open(&config)?;
        views.push(speed(end, start.elapsed()));
        let found = view.watermarks()[0].published.0;
        if found < end {
            return Err(format!("{end} bytes of frames were acknowledged, the scan ends at {found}").into());
        }
        drop(view);
        let start = Instant::now();
        let (log, recovered) = Log::open(config)?;
        opens.push(start.elapsed().as_secs_f64() * 1e3);
        scans.push(speed(recovered.scan.bytes, recovered.scan.took));
        settles.push(speed(recovered.settle.bytes, recovered.settle.took));
        ratios.push(scans[scans.len() - 1] / checksums[checksums.len() - 1]);
        raws.push(speed(recovered.settle.bytes, raw_file(dir.path(), recovered.settle.bytes)?));
        tail = log.media().tails.join("; ");
        log.close()?;
    }
    println!("tail: {tail}");
    println!(
        "{:.1} MiB of frames with payloads of {} to {} B, one lane, one thread",
        (SCANNED_BYTES - (1 << 20)) as f64 / 1048576.0,
        PAYLOAD.0,
        PAYLOAD.1
    );
    println!("{:<50}{:>9}{:>9}{:>9}", "", "min", "median", "max");
    for (name, values) in [
        ("crc32c over it, mapped and populated, GB/s", &checksums),
        ("scan in Log::open, mapped and populated, GB/s", &scans),
        ("scan / crc32c", &ratios),
        ("View::open, which maps and scans, GB/s", &views),
        ("settle: to NVMe, flushed and read back, GB/s", &settles),
        ("a raw file of that length, the same, GB/s", &raws),
        ("Log::open, all of it, ms", &opens),
    ] {
        let (min, middle, max) = spread(values);
        println!("{name:<50}{min:>9.2}{middle:>9.2}{max:>9.2}");
    }
    Ok(spread(&ratios).1)
}

fn speed(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64() / 1e9
}

/// One pass over the ring's first bytes, mapped and populated.
fn checksum(tail: &Path, bytes: u64) -> Result<Duration, Failure> {
    let options = MapOptions { ask: MediumAsk::Emulated, ..MapOptions::default() };
    let tail = std::sync::Arc::new(Mapped::open(tail, &options)?);
    let lane = tail.lane(RING_AT, SCANNED_BYTES)?;
    let memory = lane.bytes(0, bytes as usize);
    let start = Instant::now();
    std::hint::black_box(crc32c::crc32c(std::hint::black_box(memory)));
    Ok(start.elapsed())
}

/// A file written from end to end, flushed, and read back.
fn raw_file(dir: &Path, bytes: u64) -> Result<Duration, Failure> {
    let options = DirectoryOptions { create: true, ..DirectoryOptions::default() };
    let directory = Directory::open(dir.join("raw"), &options)?;
    let (name, len) = (FileName::Segment(1), bytes.next_multiple_of(RAW_BYTES as u64));
    let start = Instant::now();
    let file = directory.allocate(name, len)?;
    let mut queue = directory.queue()?;
    for at in (0..len).step_by(RAW_BYTES) {
        let mut block = queue.block(RAW_BYTES);
        block.fill(0x5a);
        queue.write(&file, at, block)?;
    }
    queue.settle()?;
    let mut block = Block::zeroed(RAW_BYTES);
    (0..len).step_by(RAW_BYTES).try_for_each(|at| file.read(at, &mut block))?;
    Ok(start.elapsed())
}

/// A ring of which one segment is filled.
fn filled_segment(dir: &Path) -> Config {
    let mut config = emulated::config(dir, RING_BYTES);
    config.tail.segment_bytes = Some(SCANNED_BYTES);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(2 * SCANNED_BYTES);
    config.nvme.spare_segments = 0;
    config
}

/// The end of what a child committed before it was killed.
fn fill_and_kill(dir: &Path, bytes: u64, long: bool) -> Result<u64, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("fill")
        .arg(dir)
        .arg(bytes.to_string())
        .args(long.then_some("--long"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut said));
    child.kill()?;
    child.wait()?;
    read.transpose()?;
    let end = said.trim().strip_prefix(READY).ok_or_else(|| format!("the child said {said:?}"))?;
    Ok(end.trim().parse()?)
}

fn fill(dir: &Path, bytes: u64, long: bool) -> Result<(), Failure> {
    let config = if long { emulated::config(dir, RING_BYTES) } else { filled_segment(dir) };
    let (log, _) = Log::open(config)?;
    let mut writer = log.writer()?;
    let (mut sizes, payload) = (Sizes::default(), [0x5a; PAYLOAD.1]);
    let mut end = 0;
    while end < bytes {
        writer.append(7, &payload[..sizes.next(PAYLOAD.0, PAYLOAD.1)])?;
        end = writer.commit(Durability::Power)?.at.0;
    }
    println!("{READY} {end}");
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn open(dir: &Path) -> Result<(), Failure> {
    let (log, recovered) = Log::open(emulated::config(dir, RING_BYTES))?;
    let opened = Memory::now()?;
    let mut reader = log.reader(&Cut::start())?;
    let (mut records, mut bytes) = (0_u64, 0_u64);
    while let Some(record) = reader.next()? {
        records += 1;
        bytes += record.payload.len() as u64;
    }
    let read = Memory::now()?;
    println!(
        "peak {} MiB after the open (clean: {}; own {} MiB, mapped {} MiB), {} MiB after reading {records} records of {} MiB",
        opened.peak_kib >> 10,
        recovered.clean,
        opened.own_kib >> 10,
        opened.mapped_kib >> 10,
        read.peak_kib >> 10,
        bytes >> 20,
    );
    log.close()?;
    Ok(())
}
