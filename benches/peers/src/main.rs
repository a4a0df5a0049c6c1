//! tierlog beside other logs: in turns, at the same promise, on the same medium. See `scripts/peers`.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::peer::Outcome;

mod measure;
mod peer;
mod peers;
mod plan;
mod prove;
mod run;
mod table;
mod turns;
mod verdict;
mod version;

/// Compares tierlog with other logs.
#[derive(Debug, Parser)]
#[command(name = "scripts/peers", disable_help_subcommand = true)]
struct Args {
    /// Two sizes, two numbers of threads, short turns: a minute or two.
    #[arg(long, global = true)]
    quick: bool,
    /// A directory on the tail's medium: persistent memory, or tmpfs in its place (EMULATED) [default: /dev/shm]
    #[arg(long, value_name = "DIR")]
    tail: Option<PathBuf>,
    /// A directory on the disk [default: this one, or the one for temporary files]
    #[arg(long, value_name = "DIR")]
    nvme: Option<PathBuf>,
    /// Where the results go: a directory that is not there yet [default: bench-results/HOST/peers-SECONDS]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The processes that this one starts.
#[derive(Debug, Subcommand)]
enum Part {
    /// Measures one medium.
    #[command(hide = true)]
    Measure { place: String, into: PathBuf },
    /// Commits as one of the kinds, and waits to be killed.
    #[command(hide = true)]
    Commit { kind: usize, place: String },
}

fn main() -> ExitCode {
    match part(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn part(args: Args) -> Outcome<()> {
    match args.part {
        None => run::run(args.quick, args.tail.as_deref(), args.nvme.as_deref(), args.out),
        Some(Part::Measure { place, into }) => {
            let measured = measure::measure(&serde_json::from_str(&place)?, args.quick)?;
            Ok(serde_json::to_writer(File::create(into)?, &measured)?)
        }
        Some(Part::Commit { kind, place }) => {
            prove::commit(&peers::KINDS[kind], &serde_json::from_str(&place)?)
        }
    }
}
