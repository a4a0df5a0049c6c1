//! The flags, and the steps one after the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::compare::compare;
use super::flow::{Flow, Numbers};
use super::measure::{Measured, measure};
use super::place::Place;
use super::{crash, tiers};
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::figures::count;
use crate::cli::output;
use crate::config::{Config, Medium};
use crate::log::Log;
use crate::read::Cut;

/// Measured on the disk for this long at most.
const DISK_TIME_MAX: Duration = Duration::from_secs(8);
/// Measured in memory for this many commits, and this long at most.
const MEMORY_COMMITS: u64 = 1_000_000;
const MEMORY_TIME_MAX: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  tierlog demo                                with generated orders
  tierlog demo orders.csv.gz --keep           with the lines of a file; leaves the logs behind
  tierlog info --dir DIR/disk                 looks at a log that was kept";

/// Shows a record's whole way and checks it: commits, a kill -9, recovery, drain, archive, restore
///
/// Works in a temporary directory, or in --dir if that is empty; of the flags for the log it takes no other. Needs no
/// privilege and takes less than a minute. The exit status is 1 if anything did not come back as it should.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct DemoArgs {
    /// Takes the lines of this file instead of generated orders; gzip is understood
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Draws the orders, and the moment of the kill
    #[arg(long, value_name = "SEED", default_value_t = 20_120_621)]
    seed: u64,
    /// Leaves the logs behind
    #[arg(long)]
    keep: bool,
}

/// Runs `tierlog demo`.
pub(in crate::cli) fn run(args: &DemoArgs, dir: Option<&Path>) -> Outcome {
    let mut place = Place::take(dir, args.keep)?;
    let shown = show(args, place.dir());
    if matches!(shown, Err(Failure::Failed(_) | Failure::Log(_))) {
        // Evidence.
        place.keep = true;
    }
    shown
}

fn show(args: &DemoArgs, dir: &Path) -> Outcome {
    output::say(format_args!("tierlog demo, seed {}, in {}", args.seed, dir.display()))?;
    let flow = match &args.file {
        Some(file) => Flow::of_file(file)?,
        None => generated(args.seed)?,
    };
    let orders = dir.join("orders");
    flow.write(&orders)?;
    let mut kills = Numbers::new(args.seed);
    let kinds = [Kind::Disk, Kind::memory(&dir.join("probe"))?];
    let mut measured = Vec::new();
    for kind in kinds {
        measured.push((kind, two_writers(dir, &flow, kind)?));
    }
    for kind in kinds {
        crash_and_return(dir, &orders, &flow, kind, &mut kills)?;
        if !args.keep {
            // The next ones need the room.
            for what in ["", "-archive", "-restored"] {
                let log = dir.join(format!("{}{what}", kind.word()));
                std::fs::remove_dir_all(&log).map_err(Failure::io(log.display()))?;
            }
        }
    }
    tables(&measured)?;
    output::say("\nEverything acknowledged came back, and nothing else.")?;
    Ok(Status::Done)
}

fn generated(seed: u64) -> Result<Flow, Failure> {
    let flow = Flow::generated(seed);
    output::say(format_args!("Orders: {} generated from the seed", count(flow.count())))?;
    Ok(flow)
}

/// What keeps `Power`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The NVMe tier, also where the memory is persistent.
    Disk,
    /// The tail, as probed.
    Memory,
    /// Nothing, where there is no persistent memory.
    Emulated,
}

impl Kind {
    /// What `dir` has: persistent memory if the tail there is, as probed.
    fn memory(dir: &Path) -> Result<Kind, Failure> {
        let mut config = Config::new(dir);
        (config.tail.lanes, config.tail.segment_bytes) = (Some(1), Some(64 << 10));
        config.nvme.segment_bytes = Some(128 << 10);
        config.nvme.accept_volatile = true;
        let (log, _) = Log::open(config)?;
        // Where the tail keeps Power, it keeps Process in the same way.
        let media = log.media();
        let power_safe = media.process == media.power;
        log.close()?;
        std::fs::remove_dir_all(dir).map_err(Failure::io(dir.display()))?;
        Ok(if power_safe { Kind::Memory } else { Kind::Emulated })
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Disk => "on the disk",
            Kind::Memory => "in persistent memory",
            Kind::Emulated => "EMULATED",
        }
    }

    /// What its directories are called.
    fn word(self) -> &'static str {
        match self {
            Kind::Disk => "disk",
            Kind::Memory => "memory",
            Kind::Emulated => "emulated",
        }
    }

    /// As a flag of the command.
    pub(super) fn medium(self) -> &'static str {
        match self {
            Kind::Disk => "file",
            Kind::Memory => "auto",
            Kind::Emulated => "emulated",
        }
    }
}

