//! A run: plan, measure, keep.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::command::{BenchArgs, Media};
use super::table::{Table, time};
use crate::bench::cpus::Cpus;
use crate::bench::csv::csv;
use crate::bench::fio;
use crate::bench::report::html;
use crate::bench::results::{Results, SCHEMA};
use crate::bench::run::job::{Job, PROFILES, parse};
use crate::bench::run::places::Places;
use crate::bench::run::plan::{Item, plan, total};
use crate::bench::run::{go, kept, machine};
use crate::bench::verdict::verdict;
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::{moment, output};
use crate::number::Gsn;

/// Probes write more than this, and hold no more of it.
const HELD_BYTES_MAX: u64 = 4 << 30;

pub(super) fn run(args: &BenchArgs, media: &Media) -> Outcome {
    let (profile, jobs) = jobs(&args.profile)?;
    let mut items = plan(&jobs, &args.changes()).map_err(Failure::Usage)?;
    let places = Places::take(media.tail.as_deref(), media.nvme.as_deref()).map_err(Failure::Failed)?;
    for medium in &places.media {
        output::say(format_args!("{}: {}, {}", medium.name, medium.path, medium.description))?;
    }
    output::say(takes(&items))?;
    if args.dry_run {
        return Ok(Status::Done);
    }
    room(&places, &items)?;
    for nth in 0..=args.repeat_noisy {
        let (results, folder) = measure(args, nth, &profile, &mut items, &places)?;
        end(&results, &folder)?;
        if results.figures.is_empty() {
            return Err(Failure::Failed("nothing could be measured".into()));
        }
        if results.noise.warnings.is_empty() {
            return Ok(Status::Done);
        }
    }
    output::say("measure again on a quieter machine, or until it is: --repeat-noisy 3")?;
    Ok(Status::Done)
}

/// The jobs of a profile or a job file, and what it is called.
fn jobs(profile: &str) -> Result<(String, Vec<Job>), Failure> {
    if let Some((name, text)) = PROFILES.iter().find(|(name, _)| *name == profile) {
        let jobs = parse(text).map_err(|why| Failure::Usage(format!("the profile {name}: {why}")))?;
        return Ok((profile.into(), jobs));
    }
    if !profile.ends_with(".toml") {
        let message = format!("{profile:?} is neither quick, standard nor full, nor a job file (JOB.toml)");
        return Err(Failure::Usage(message));
    }
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("{profile}: {why}"));
    let text = std::fs::read_to_string(profile).map_err(|error| wrong(&error))?;
    Ok((profile.into(), parse(&text).map_err(|why| wrong(&why))?))
}

fn takes(items: &[Item]) -> String {
    let total = total(items);
    format!(
        "{} measurements, about {}; writes up to {} MiB to the tail's medium and {} MiB to the NVMe tier's",
        items.len(),
        time(total.time),
        total.tail_bytes.div_ceil(1 << 20),
        total.nvme_bytes.div_ceil(1 << 20)
    )
}

/// What the largest probe may hold at a time must be free.
fn room(places: &Places, items: &[Item]) -> Result<(), Failure> {
    let (tail, nvme) = places.free_bytes().map_err(Failure::io("free space"))?;
    let most = |of: fn((u64, u64)) -> u64| {
        items.iter().map(|item| of(item.probe.room(&item.pace))).max().unwrap_or(0).min(HELD_BYTES_MAX)
    };
    let wanted = [("tail", most(|(tail, _)| tail), tail), ("NVMe tier", most(|(_, nvme)| nvme), nvme)];
    for (name, wanted, free) in wanted {
        if wanted > free {
            let (wanted, free) = (wanted >> 20, free >> 20);
            let message = format!(
                "a measurement may need {wanted} MiB on the medium of the {name}, and {free} MiB are free"
            );
            return Err(Failure::Failed(message));
        }
    }
    Ok(())
}

fn measure(
    args: &BenchArgs,
    nth: u32,
    profile: &str,
    items: &mut [Item],
    places: &Places,
) -> Result<(Results, PathBuf), Failure> {
    let cpus = Cpus::detect();
    let machine = machine::facts(&cpus, places.media.clone());
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let folder = folder(args.out.as_deref(), nth, &machine.host, began.as_nanos() as u64);
    kept::make(&folder).map_err(Failure::io(folder.display()))?;
    let mut table = Table::new();
    let found = go::carry_out(items, places, &cpus, &mut table);
    table.clear();
    if let Some(failure) = table.failure {
        return Err(failure);
    }
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    let took = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(began);
    let mut results = Results {
        schema: SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: std::env::args().collect(),
        profile: profile.into(),
        began_unix_ms: began.as_millis() as u64,
        took_ms: took.as_millis() as u64,
        machine,
        noise: found.noise,
        figures: found.figures,
        skipped: found.skipped,
        verdict: Vec::new(),
    };
    results.verdict = verdict(&results);
    keep(&results, &folder)?;
    Ok((results, folder))
}

/// `bench-results/HOST/2026-11-21T08-30-00/`, or what was asked for; `OUT-again-1/` for a repeated run.
fn folder(out: Option<&Path>, nth: u32, host: &str, began_ns: u64) -> PathBuf {
    if let Some(out) = out {
        return if nth == 0 { out.into() } else { format!("{}-again-{nth}", out.display()).into() };
    }
    let date = moment::print(Gsn(began_ns));
    let date = date.split('.').next().unwrap_or(&date).replace(':', "-");
    Path::new("bench-results").join(host).join(date)
}

fn keep(results: &Results, folder: &Path) -> Result<(), Failure> {
    let json = serde_json::to_vec_pretty(results).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut files = vec![
        (kept::RESULTS, json),
        ("results.csv", csv(results).into_bytes()),
        ("report.html", html(results).into_bytes()),
    ];
    files.extend(fio::jobs(results).map(|jobs| ("equivalent.fio", jobs.into_bytes())));
    for (name, bytes) in files {
        let path = folder.join(name);
        kept::write(&path, &bytes).map_err(Failure::io(path.display()))?;
    }
    Ok(())
}

fn end(results: &Results, folder: &Path) -> Result<(), Failure> {
    for sentence in &results.verdict {
        output::say(sentence)?;
    }
    if !results.noise.warnings.is_empty() {
        output::say(format_args!("NOISY: {}", results.noise.warnings.join("; ")))?;
    }
    output::say(format_args!("results: {}", folder.display()))
}
