//! An open after `kill -9`, against the length of what is left: how fast the tail is scanned, beside a checksum over the same
//! memory, and how fast it moves to NVMe, beside a raw file that is written, flushed and read back.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tierlog_tiers::checksum::Crc32c;
use tierlog_tiers::tail::{MapOptions, Mapped, Tail, TailLane};

use super::place::config;
use super::raw_file::{RAW_READ_BACK, RawFile};
use crate::bench::latency::{beside, spread};
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::host::{Env, Machine};
use crate::media::RINGS_AT;
use crate::side_by_side::side_by_side;
use crate::{Config, Durability, Log, View};

const SEGMENT_BYTES: u64 = 4 << 20;
const PAYLOAD_BYTES: usize = 256;
const READY: &str = "ready";
const CHECKSUM: &str = "checksum of the same memory";

struct Recover(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let totals = or(&sweep.total_bytes, &[15 << 20, 127 << 20]);
    totals.iter().map(|total| Box::new(Recover((*total).clamp(1 << 20, 1 << 30))) as Box<dyn Probe>).collect()
}

/// Bytes a second of each run.
#[derive(Default)]
struct Runs {
    checksum: Vec<f64>,
    scan: Vec<f64>,
    view: Vec<f64>,
    settle: Vec<f64>,
    raw: Vec<f64>,
    open: Vec<f64>,
}

