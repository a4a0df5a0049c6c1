//! `tierlog bench compare`.

use std::path::{Path, PathBuf};

use crate::bench::compare::{Change, Comparison, Fared, compare};
use crate::bench::results::Results;
use crate::bench::run::kept;
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::output;

const EXAMPLES: &str = "\
Examples:
  tierlog bench compare before/ after/                    what got better or worse, beyond 5 percent and the noise
  tierlog bench compare before/ after/ --threshold 3      smaller changes too
  tierlog bench compare before/ after/ --all              what stayed the same as well";

/// Says what got better or worse from one run to another, beyond the noise of both
///
/// Figures are held against each other only at the same point, on the same medium, at the same promise. Exit status 3 if
/// anything got worse.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompareArgs {
    /// Results before: results.json, or its directory
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    before: PathBuf,
    /// Results after
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    after: PathBuf,
    /// The least change that counts, in percent; more where the runs lie further apart
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    threshold: f64,
    /// Shows what stayed the same, too
    #[arg(long)]
    all: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if (0.0..=1000.0).contains(&percent) { Ok(percent) } else { Err("from 0 to 1000".into()) }
}

/// Runs `tierlog bench compare`.
pub(super) fn run(args: &CompareArgs) -> Outcome {
    let found = compare(&read(&args.before)?, &read(&args.after)?, args.threshold / 100.0);
    output::print(text(&found, args.all).as_bytes())?;
    if found.changes.is_empty() {
        return Err(Failure::Failed(
            "nothing in one of them can be held against anything in the other".into(),
        ));
    }
    let worse = found.changes.iter().any(|change| change.fared == Fared::Worse);
    Ok(if worse { Status::Damage } else { Status::Done })
}

/// Results, by their file or by the directory that it is in.
pub(super) fn read(path: &Path) -> Result<Results, Failure> {
    let file = if path.is_dir() { path.join(kept::RESULTS) } else { path.to_path_buf() };
    Results::read(&file).map_err(|error| Failure::Failed(error.to_string()))
}

fn text(found: &Comparison, all: bool) -> String {
    let mut text: String = found.warnings.iter().map(|warning| format!("WARNING: {warning}\n")).collect();
    let shown = |change: &&Change| all || change.fared != Fared::Same;
    for change in found.changes.iter().filter(shown) {
        text += &row(change);
    }
    let of = |fared| found.changes.iter().filter(|change| change.fared == fared).count();
    let [better, same, worse] = [Fared::Better, Fared::Same, Fared::Worse].map(of);
    text += &format!("{better} better, {worse} worse, {same} the same within the noise");
    if found.alone > 0 {
        text += &format!("; {} figures only in one of them", found.alone);
    }
    text + "\n"
}

fn row(change: &Change) -> String {
    let word = match change.fared {
        Fared::Better => "better",
        Fared::Same => "same  ",
        Fared::Worse => "WORSE ",
    };
    let figure = &change.figure;
    let name = format!("{}, {}", figure.what, figure.at);
    format!(
        "{word}  {:<44}{:<26}{:>6}{:>14.2}{:>14.2}{:>+8.1}%  (noise {:.1}%; {}, {})\n",
        name.trim_end_matches(", "),
        figure.by,
        change.measure,
        change.before,
        change.after,
        change.by() * 100.0,
        change.noise * 100.0,
        figure.medium,
        figure.promise
    )
}
