//! Runs the crash lab and prints what it looked at; the last line is JSON.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use serde::Serialize;
use tierlog::sim::Mutant;
use tierlog_lab::duel::duel;
use tierlog_lab::enumerate::{Counts, Depth, enumerate};
use tierlog_lab::faults::single_faults;
use tierlog_lab::mutants::{Catch, hunt};
use tierlog_lab::random::{Found, live};
use tierlog_lab::script::{Script, scripts};

/// A seventh of the time less than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Crashes a log at every moment, in every way, and holds what comes back against what was promised.
#[derive(Debug, Parser)]
#[command(about)]
struct Args {
    /// The long form
    #[arg(long)]
    full: bool,
    /// Only scripts of this name
    #[arg(long, value_name = "NAME")]
    script: Option<String>,
    /// Runs one seed of the random simulation and prints its story
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
    /// Prints every event of the replayed seed too
    #[arg(long, requires = "replay")]
    trace: bool,
    /// Runs one duel of two owners and prints what they did
    #[arg(long, value_name = "SEED")]
    duel: Option<u64>,
    /// Only the seeded bug of this name, and nothing else
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Seeds of the random simulation; of duels, and to look for a seeded bug, at most 4,000
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Leaves the seeded bugs out
    #[arg(long)]
    no_mutants: bool,
}

/// What was done, for programs.
#[derive(Debug, Default, Serialize)]
struct Summary {
    form: &'static str,
    scripts: usize,
    #[serde(flatten)]
    counts: Counts,
    single_faults: u64,
    seeds: u64,
    duels: u64,
    crashes: u64,
    faults: u64,
    mutants: usize,
    mutants_caught: usize,
    violations: u64,
    seconds: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.replay {
        return replay(seed, args.trace);
    }
    if let Some(seed) = args.duel {
        return told(duel(seed, None), |story| story);
    }
    let began = Instant::now();
    let mut summary = Summary { form: if args.full { "full" } else { "short" }, ..Summary::default() };
    let seeds = args.seeds.unwrap_or(if args.full { 60_000 } else { 400 });
    if args.mutant.is_none() {
        run_scripts(&args, &mut summary);
        run_seeds(seeds, &mut summary);
        // A race is longer than a life.
        run_duels(seeds.min(4_000), &mut summary);
    }
    if !args.no_mutants {
        run_mutants(args.mutant.as_deref(), seeds.min(4_000), &mut summary);
    }
    summary.seconds = began.elapsed().as_secs();
    match serde_json::to_string(&summary) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("as JSON: {error}"),
    }
    let missed = summary.mutants - summary.mutants_caught;
    if summary.violations == 0 && missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    told(live(seed, None, trace), |lived| lived.story)
}

fn told<T>(result: Result<T, Box<Found>>, story: impl FnOnce(T) -> String) -> ExitCode {
    match result {
        Ok(done) => {
            println!("{}nothing broken", story(done));
            ExitCode::SUCCESS
        }
        Err(found) => {
            println!("{}{}", found.story, found.violation);
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` on every item, as many at once as there are processors.
fn on_all<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    work(item);
                }
            });
        }
    });
}

fn depth(args: &Args, script: &Script) -> Depth {
    // A long script has many moments: fewer states of each.
    let long = script.steps.len() as u64 / 32;
    let states_max = if args.full { 8192 } else { 24 } / (1 + 4 * long);
    let (go_on_one_in, nested_one_in) = if args.full { (64, 512) } else { (32, 256) };
    Depth { states_max: states_max.max(6), go_on_one_in, nested_one_in, nested_states_max: 8, seed: 1 }
}

fn run_scripts(args: &Args, summary: &mut Summary) {
    let all: Vec<Script> = scripts()
        .into_iter()
        .filter(|script| args.script.as_ref().is_none_or(|only| script.name == only))
        .collect();
    let shared = Mutex::new(&mut *summary);
    on_all(&all, |script| {
        let began = Instant::now();
        let counts = enumerate(script, None, &depth(args, script));
        let result = counts.and_then(|counts| Ok((counts, single_faults(script)?)));
        let Ok(mut summary) = shared.lock() else { return };
        match result {
            Ok((counts, faults)) => {
                println!(
                    "{script}: {counts}, {faults} single faults, {:.1} s",
                    began.elapsed().as_secs_f64()
                );
                summary.counts.add(&counts);
                summary.single_faults += faults;
            }
            Err(caught) => {
                println!("{script}: BROKEN {caught:#?}");
                summary.violations += 1;
            }
        }
        summary.scripts += 1;
    });
}

fn run_seeds(count: u64, summary: &mut Summary) {
    let seeds: Vec<u64> = (0..count).collect();
    let faults: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let shared = Mutex::new(&mut *summary);
    on_all(&seeds, |seed| {
        let result = live(*seed, None, false);
        let (Ok(mut summary), Ok(mut faults)) = (shared.lock(), faults.lock()) else { return };
        summary.seeds += 1;
        match result {
            Ok(lived) => {
                summary.crashes += lived.crashes;
                for (kind, count) in lived.faults {
                    summary.faults += count;
                    *faults.entry(kind).or_default() += count;
                }
            }
            Err(found) => {
                println!("BROKEN {}; replay: crash-lab --replay {}", found.violation, found.seed);
                summary.violations += 1;
            }
        }
    });
    println!("{} seeds, {} crashes, {} faults:", summary.seeds, summary.crashes, summary.faults);
    for (kind, count) in faults.into_inner().unwrap_or_default() {
        println!("  {kind}: {count}");
    }
}

fn run_duels(count: u64, summary: &mut Summary) {
    let seeds: Vec<u64> = (0..count).collect();
    let shared = Mutex::new(&mut *summary);
    on_all(&seeds, |seed| {
        let result = duel(*seed, None);
        let Ok(mut summary) = shared.lock() else { return };
        summary.duels += 1;
        if let Err(found) = result {
            println!("BROKEN {}; replay: crash-lab --duel {}", found.violation, found.seed);
            summary.violations += 1;
        }
    });
}

fn run_mutants(only: Option<&str>, seeds: u64, summary: &mut Summary) {
    let wanted = |mutant: &&Mutant| only.is_none_or(|only| format!("{mutant:?}") == only);
    let mutants: Vec<&Mutant> = Mutant::ALL.iter().filter(wanted).collect();
    let shared = Mutex::new(&mut *summary);
    on_all(&mutants, |mutant| {
        let catch = hunt(**mutant, seeds);
        let Ok(mut summary) = shared.lock() else { return };
        match catch {
            Catch::Caught(by) => {
                println!("{mutant:?}: caught, {by}");
                summary.mutants += 1;
                summary.mutants_caught += 1;
            }
            Catch::Elsewhere(why) => println!("{mutant:?}: not for the lab: {why}"),
            Catch::Missed => {
                println!("{mutant:?}: MISSED");
                summary.mutants += 1;
            }
        }
    });
}
