//! `tierlog mark`: names what has been committed so far.

use serde::Serialize;

use super::ending::{Outcome, Status};
use super::output;
use crate::config::Config;
use crate::durability::Commit;
use crate::log::Log;
use crate::number::{Gsn, Position};

const EXAMPLES: &str = "\
Examples:
  tierlog mark --dir /srv/log before-upgrade
  tierlog ls --dir /srv/log --marks";

/// Gives a name to everything that has been committed so far
///
/// The log can be restored to it later. Opens the log: beside the process that appends it is refused, and that process
/// marks by itself (Log::mark). The newest of a name counts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MarkArgs {
    /// The name, 1 to 255 bytes
    name: String,
    /// What was written as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Marked<'a> {
    name: &'a str,
    gsn: Gsn,
    end: Position,
}

/// Runs `tierlog mark`.
pub(super) fn run(args: &MarkArgs, mut config: Config) -> Outcome {
    config.create = false;
    let (log, _) = Log::open(config)?;
    let marked = log.mark(&args.name);
    log.close()?;
    let Commit { stamp, .. } = marked?;
    if args.json {
        output::print_json(&Marked { name: &args.name, gsn: stamp.gsn, end: stamp.end })?;
    } else {
        output::say(format_args!("{} stands for everything up to gsn {}", args.name, stamp.gsn))?;
    }
    Ok(Status::Done)
}
