//! `tierlog verify`: every byte of every tier.

use super::ending::{Outcome, Status};
use super::figures::count;
use super::output;
use crate::config::Config;
use crate::verify::Verified;

const EXAMPLES: &str = "\
Examples:
  tierlog verify --dir /srv/log
  tierlog verify --dir /srv/log --archive file:///backup/log      the archive as well
  tierlog verify --json || mail -s 'log damaged' operator";

/// Reads every byte of every tier; the exit status is 3 if something is wrong
///
/// Works beside the process that appends: then it reads what is stable now. Nothing is repaired.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct VerifyArgs {
    /// What was found as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `tierlog verify`.
pub(super) fn run(args: &VerifyArgs, config: &Config) -> Outcome {
    let verified = crate::verify::verify(config)?;
    if args.json {
        output::print_json(&verified)?;
    } else {
        output::print(text(&verified).as_bytes())?;
    }
    Ok(if verified.findings.is_empty() { Status::Done } else { Status::Damage })
}

fn text(verified: &Verified) -> String {
    let mark = if verified.emulated { "EMULATED " } else { "" };
    let mut text = format!(
        "{mark}log {}: {} records, {} bytes of frames; read {} bytes on NVMe, {} in tails, {} objects\n",
        verified.log,
        count(verified.records),
        count(verified.frame_bytes),
        count(verified.nvme_bytes),
        count(verified.tail_bytes),
        count(verified.objects),
    );
    for finding in &verified.findings {
        let lane = finding.lane.map_or(String::new(), |lane| format!(", lane {lane}"));
        let lsn = finding.lsn.map_or(String::new(), |lsn| format!(" at {lsn}"));
        text += &format!("DAMAGE: {}{lane}{lsn}: {}\n", finding.tier, finding.what);
    }
    match verified.findings.len() {
        0 => text + "all of it is whole\n",
        found => text + &format!("{found} found\n"),
    }
}
