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
/// Measured EMULATED for this many commits, and this long at most.
const EMULATED_COMMITS: u64 = 1_000_000;
const EMULATED_TIME_MAX: Duration = Duration::from_secs(5);

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
    let measured = [two_writers(dir, &flow, false)?, two_writers(dir, &flow, true)?];
    for emulated in [false, true] {
        crash_and_return(dir, &orders, &flow, emulated, &mut kills)?;
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

fn name(emulated: bool) -> &'static str {
    if emulated { "EMULATED" } else { "on the disk" }
}

/// On the disk means through the NVMe tier, also where the memory is persistent. What that tier is stands in the report.
fn config(dir: PathBuf, emulated: bool) -> Config {
    let mut config = Config::new(dir);
    config.tail.medium = if emulated { Medium::Emulated } else { Medium::File };
    config.nvme.accept_volatile = true;
    config
}

fn two_writers(dir: &Path, flow: &Flow, emulated: bool) -> Result<Measured, Failure> {
    let step = if emulated { 2 } else { 1 };
    output::say(format_args!(
        "\n{step}. Two writers commit at Power, one order a commit, {}",
        name(emulated)
    ))?;
    let (log, commits, time) = match emulated {
        false => ("measured-disk", flow.count(), DISK_TIME_MAX),
        true => ("measured-emulated", EMULATED_COMMITS, EMULATED_TIME_MAX),
    };
    let measured = measure(config(dir.join(log), emulated), flow, commits, time)?;
    let rate = measured.latencies.count() as f64 / measured.seconds;
    let mark = if measured.emulated { ", EMULATED" } else { "" };
    output::say(format_args!(
        "   {} commits, {} a second{mark}",
        count(measured.latencies.count()),
        count(rate as u64)
    ))?;
    output::say("   ok: read back whole, each lane in its order, all in the order of their stamps")?;
    // A log of its own: what follows starts afresh.
    std::fs::remove_dir_all(dir.join(log)).map_err(Failure::io(log))?;
    Ok(measured)
}

fn crash_and_return(
    dir: &Path,
    orders: &Path,
    flow: &Flow,
    emulated: bool,
    kills: &mut Numbers,
) -> Result<(), Failure> {
    let (step, kind) = if emulated { (4, "emulated") } else { (3, "disk") };
    output::say(format_args!(
        "\n{step}. A process appends with two lanes, {}, and is killed with SIGKILL",
        name(emulated)
    ))?;
    let at = flow.count() / 8 + kills.below(flow.count() / 4);
    let acks = crash::killed(&dir.join(kind), orders, flow, emulated, at)?;
    output::say(format_args!(
        "   killed after {} acknowledgements of {} orders",
        count(acks.len() as u64),
        count(flow.count())
    ))?;
    let config = config(dir.join(kind), emulated);
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
    let from = tiers::archived(&config, &dir.join(format!("{kind}-archive")));
    tiers::drain_and_archive(from.clone())?;
    let to = Config { dir: dir.join(format!("{kind}-restored")), ..from.clone() };
    tiers::restore_and_compare(&from, &to)
}

fn tables(measured: &[Measured]) -> Result<(), Failure> {
    output::say("\nCommit latencies at Power, two writers, one order a commit")?;
    for measured in measured {
        let what =
            if measured.emulated { "EMULATED: ordinary memory, durable nowhere" } else { "On the disk" };
        output::say(format_args!("\n{what}\n{}\n{}", measured.power, measured.latencies.table().trim_end()))?;
    }
    Ok(())
}
