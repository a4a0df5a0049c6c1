//! `tierlog repair`: mends what another tier can mend.

use super::ending::{Outcome, Status};
use super::output;
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  tierlog repair --dir /srv/log --dry-run                            what would be done
  tierlog repair --dir /srv/log --archive s3://bucket/prefix         from the tail and the archive
  tierlog verify --dir /srv/log || tierlog repair --dir /srv/log";

/// Mends the NVMe tier from the tail and the archive (--archive), and the archive from both
///
/// Says what it will do before it does anything, and writes the same to DIR/repair-*.txt. A segment or an object is
/// made anew where some other tier has every frame of it; what it replaces goes to DIR/quarantine. What no tier has
/// stays as it is, and the exit status is 3. The log must not be open, except for --dry-run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RepairArgs {
    /// Says what would be done, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// What is done as JSON, at the end
    #[arg(long)]
    json: bool,
}

/// Runs `tierlog repair`.
pub(super) fn run(args: &RepairArgs, config: &Config) -> Outcome {
    let mut told = Ok(());
    let repaired = crate::repair::repair(config, args.dry_run, &mut |action| {
        if !args.json && told.is_ok() {
            told = output::say(action);
        }
    })?;
    told?;
    match (args.json, &repaired.report) {
        (true, _) => output::print_json(&repaired)?,
        (false, Some(report)) => output::say(format_args!("done; see {}", report.display()))?,
        (false, None) if repaired.actions.is_empty() => output::say("nothing to repair")?,
        (false, None) => output::say("nothing was done")?,
    }
    Ok(if repaired.is_lost() { Status::Damage } else { Status::Done })
}
