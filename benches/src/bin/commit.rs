//! Append + commit at `Power` against the raw loop (copy, CLWB, SFENCE), in turns on the same medium, on one CPU.
//!
//! The raw loop writes as many bytes as the record's frame has, and once the bare payload. Bursts are timed as a whole for
//! the ratio; latencies are taken one by one, the cost of their own bracket subtracted.

use std::path::PathBuf;

use clap::Parser;
use tierlog::{Durability, Log, Writer};
use tierlog_benches::cpu::{Cpus, noise};
use tierlog_benches::emulated;
use tierlog_benches::quantiles::{Latencies, median, spread};
use tierlog_tiers::clock::Ticks;
use tierlog_tiers::raw::Raw;

type Failure = Box<dyn std::error::Error>;

const RING_BYTES: u64 = 256 << 20;
/// Of the ring, what a run may use: no commit ever waits for the drainer.
const USED_BYTES: u64 = RING_BYTES / 10 * 9;
const HEADER_BYTES: usize = 32;
/// Bursts of each loop in one round.
const BURSTS: u64 = 5;

/// Compares append + commit with the raw loop.
#[derive(Debug, Parser)]
struct Args {
    /// Where the log and the raw file are made, and removed at the end.
    #[arg(long, default_value = "/dev/shm")]
    dir: PathBuf,
    /// Payload sizes in bytes.
    #[arg(long, value_delimiter = ',', default_value = "64,256,1024,4096")]
    sizes: Vec<usize>,
    /// Rounds per size: five bursts of each loop, in turns.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Operations of a burst at most; fewer where the ring would not take them all.
    #[arg(long, default_value_t = 2000)]
    burst: u64,
    /// The CPU to measure on; default: the last one allowed.
    #[arg(long)]
    cpu: Option<u32>,
    /// Exits with 1 if the median ratio of 64-byte commits to the raw loop over the same bytes is above this.
    #[arg(long)]
    ratio_max: Option<f64>,
}

/// One loop's body.
trait Operation {
    fn once(&mut self) -> Result<(), Failure>;
}

impl<F: FnMut() -> Result<(), Failure>> Operation for F {
    #[inline(always)]
    fn once(&mut self) -> Result<(), Failure> {
        self()
    }
}

/// A loop, of which only whole bursts are called through a pointer.
trait Loop {
    /// Nanoseconds per operation.
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Result<f64, Failure>;
    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Result<(), Failure>;
}

impl<O: Operation> Loop for O {
    #[inline(never)]
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Result<f64, Failure> {
        let start = ticks.now();
        for _ in 0..operations {
            self.once()?;
        }
        Ok(ticks.since(start) / operations as f64)
    }

    #[inline(never)]
    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Result<(), Failure> {
        for _ in 0..operations {
            let start = ticks.now();
            self.once()?;
            into.record(ticks.since(start) as u64);
        }
        Ok(())
    }
}

/// A loop and what was measured of it.
struct Contestant<'a> {
    name: String,
    work: Box<dyn Loop + 'a>,
    /// Median burst of each round, in nanoseconds per operation.
    rounds: Vec<f64>,
    latencies: Latencies,
}

impl<'a> Contestant<'a> {
    fn new(name: impl Into<String>, work: impl Loop + 'a) -> Self {
        Contestant {
            name: name.into(),
            work: Box::new(work),
            rounds: Vec::new(),
            latencies: Latencies::default(),
        }
    }
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let cpus = Cpus::split(args.cpu)?;
    let ticks = Ticks::calibrate();
    println!("{}; {}", cpus.describe(), noise());
    println!("an empty timing bracket is {:.0} ns: subtracted from every time below", ticks.bracket_ns());
    let mut worst: f64 = 0.0;
    for (nth, size) in args.sizes.iter().enumerate() {
        let ratio = compare(&args, &cpus, ticks, *size, nth == 0)?;
        if *size == 64 {
            worst = worst.max(ratio);
        }
    }
    println!("\n{}", noise());
    match args.ratio_max {
        Some(most) if worst > most => {
            Err(format!("64-byte commits: {worst:.3} times the raw loop, more than {most}").into())
        }
        _ => Ok(()),
    }
}