/// What that tier is stands in the report.
fn config(dir: PathBuf, kind: Kind) -> Config {
    let mut config = Config::new(dir);
    config.tail.medium = match kind {
        Kind::Disk => Medium::File,
        Kind::Memory => Medium::Auto,
        Kind::Emulated => Medium::Emulated,
    };
    config.nvme.accept_volatile = true;
    config
}
fn two_writers(dir: &Path, flow: &Flow, kind: Kind) -> Result<Measured, Failure> {
    let step = if kind == Kind::Disk { 1 } else { 2 };
    output::say(format_args!("\n{step}. Two writers commit at Power, one order a commit, {}", kind.name()))?;
    let (commits, time) = match kind {
        Kind::Disk => (flow.count(), DISK_TIME_MAX),
        Kind::Memory | Kind::Emulated => (MEMORY_COMMITS, MEMORY_TIME_MAX),
    };
    let log = dir.join(format!("measured-{}", kind.word()));
    let measured = measure(config(log.clone(), kind), flow, commits, time)?;
    let rate = measured.latencies.count() as f64 / measured.seconds;
    let mark = if measured.emulated { ", EMULATED" } else { "" };
    output::say(format_args!(
        "   {} commits, {} a second{mark}",
        count(measured.latencies.count()),
        count(rate as u64)
    ))?;
    output::say("   ok: read back whole, each lane in its order, all in the order of their stamps")?;
    // A log of its own: what follows starts afresh.
    std::fs::remove_dir_all(&log).map_err(Failure::io(log.display()))?;
    Ok(measured)
}

fn crash_and_return(
    dir: &Path,
    orders: &Path,
    flow: &Flow,
    kind: Kind,
    kills: &mut Numbers,
) -> Result<(), Failure> {
    let (step, word) = (if kind == Kind::Disk { 3 } else { 4 }, kind.word());
    output::say(format_args!(
        "\n{step}. A process appends with two lanes, {}, and is killed with SIGKILL",
        kind.name()
    ))?;
    let at = flow.count() / 8 + kills.below(flow.count() / 4);
    let acks = crash::killed(&dir.join(word), orders, flow, kind, at)?;
    output::say(format_args!(
        "   killed after {} acknowledgements of {} orders",
        count(acks.len() as u64),
        count(flow.count())
    ))?;
    let config = config(dir.join(word), kind);
    let (log, recovered) = Log::open(config.clone())?;
    for lane in recovered.lanes.iter().filter(|lane| lane.end.0 > 0) {
        output::say(format_args!("   recovered: lane {} to {}: {}", lane.lane, count(lane.end.0), lane.why))?;
    }
    let came = compare(log.reader(&Cut::start())?, flow, &acks)?;
    log.close()?;
    output::say(format_args!(
        "   ok: {} orders came back, each lane from its first on without a gap",
        count(came.records())
    ))?;
    output::say("   ok: every acknowledged order is there with its stamp, and nothing that was not put in")?;
    let from = tiers::archived(&config, &dir.join(format!("{word}-archive")));
    tiers::drain_and_archive(from.clone())?;
    let to = Config { dir: dir.join(format!("{word}-restored")), ..from.clone() };
    tiers::restore_and_compare(&from, &to)
}

fn tables(measured: &[(Kind, Measured)]) -> Result<(), Failure> {
    output::say("\nCommit latencies at Power, two writers, one order a commit")?;
    for (kind, measured) in measured {
        let what = match kind {
            Kind::Disk => "On the disk",
            Kind::Memory => "In persistent memory",
            Kind::Emulated => "EMULATED: ordinary memory, durable nowhere",
        };
        output::say(format_args!("\n{what}\n{}\n{}", measured.power, measured.latencies.table().trim_end()))?;
    }
    Ok(())
}
