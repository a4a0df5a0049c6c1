//! `tierlog restore`: a log from its archive alone.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::ending::{Failure, Outcome, Status};
use super::figures::count;
use super::{moment, output, selection};
use crate::config::Config;
use crate::number::{Gsn, Lane, Lsn};
use crate::restore::{Progress, RestoreOptions, Until};

const EXAMPLES: &str = "\
Examples:
  tierlog restore --archive s3://bucket/log --dir /srv/log
  tierlog restore --archive file:///backup/log --dir /srv/log --until-time 2026-11-21T06:20:34Z
  tierlog verify --dir /srv/log --archive file:///backup/log";

/// Between two words about progress.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Makes a log from its archive (--archive) in an empty directory (--dir)
///
/// The next open goes on from there and fences off whoever wrote the archive before; what a restore to a point left out is
/// void from then on. A batch is restored whole or not at all. Interrupted, the same command goes on with what is there.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestoreArgs {
    /// Up to the last batch with this stamp or a lower one
    #[arg(long, value_name = "GSN", group = "until", value_parser = selection::gsn)]
    until_gsn: Option<Gsn>,
    /// Up to this moment: 2026-11-21T06:20:34.123Z (UTC), or seconds since 1970 behind an @
    #[arg(long, value_name = "TIME", group = "until", value_parser = moment::parse)]
    until_time: Option<Gsn>,
    /// Up to the newest mark of this name, its batch included
    #[arg(long, value_name = "NAME", group = "until")]
    until_mark: Option<String>,
    /// These lanes only, separated by commas; what the others hold stays in the archive
    #[arg(long, value_name = "LANES", value_delimiter = ',', value_parser = selection::lane)]
    only_lanes: Vec<Lane>,
    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    readers: usize,
    /// What was restored as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    log: String,
    objects: u64,
    frame_bytes: u64,
    frame_bytes_kept: u64,
    ends: Vec<Lsn>,
}

/// Runs `tierlog restore`.
pub(super) fn run(args: &RestoreArgs, config: &Config) -> Outcome {
    if config.archive.address.is_empty() {
        return Err(Failure::Usage("restore from which archive? name it with --archive".into()));
    }
    let until = match (&args.until_mark, args.until_gsn.or(args.until_time)) {
        (Some(name), _) => Until::Mark(name.clone()),
        (None, Some(gsn)) => Until::Gsn(gsn),
        (None, None) => Until::End,
    };
    let options = RestoreOptions { until, lanes: args.only_lanes.clone(), readers: args.readers };
    let mut told = Instant::now();
    let mut tell = |progress: Progress| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let Progress { number, last, frame_bytes } = progress;
            let bytes = count(frame_bytes);
            output::tell(format_args!("object {number} of {last}, {bytes} bytes of frames written"));
        }
    };
    let restored = crate::restore::restore_to(config, &options, &mut tell)?;
    let (objects, frame_bytes, frame_bytes_kept) =
        (restored.objects, restored.frame_bytes, restored.frame_bytes_kept);
    if args.json {
        let log = restored.log.to_string();
        output::print_json(&Report { log, objects, frame_bytes, frame_bytes_kept, ends: restored.ends })?;
    } else {
        let lanes = restored.ends.iter().filter(|end| end.0 > 0).count();
        let (log, dir) = (restored.log, config.dir.display());
        let (objects, bytes) = (count(objects), count(frame_bytes));
        let before = match frame_bytes_kept {
            0 => String::new(),
            kept => format!(", {} more were there from an interrupted restore", count(kept)),
        };
        let text = format!(
            "log {log} restored in {dir}: {bytes} bytes of frames in {lanes} lanes from {objects} objects{before}\n"
        );
        output::print(text.as_bytes())?;
    }
    Ok(Status::Done)
}
