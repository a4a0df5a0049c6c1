//! `tierlog doctor`: the flags, the report.

use std::path::PathBuf;

use tierlog_numa::Topology;
use tierlog_tiers::nvme::{free_bytes, uring_refusal};
use tierlog_tiers::tail::{is_region, probe};

use super::finding::{Finding, Verdict};
use super::roots::{Roots, existing};
use super::{disk, memory, near, system};
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::output;
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  tierlog doctor /srv/log                                 a directory where a log is, or is to be
  tierlog doctor /srv/log --tail /mnt/pmem0/tail          its tail elsewhere
  tierlog doctor /srv/log --json | jq '.[] | select(.verdict != \"ok\")'

Exit status: 0 nothing to mend (advice at most), 3 something to mend, 4 what is promised may not be kept;
the others as of every command (tierlog --help).";

/// Checks what lies below a log: memory, file system, device, kernel, clock, processors; and says what mends it
///
/// Works before there is a log, and beside one that is open. Leaves nothing behind.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct DoctorArgs {
    /// The log's directory, or the one that it is to be made in
    #[arg(value_hint = clap::ValueHint::DirPath)]
    log: Option<PathBuf>,
    /// The findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `tierlog doctor`.
pub(in crate::cli) fn run(args: &DoctorArgs, mut config: Config) -> Outcome {
    if let Some(dir) = &args.log {
        config.dir.clone_from(dir);
    }
    let found = examine(&Roots::machine(), &config)?;
    if args.json {
        output::print_json(&found)?;
    } else {
        output::print(text(&found).as_bytes())?;
    }
    Ok(match found.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Unsafe) => Status::NotKept,
        Some(Verdict::Mend) => Status::Damage,
        _ => Status::Done,
    })
}

fn examine(roots: &Roots, config: &Config) -> Result<Vec<Finding>, Failure> {
    let nvme = config.nvme_path();
    let geometry = config.geometry()?;
    let tails = config.tail_places();
    let mut found = Vec::new();
    for place in &tails {
        // What is not there yet will lie in the nearest directory that is.
        let at = if is_region(&place.path) { Some(place.path.clone()) } else { existing(&place.path) };
        let at = at.unwrap_or_else(|| place.path.clone());
        found.extend(memory::examine(roots, &place.path, &probe(&at)));
    }
    let on_disk = tails.iter().filter(|place| !is_region(&place.path)).count() as u64;
    let made = config.dir.join("owner").exists() || nvme.join("superblock").exists();
    let wanted = if made { 0 } else { on_disk * crate::open::tail_bytes(&geometry) };
    let wanted = wanted + u64::from(config.nvme.spare_segments + 1) * geometry.nvme_segment_bytes;
    let free = existing(&nvme).and_then(|at| free_bytes(&at).ok());
    found.extend(disk::examine(roots, &nvme, free, wanted));
    let places: Vec<_> = tails.into_iter().map(|place| (place.path, place.node)).collect();
    found.extend(near::examine(roots, &Topology::detect(), &places, &nvme));
    found.extend(system::examine(roots, uring_refusal().as_deref()));
    Ok(found)
}

fn text(found: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { about, verdict, why, mend } in found {
        let word = match verdict {
            Verdict::Ok => "ok    ",
            Verdict::Advice => "advice",
            Verdict::Mend => "MEND  ",
            Verdict::Unsafe => "UNSAFE",
        };
        text += &format!("{word}  {about}: {why}\n");
        if let Some(mend) = mend {
            text += &format!("        -> {mend}\n");
        }
    }
    let of = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
    let [ok, advice, mend, bad] = [Verdict::Ok, Verdict::Advice, Verdict::Mend, Verdict::Unsafe].map(of);
    text + &format!("{ok} ok, {advice} to consider, {mend} to mend, {bad} unsafe\n")
}