/// Median of the ratio to the raw loop over the frame's bytes.
fn compare(args: &Args, cpus: &Cpus, ticks: Ticks, size: usize, first: bool) -> Result<f64, Failure> {
    let dir = tempfile::Builder::new().prefix("tierlog-commit-").tempdir_in(&args.dir)?;
    let config = emulated::config(&dir.path().join("log"), RING_BYTES);
    let (log, _) = cpus.in_background(|| Log::open(config))??;
    if first {
        emulated::print_media(&log);
    }
    cpus.take()?;
    let mut writer = log.writer()?;
    let lane = writer.lane();
    let frame = (HEADER_BYTES + size).next_multiple_of(64);
    let mut contestants = contestants(dir.path(), size, frame, &mut writer)?;
    // A round is as many operations one by one as in bursts.
    let burst = args.burst.min(USED_BYTES / frame as u64 / args.rounds / BURSTS / 2).max(1);
    println!("\n{size} B payload, {frame} B frame: {} rounds of {BURSTS} bursts of {burst}", args.rounds);
    for round in 0..args.rounds {
        measure(&mut contestants, ticks, round as usize, burst)?;
    }
    let ratio = report(&contestants);
    drop(contestants);
    drop(writer);
    let metrics = &log.metrics().lanes[lane.0 as usize];
    let made = args.rounds * BURSTS * burst * 2;
    if metrics.commits != made || metrics.waits_for_room != 0 {
        return Err(format!("{made} commits made, but the log says {metrics:?}").into());
    }
    log.close()?;
    Ok(ratio)
}

fn contestants<'a>(
    dir: &std::path::Path,
    size: usize,
    frame: usize,
    writer: &'a mut Writer,
) -> Result<Vec<Contestant<'a>>, Failure> {
    let (payload, bytes) = (vec![0x5a_u8; size], vec![0x5a_u8; frame]);
    let lane = |name: &str| -> Result<Raw, Failure> {
        let dir = dir.join(name);
        std::fs::create_dir(&dir)?;
        Ok(emulated::raw(&dir, RING_BYTES)?.1)
    };
    let mut all = Vec::new();
    let (mut raw, same) = (lane("frame")?, bytes.clone());
    all.push(Contestant::new(format!("raw: copy, write back, fence, {frame} B"), move || {
        Ok(raw.write_back(&same)?)
    }));
    let payload_of_log = payload.clone();
    all.push(Contestant::new("append + commit(Power)", move || {
        writer.append(7, &payload_of_log)?;
        writer.commit(Durability::Power)?;
        Ok(())
    }));
    let mut raw = lane("payload")?;
    all.push(Contestant::new(format!("raw: copy, write back, fence, {size} B"), move || {
        Ok(raw.write_back(&payload)?)
    }));
    let (mut raw, same) = (lane("stream")?, bytes.clone());
    all.push(Contestant::new(format!("raw: copy past the cache, fence, {frame} B"), move || {
        Ok(raw.stream(&same)?)
    }));
    #[cfg(feature = "libpmem")]
    {
        let (mut raw, same) = (lane("libpmem")?, bytes);
        all.push(Contestant::new(format!("libpmem: pmem_memcpy_persist, {frame} B"), move || {
            libpmem(raw.next(same.len()), &same);
            Ok(())
        }));
    }
    Ok(all)
}

/// Copy and persist, by instructions that libpmem chooses itself.
#[cfg(feature = "libpmem")]
#[inline]
fn libpmem(to: &mut [u8], bytes: &[u8]) {
    assert_eq!(to.len(), bytes.len());
    // SAFETY: two slices of one length, one of them borrowed mutably.
    unsafe { pmem::ptr::copy_nooverlapping(bytes.as_ptr(), to.as_mut_ptr(), bytes.len()) };
}

/// One round: bursts in turns, then latencies in turns; who begins changes from round to round.
fn measure(
    contestants: &mut [Contestant<'_>],
    ticks: Ticks,
    round: usize,
    burst: u64,
) -> Result<(), Failure> {
    let count = contestants.len();
    let mut bursts = vec![Vec::new(); count];
    for _ in 0..BURSTS {
        for turn in 0..count {
            let who = (round + turn) % count;
            bursts[who].push(contestants[who].work.burst(ticks, burst)?);
        }
    }
    for turn in 0..count {
        let one = &mut contestants[(round + turn) % count];
        one.work.one_by_one(ticks, burst * BURSTS, &mut one.latencies)?;
    }
    contestants.iter_mut().zip(&bursts).for_each(|(one, bursts)| one.rounds.push(median(bursts)));
    Ok(())
}

fn report(contestants: &[Contestant<'_>]) -> f64 {
    let ours = &contestants[1];
    let mut to_frame = f64::NAN;
    println!("{:<42}{:>31}{:>34}", "", "ns per operation in bursts", "append + commit to it, by round");
    println!(
        "{:<42}{:>11}{:>10}{:>10}{:>14}{:>10}{:>10}",
        "", "min", "median", "max", "min", "median", "max"
    );
    for one in contestants {
        let (min, middle, max) = spread(&one.rounds);
        let ratios: Vec<f64> =
            ours.rounds.iter().zip(&one.rounds).map(|(ours, other)| ours / other).collect();
        let (low, ratio, high) = spread(&ratios);
        if to_frame.is_nan() {
            to_frame = ratio;
        }
        println!("{:<42}{min:>11.1}{middle:>10.1}{max:>10.1}{low:>14.3}{ratio:>10.3}{high:>10.3}", one.name);
    }
    println!("{}", Latencies::heading("latency, ns"));
    contestants.iter().for_each(|one| println!("{}", one.latencies.row(&one.name)));
    to_frame
}
