//! From the command line to an exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::args::{Cli, Command};
use super::ending::{Failure, Outcome};
use super::{
    append, bench, cat, checkpoint, completions, demo, doctor, dump, follow, info, ls, man, mark, output,
    probe_store, repair, restore, slot, verify,
};

/// Runs `tierlog` with these arguments, the program's name first.
///
/// The exit status is one of those that `tierlog --help` lists (docs/OPERATIONS.md has the same list).
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(told) => {
            // Help that nobody reads any more (`| head`) has no one to complain to.
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(1));
        }
    };
    trace(cli.verbose);
    match carry_out(&cli) {
        Ok(status) => status.into(),
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(format_args!("tierlog: {failure}"));
            failure.status().into()
        }
    }
}

fn carry_out(cli: &Cli) -> Outcome {
    match &cli.command {
        Command::Append(args) => append::run(args, cli.log.config()?),
        Command::Cat(args) => cat::run(args, &cli.log.config()?),
        Command::Follow(args) => follow::run(args, &cli.log.config()?),
        Command::Info(args) => info::run(args, &cli.log.config()?),
        Command::Ls(args) => ls::run(args, &cli.log.config()?),
        Command::Dump(args) => dump::run(args, &cli.log.config()?),
        Command::Mark(args) => mark::run(args, cli.log.config()?),
        Command::Slot(args) => slot::run(args, cli.log.config()?),
        Command::Checkpoint(args) => checkpoint::run(args, cli.log.config()?),
        Command::Verify(args) => verify::run(args, &cli.log.config()?),
        Command::Repair(args) => repair::run(args, &cli.log.config()?),
        Command::Restore(args) => restore::run(args, &cli.log.config()?),
        Command::ProbeStore(args) => probe_store::run(args, cli.log.config()?),
        Command::Bench(args) => bench::run(args, &cli.log),
        Command::Demo(args) => demo::run(args, cli.log.dir()),
        Command::Doctor(args) => doctor::run(args, cli.log.config()?),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

fn trace(verbose: u8) {
    /// Below an HTTP client's warnings stand headers, and in headers stand credentials.
    const CLIENTS: [&str; 6] = ["hyper", "hyper_util", "h2", "reqwest", "rustls", "object_store"];
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = match verbose {
        0 => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level)),
        _ => EnvFilter::new(level),
    };
    let quiet = CLIENTS.iter().filter_map(|client| format!("{client}=warn").parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
