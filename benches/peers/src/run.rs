//! A run: a process for each medium, since libpmemlog takes the environment's word for what memory is; results at the end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tierlog::bench::cpus::Cpus;
use tierlog::bench::csv::csv;
use tierlog::bench::report::html;
use tierlog::bench::results::{Results, SCHEMA, Skipped};
use tierlog::bench::run::kept;
use tierlog::bench::run::machine;
use tierlog::bench::run::noise::Watch;
use tierlog::bench::run::places::Places;
use tierlog_tiers::clock::Ticks;
use tierlog_tiers::nvme::{Directory, DirectoryOptions};

use crate::measure::Measured;
use crate::peer::{Medium, Outcome, Place};
use crate::peers::{ABSENT, KINDS};
use crate::table;
use crate::verdict::verdict;
use crate::version::locked;

/// Free on each medium before a run: what its largest point leaves about.
const FREE_BYTES_MIN: u64 = 8 << 30;

/// Runs all, and keeps the results in a folder that is not there yet.
pub fn run(quick: bool, tail: Option<&Path>, nvme: Option<&Path>, out: Option<PathBuf>) -> Outcome<()> {
    let places = Places::take(tail, nvme)?;
    check(&places)?;
    let (cpus, ticks) = (Cpus::detect(), Ticks::calibrate());
    let mut machine = machine::facts(&cpus, places.media.clone());
    for kind in KINDS {
        machine.facts.insert(format!("peer {}", kind.name), (kind.about)());
    }
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let folder = out.unwrap_or_else(|| {
        Path::new("bench-results").join(&machine.host).join(format!("peers-{}", began.as_secs()))
    });
    kept::make(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let watch = Watch::begin(ticks);
    let mut all = Measured { figures: Vec::new(), skipped: absent() };
    for (nth, medium) in [Medium::Tail, Medium::Disk].into_iter().enumerate() {
        match one(&places, nth, medium, quick) {
            Ok(measured) => {
                all.figures.extend(measured.figures);
                all.skipped.extend(measured.skipped);
            }
            Err(error) => {
                let what = format!("all on {}", table::name(medium));
                all.skipped.push(Skipped { what, why: error.to_string() });
            }
        }
    }
    let results = Results {
        schema: SCHEMA.into(),
        version: locked("tierlog").into(),
        command: std::env::args().collect(),
        profile: if quick { "peers, quick" } else { "peers" }.into(),
        began_unix_ms: began.as_millis() as u64,
        took_ms: SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(began).as_millis() as u64,
        machine,
        noise: watch.end(ticks, cpus.count(), &all.figures),
        verdict: verdict(&all.figures),
        figures: all.figures,
        skipped: all.skipped,
    };
    let files = [
        (kept::RESULTS, serde_json::to_vec_pretty(&results)?),
        ("results.csv", csv(&results).into_bytes()),
        ("report.html", html(&results).into_bytes()),
    ];
    for (name, bytes) in files {
        kept::write(&folder.join(name), &bytes)?;
    }
    table::ending(&results, &folder);
    if results.figures.is_empty() { Err("nothing could be measured".into()) } else { Ok(()) }
}

/// Whether the comparison means something here.
fn check(places: &Places) -> Outcome<()> {
    for medium in &places.media {
        println!("{}: {}, {}", medium.name, medium.path, medium.description);
        let options = DirectoryOptions { read_only: true, ..DirectoryOptions::default() };
        let on_disk =
            || Directory::open(Path::new(&medium.path), &options).map(|dir| dir.medium().block_backed);
        if medium.emulated && on_disk()? {
            let why =
                "memory in the place of persistent memory is compared on tmpfs, where an fsync costs nothing";
            return Err(format!("{}: {why}: name a directory there by --tail", medium.path).into());
        }
    }
    let (tail, nvme) = places.free_bytes()?;
    if tail.min(nvme) < FREE_BYTES_MIN {
        let (tail, nvme, least) = (tail >> 30, nvme >> 30, FREE_BYTES_MIN >> 30);
        return Err(
            format!("free: {tail} GiB on the tail's medium, {nvme} on the disk; {least} are needed").into()
        );
    }
    Ok(())
}

fn absent() -> Vec<Skipped> {
    ABSENT.iter().map(|(what, why)| Skipped { what: (*what).into(), why: (*why).into() }).collect()
}

/// One medium, in a process of its own.
fn one(places: &Places, nth: usize, medium: Medium, quick: bool) -> Outcome<Measured> {
    let rooms = places.rooms(nth)?;
    let (dir, promise) = match medium {
        Medium::Tail => (rooms.tail(), places.grounds.tail_promise),
        Medium::Disk => (rooms.nvme().join("logs"), places.grounds.nvme_promise),
    };
    let emulated = medium == Medium::Tail && places.grounds.emulated();
    let nvme_dir = rooms.nvme().join("behind");
    std::fs::create_dir_all(&dir)?;
    std::fs::create_dir_all(&nvme_dir)?;
    let place = Place { medium, emulated, promise: promise.into(), dir, nvme_dir, threads: 1 };
    let into = rooms.nvme().join("measured.json");
    let mut child = Command::new(std::env::current_exe()?);
    child.arg("measure").arg(serde_json::to_string(&place)?).arg(&into);
    child.args(quick.then_some("--quick"));
    child.env("WALRUS_QUIET", "1").env("WALRUS_DATA_DIR", &place.dir);
    if emulated {
        child.env("PMEM_IS_PMEM_FORCE", "1");
    } else {
        child.env_remove("PMEM_IS_PMEM_FORCE");
    }
    let ended = child.status()?;
    if !ended.success() {
        return Err(format!("its process ended by {ended}").into());
    }
    Ok(serde_json::from_reader(File::open(&into)?)?)
}
