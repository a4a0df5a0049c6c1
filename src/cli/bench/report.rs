//! `tierlog bench report`.

use std::path::PathBuf;

use super::compare::read;
use crate::bench::report::html;
use crate::bench::run::kept;
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::output;

const EXAMPLES: &str = "\
Examples:
  tierlog bench report after/ > after.html
  tierlog bench report after/results.json --to after.html      refuses a file that is there already";

/// Makes the page of a run from its results: one HTML file that opens offline
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReportArgs {
    /// results.json, or its directory
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    results: PathBuf,
    /// Where the page goes: a file that is not there yet [default: standard output]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    to: Option<PathBuf>,
}

/// Runs `tierlog bench report`.
pub(super) fn run(args: &ReportArgs) -> Outcome {
    let page = html(&read(&args.results)?);
    match &args.to {
        None => output::print(page.as_bytes())?,
        Some(path) => kept::write(path, page.as_bytes()).map_err(Failure::io(path.display()))?,
    }
    Ok(Status::Done)
}
