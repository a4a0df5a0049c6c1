//! `tierlog man`: the manual's pages.

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::Cli;
use super::ending::{Failure, Outcome, Status};
use super::output;

const EXAMPLES: &str = "\
Examples:
  tierlog man | man -l -
  tierlog man append > /usr/local/share/man/man1/tierlog-append.1";

/// Prints a page of the manual, as roff
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// The command that the page is of; none is tierlog's own
    command: Option<String>,
}

/// Runs `tierlog man`.
pub(super) fn run(args: &ManArgs) -> Outcome {
    let mut tierlog = Cli::command();
    tierlog.build();
    let page = match &args.command {
        None => tierlog,
        Some(name) => {
            let unknown = || Failure::Usage(format!("tierlog has no command {name:?}"));
            let command = tierlog.find_subcommand(name).ok_or_else(unknown)?;
            command.clone().display_name(format!("tierlog-{name}"))
        }
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(Failure::io("the page"))?;
    output::print(&text)?;
    Ok(Status::Done)
}
