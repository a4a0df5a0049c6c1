//! The command line.

use clap::{Parser, Subcommand};

use super::append::AppendArgs;
use super::bench::BenchArgs;
use super::cat::CatArgs;
use super::checkpoint::CheckpointArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::dump::DumpArgs;
use super::follow::FollowArgs;
use super::info::InfoArgs;
use super::ls::LsArgs;
use super::man::ManArgs;
use super::mark::MarkArgs;
use super::probe_store::ProbeStoreArgs;
use super::repair::RepairArgs;
use super::restore::RestoreArgs;
use super::settings::LogArgs;
use super::slot::SlotArgs;
use super::verify::VerifyArgs;

const EXAMPLES: &str = "\
Examples:
  tierlog demo                                    see it work, crash included
  tierlog append --dir /srv/log orders.csv.gz     a record per line, each durable when acknowledged
  tierlog cat --dir /srv/log | head
  tierlog follow --dir /srv/log --json            beside the process that appends
  tierlog verify --dir /srv/log                   every byte of every tier

Exit status: 0 done
             1 failed
             2 wrong command line or configuration; every lane has its writer
             3 verify: damage; repair: damage that no tier can mend; doctor: something to mend;
               bench compare: something got worse
             4 the level asked for cannot be kept here; probe-store: the store cannot keep two owners apart;
               doctor: what is promised may not be kept";

/// A write-ahead log for people who cannot afford an fsync.
#[derive(Debug, Parser)]
#[command(name = "tierlog", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Tells on standard error what happens; -vv and -vvv tell more (without it, RUST_LOG decides)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(super) verbose: u8,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Append(AppendArgs),
    Cat(CatArgs),
    Follow(FollowArgs),
    Info(InfoArgs),
    Ls(LsArgs),
    Dump(DumpArgs),
    Verify(VerifyArgs),
    Mark(MarkArgs),
    Slot(SlotArgs),
    Checkpoint(CheckpointArgs),
    Repair(RepairArgs),
    Restore(RestoreArgs),
    ProbeStore(ProbeStoreArgs),
    Bench(BenchArgs),
    Demo(DemoArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
