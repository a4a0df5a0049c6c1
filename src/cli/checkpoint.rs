//! `tierlog checkpoint`: the user's word that earlier records are not needed.

use super::cut_at::CutAt;
use super::ending::{Outcome, Status};
use super::output;
use crate::config::Config;
use crate::log::Log;

const EXAMPLES: &str = "\
Examples:
  tierlog checkpoint --dir /srv/log --at-mark before-upgrade
  tierlog checkpoint --dir /srv/log --at 0:1@4096,1:1@128";

/// Says that records before a cut are not needed any more
///
/// They go as soon as nothing else needs them: no slot, the archive, retention; `info` tells what holds them back. Opens
/// the log, also one that was opened so often since its last checkpoint that only one more open fits its open record.
/// Beside the process that appends it is refused: that process says it by itself (Log::checkpoint).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    at: CutAt,
}

/// Runs `tierlog checkpoint`.
pub(super) fn run(args: &CheckpointArgs, mut config: Config) -> Outcome {
    (config.create, config.last_open) = (false, true);
    let (log, _) = Log::open(config)?;
    let done = args.at.find(&log).and_then(|cut| {
        log.checkpoint(&cut)?;
        Ok(cut)
    });
    log.close()?;
    output::say(format_args!("nothing before {} is needed", done?))?;
    Ok(Status::Done)
}