impl Probe for Recover {
    fn title(&self) -> String {
        format!("recover {} MiB", self.0 >> 20)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = self.0 * u64::from(pace.runs);
        Estimate {
            time: Duration::from_millis(400) * pace.runs + Duration::from_millis(bytes / 60_000),
            tail_bytes: (self.segments().0 * self.segments().1 + self.0) * u64::from(pace.runs),
            nvme_bytes: bytes * 3,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut runs = Runs::default();
        let dirs = (session.tail_dir.clone(), session.nvme_dir.clone());
        for run in 0..session.pace.runs {
            session.tail_dir = dirs.0.join(run.to_string());
            session.nvme_dir = dirs.1.join(run.to_string());
            std::fs::create_dir(&session.tail_dir)?;
            std::fs::create_dir(&session.nvme_dir)?;
            self.once(session, &mut runs)?;
            std::fs::remove_dir_all(&session.tail_dir)?;
            std::fs::remove_dir_all(&session.nvme_dir)?;
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        (session.tail_dir, session.nvme_dir) = dirs;
        Ok(self.figures(session, &runs))
    }
}

impl Recover {
    /// Of the tail, and how many.
    fn segments(&self) -> (u64, u64) {
        let bytes = (self.0 / 32).next_power_of_two().max(SEGMENT_BYTES);
        (bytes, (self.0 / (bytes / 2)).max(4))
    }

    /// A tail that nothing was drained from: there is no room on NVMe, so that all of it is to be scanned.
    fn config(&self, session: &Session<'_>) -> Config {
        let mut config = config(session, 1, SEGMENT_BYTES * 4);
        let (bytes, segments) = self.segments();
        config.tail.segment_bytes = Some(bytes);
        config.tail.segments = Some(segments as u32);
        config.nvme.segment_bytes = Some(8 * bytes);
        config.nvme.spare_segments = 0;
        config.nvme.quota_bytes = 1;
        config
    }

    fn once(&self, session: &Session<'_>, runs: &mut Runs) -> Measured<()> {
        let mut config = self.config(session);
        let end = filled_and_killed(session, &config, self.0)?;
        config.nvme.quota_bytes = 0;
        let speed = |bytes: u64, took: Duration| bytes as f64 / took.as_secs_f64();
        runs.checksum.push(speed(end, checksum(session, end)?));
        let began = Instant::now();
        let view = View::open(&config)?;
        runs.view.push(speed(end, began.elapsed()));
        let found = view.watermarks()[0].published.0;
        if found < end {
            return Err(format!("{end} bytes of frames were acknowledged, the scan ends at {found}").into());
        }
        drop(view);
        let began = Instant::now();
        let (log, recovered) = Log::open(config)?;
        runs.open.push(speed(end, began.elapsed()));
        runs.scan.push(speed(recovered.scan.bytes, recovered.scan.took));
        runs.settle.push(speed(recovered.settle.bytes, recovered.settle.took));
        log.close()?;
        let bytes = recovered.settle.bytes;
        runs.raw.push(speed(bytes, RawFile::new(session)?.write_and_read(bytes)?));
        Ok(())
    }

    fn figures(&self, session: &Session<'_>, runs: &Runs) -> Vec<Figure> {
        let at = Point { size_bytes: Some(self.0), ..Point::default() };
        let figure = |by: &str, medium: &str, promise: &str, own: &[f64], to: Option<(&str, &[f64])>| {
            let mut figure = Figure::new(Group::Engine, "recover", by, at.clone(), medium, promise);
            figure.runs = own.len() as u32;
            figure.bytes_per_s = spread(own);
            figure.ratio = to.and_then(|(to, other)| beside(to, own, other));
            figure
        };
        let (nvme, checksum) = (session.grounds.nvme_promise, Some((CHECKSUM, &*runs.checksum)));
        vec![
            figure(CHECKSUM, "tail", NOTHING, &runs.checksum, None),
            figure("tierlog, scan", "tail", NOTHING, &runs.scan, checksum),
            figure("tierlog, View::open", "tail", NOTHING, &runs.view, checksum),
            figure(RAW_READ_BACK, "nvme", nvme, &runs.raw, None),
            figure("tierlog, move to NVMe", "nvme", nvme, &runs.settle, Some((RAW_READ_BACK, &runs.raw))),
            figure("tierlog, Log::open", "nvme", nvme, &runs.open, None),
        ]
    }
}

/// One pass over the ring's first bytes, mapped and populated, by as many threads as scan it.
fn checksum(session: &Session<'_>, bytes: u64) -> Measured<Duration> {
    let options = MapOptions { ask: session.grounds.tail_ask, ..MapOptions::default() };
    let tail = Arc::new(Mapped::open(session.tail_dir.join("tail"), &options)?);
    let lane = tail.lane(RINGS_AT, bytes.next_multiple_of(64))?;
    let memory = lane.bytes(0, bytes as usize);
    let began = Instant::now();
    let sum = |piece: &[u8]| Crc32c::new().bytes(std::hint::black_box(piece)).finish();
    let pieces: Vec<&[u8]> = memory.chunks(SEGMENT_BYTES as usize).collect();
    std::hint::black_box(side_by_side(pieces, Machine::detect().threads(), sum));
    Ok(began.elapsed())
}

/// A child that does not outlive us.
struct Filling(Child);

impl Drop for Filling {
    fn drop(&mut self) {
        // Fails only where the child has ended, and was waited for, already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The end of what a child, `tierlog bench fill`, committed before it was killed.
pub(super) fn filled_and_killed(session: &Session<'_>, config: &Config, bytes: u64) -> Measured<u64> {
    let file = session.nvme_dir.join("fill.toml");
    std::fs::write(&file, toml::to_string(config)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "fill", &bytes.to_string(), "--config"]).arg(&file);
    let mut child = Filling(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let mut said = String::new();
    if let Some(stdout) = child.0.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    drop(child);
    let end = said.trim().strip_prefix(READY).ok_or_else(|| format!("the child said {said:?}"))?;
    Ok(end.trim().parse()?)
}

/// The child's part: commits so many bytes of frames, says how many it were, and waits to be killed.
///
/// # Errors
/// The log's; when nobody kills it until its standard input ends.
pub(crate) fn fill(config: Config, bytes: u64) -> Measured<()> {
    let (log, _) = Log::open(config)?;
    let mut writer = log.writer()?;
    let mut end = 0;
    while end + 2 * PAYLOAD_BYTES as u64 <= bytes {
        writer.append(7, &[0x5a; PAYLOAD_BYTES])?;
        end = writer.commit(Durability::Power)?.at.0;
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{READY} {end}")?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Err("was not killed".into())
}
