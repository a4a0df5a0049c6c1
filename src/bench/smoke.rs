//! Probes in their smallest size: each runs, and yields figures that say where and what for.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tierlog_tiers::clock::Ticks;

use super::cpus::Cpus;
use super::probe::{Kind, Pace, Session};
use super::results::{Figure, Skipped};
use super::run::places::Places;
use super::sweep::Sweep;

/// What is measured has the machine to itself.
static ONE: Mutex<()> = Mutex::new(());

/// Runs every probe of these kinds over the sweep, for a few milliseconds each.
pub fn smoke(kinds: &[Kind], sweep: &Sweep) -> (Vec<Figure>, Vec<Skipped>) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." };
    let (tail, nvme) = (tempfile::tempdir_in(memory).unwrap(), tempfile::tempdir_in(".").unwrap());
    let places = Places::take(Some(tail.path()), Some(nvme.path())).unwrap();
    let (cpus, ticks) = (Cpus::detect(), Ticks::calibrate());
    let (mut figures, mut skipped) = (Vec::new(), Vec::new());
    let probes = kinds.iter().flat_map(|kind| (kind.probes)(sweep));
    for (nth, mut probe) in probes.enumerate() {
        let rooms = places.rooms(nth).unwrap();
        let mut last = 0.0;
        let mut progress = |done: f64| {
            assert!((last..=1.0).contains(&done), "{done} after {last}");
            last = done;
        };
        let pace = Pace { time: Duration::from_millis(4), runs: 2 };
        let estimate = probe.estimate(&pace);
        let (tail, nvme) = probe.room(&pace);
        assert!(tail <= estimate.tail_bytes.max(64 << 20) && nvme <= estimate.nvme_bytes.max(64 << 20));
        assert!(estimate.time > Duration::ZERO, "{}", probe.title());
        let mut session = Session {
            pace,
            tail_dir: rooms.tail(),
            nvme_dir: rooms.nvme(),
            grounds: &places.grounds,
            cpus: &cpus,
            ticks,
            progress: &mut progress,
            skipped: Vec::new(),
        };
        let found = probe.run(&mut session).unwrap_or_else(|error| panic!("{}: {error}", probe.title()));
        skipped.append(&mut session.skipped);
        for figure in &found {
            assert!(!figure.promise.is_empty() && !figure.medium.is_empty(), "{figure:?}");
            assert!(figure.runs > 0, "{figure:?}");
            assert!(!figure.counted.values().any(|value| value.is_nan()), "{figure:?}");
        }
        figures.extend(found);
    }
    cpus.release().unwrap();
    (figures, skipped)
}
