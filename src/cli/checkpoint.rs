//! `tierlog checkpoint`: the user's word that earlier records are not needed.

use super::ending::{Failure, Outcome, Status};
use super::output;
use crate::config::Config;
use crate::log::Log;
use crate::read::Cut;

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
#[group(required = true, multiple = false)]
pub(super) struct CheckpointArgs {
    /// The cut: `lane:epoch@lsn`, separated by commas; lanes that are not named stay as they are
    #[arg(long, value_name = "CUT")]
    at: Option<Cut>,
    /// The cut that a mark stands for, the newest of that name
    #[arg(long, value_name = "NAME")]
    at_mark: Option<String>,
}

/// Runs `tierlog checkpoint`.
pub(super) fn run(args: &CheckpointArgs, mut config: Config) -> Outcome {
    (config.create, config.last_open) = (false, true);
    let (log, _) = Log::open(config)?;
    let done = cut(args, &log).and_then(|cut| {
        log.checkpoint(&cut)?;
        Ok(cut)
    });
    log.close()?;
    output::say(format_args!("nothing before {} is needed", done?))?;
    Ok(Status::Done)
}

fn cut(args: &CheckpointArgs, log: &Log) -> Result<Cut, Failure> {
    let Some(name) = &args.at_mark else { return Ok(args.at.clone().unwrap_or_default()) };
    let mark = log.marks()?.into_iter().rfind(|mark| mark.name == *name);
    let mark = mark.ok_or_else(|| Failure::Usage(format!("there is no mark {name:?}: see ls --marks")))?;
    Ok(log.seek(mark.gsn)?)
}
