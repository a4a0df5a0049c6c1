//! `tierlog bench`: the flags.

use std::path::PathBuf;
use std::time::Duration;

use super::compare::{self, CompareArgs};
use super::measure;
use super::report::{self, ReportArgs};
use crate::bench::engine::{memory, recover};
use crate::bench::kinds;
use crate::bench::run::job::{PROFILES, parse_duration};
use crate::bench::run::plan::Changes;
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::output;
use crate::cli::settings::LogArgs;

const EXAMPLES: &str = "\
Examples:
  tierlog bench                                          under a minute: memory as EMULATED tail, the disk here
  tierlog bench standard --tail /mnt/pmem0 --nvme /srv   ten minutes, on the media that a log would have
  tierlog bench full --dry-run                           how long it takes, and how much it writes to which medium
  tierlog bench --only engine/commit --time 5s           one part, for longer
  tierlog bench sweep.toml                               a sweep of one's own; --print-job quick shows the format
  tierlog bench compare before/ after/                   what got better or worse; exit status 3 if anything got worse
  tierlog bench report after/ > after.html               the page again

Results are kept in bench-results/HOST/DATE/ (--out DIR: there): results.json, results.csv, report.html, and
equivalent.fio, which measures the raw ways with fio for a cross-check. What is there already is never overwritten.

Exit status: as of every command (tierlog --help); 1 also where nothing could be measured.";

/// Measures what this machine can do as a home for a log: the memory, the disk, and what tierlog makes of them
///
/// --tail and --nvme name directories, one on each medium; what is made there is removed at the end. A tail that is not
/// persistent memory is served as if it were, and every figure then says EMULATED.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct BenchArgs {
    #[command(subcommand)]
    other: Option<Other>,
    /// quick (under a minute), standard (about ten), full, or a job file
    #[arg(default_value = "quick", value_name = "PROFILE|JOB.toml")]
    pub(super) profile: String,
    /// Only this part, GROUP or GROUP/WHAT; may be given again
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Time for each contestant at each point, over all runs [default: the profile's]
    #[arg(long, value_parser = parse_duration)]
    time: Option<Duration>,
    /// Runs of each, in turns [default: the profile's]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Says how long it takes and what it writes, and does nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Where the results go: a directory that is not there yet
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Measures again, so many times at most, while the machine is noisy
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) repeat_noisy: u32,
    /// Lists what can be measured
    #[arg(long)]
    list: bool,
    /// Prints the job file behind a profile
    #[arg(long, value_name = "PROFILE", value_parser = clap::builder::PossibleValuesParser::new(["quick", "standard", "full"]))]
    print_job: Option<String>,
}

/// What is not a run.
#[derive(Debug, clap::Subcommand)]
enum Other {
    Compare(CompareArgs),
    Report(ReportArgs),
    /// Fills a log and waits to be killed: a part of the measurement of recovery
    #[command(hide = true)]
    Fill {
        /// Of frames
        bytes: u64,
    },
    /// Opens that log and says how much memory it takes
    #[command(hide = true)]
    Open,
}

impl BenchArgs {
    pub(super) fn changes(&self) -> Changes {
        Changes { only: self.only.clone(), time: self.time, runs: self.runs }
    }
}

/// Where to measure: `--tail` and `--nvme`.
#[derive(Debug, Default)]
pub(in crate::cli) struct Media {
    pub(in crate::cli) tail: Option<PathBuf>,
    pub(in crate::cli) nvme: Option<PathBuf>,
}

/// Runs `tierlog bench`.
pub(in crate::cli) fn run(args: &BenchArgs, log: &LogArgs) -> Outcome {
    match &args.other {
        Some(Other::Compare(args)) => return compare::run(args),
        Some(Other::Report(args)) => return report::run(args),
        Some(Other::Fill { bytes }) => {
            let filled = recover::fill(log.config()?, *bytes).map(|()| Status::Done);
            return filled.map_err(|error| Failure::Failed(error.to_string()));
        }
        Some(Other::Open) => {
            let told = memory::open(log.config()?).map_err(|error| Failure::Failed(error.to_string()))?;
            return output::print(told.as_bytes()).map(|()| Status::Done);
        }
        None => {}
    }
    if let Some(name) = &args.print_job {
        let job = PROFILES.iter().find(|(profile, _)| profile == name).map(|(_, job)| *job);
        output::print(job.unwrap_or_default().as_bytes())?;
        return Ok(Status::Done);
    }
    if args.list {
        output::print(list().as_bytes())?;
        return Ok(Status::Done);
    }
    measure::run(args, &log.media())
}

fn list() -> String {
    let mut text = String::new();
    for (group, name) in kinds::GROUPS {
        for kind in kinds::kinds(group) {
            text += &format!("{:<24}{}\n", format!("{name}/{}", kind.what), kind.about);
        }
    }
    text
}
