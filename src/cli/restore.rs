//! `tierlog restore`: a log from its archive alone.

use serde::Serialize;

use super::ending::{Failure, Outcome, Status};
use super::figures::count;
use super::output;
use crate::config::Config;
use crate::number::Lsn;

const EXAMPLES: &str = "\
Examples:
  tierlog restore --archive file:///backup/log --dir /srv/log
  tierlog verify --dir /srv/log --archive file:///backup/log";

/// Makes a log from its archive (--archive) in an empty directory (--dir)
///
/// The next open goes on from there and fences off whoever wrote the archive before.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestoreArgs {
    /// What was restored as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    log: String,
    objects: u64,
    frame_bytes: u64,
    ends: Vec<Lsn>,
}

/// Runs `tierlog restore`.
pub(super) fn run(args: &RestoreArgs, config: &Config) -> Outcome {
    if config.archive.address.is_empty() {
        return Err(Failure::Usage("restore from which archive? name it with --archive".into()));
    }
    let restored = crate::restore::restore(config)?;
    let (objects, frame_bytes) = (restored.objects, restored.frame_bytes);
    if args.json {
        let log = restored.log.to_string();
        output::print_json(&Report { log, objects, frame_bytes, ends: restored.ends })?;
    } else {
        let lanes = restored.ends.iter().filter(|end| end.0 > 0).count();
        let (log, dir) = (restored.log, config.dir.display());
        let (objects, bytes) = (count(objects), count(frame_bytes));
        let text = format!(
            "log {log} restored in {dir}: {bytes} bytes of frames in {lanes} lanes from {objects} objects\n"
        );
        output::print(text.as_bytes())?;
    }
    Ok(Status::Done)
}
