//! Objects that were given up and are still there, because whoever gave them up was killed: found and deleted.
#![cfg(feature = "object")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::child::{self, Voice};
use support::records::{Kept, drain, small};
use tierlog::{Config, Cut, Durability, Gsn, Log, Medium, restore};

const CUTS: u32 = 150;

fn config(dir: &Path, store: &Path) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.archive.address = store.display().to_string();
    config.archive.accept_local = true;
    config.archive.gather_ms = 1;
    config.archive.linger_ms_max = 20;
    config
}

/// Object numbers, without the claims.
fn cuts(store: &Path) -> Vec<u64> {
    let names = std::fs::read_dir(store.join("seq")).unwrap().map(|entry| entry.unwrap().path());
    // docs/FORMAT.md: the kind stands 20 bytes into the body.
    let is_cut = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes[44] == 2);
    let numbers =
        names.filter(is_cut).map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap());
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort();
    numbers
}

/// The first number that is whole, as the archive says.
fn base(store: &Path) -> u64 {
    let bytes = std::fs::read(store.join("base")).unwrap();
    u64::from_le_bytes(bytes[40..48].try_into().unwrap())
}

/// Archives, says so, gives up what lies before the newest, and waits to be killed.
#[test]
#[ignore = "runs as a child of the next test"]
fn gives_up_until_killed() {
    let Some(task) = child::task() else { return };
    let (dir, store) = task.split_once('|').unwrap();
    let (log, _) = Log::open(config(Path::new(dir), Path::new(store))).unwrap();
    let mut writer = log.writer().unwrap();
    let mut newest = Gsn(0);
    for n in 0..CUTS {
        writer.append(n, &n.to_le_bytes()).unwrap();
        newest = writer.commit(Durability::Machine).unwrap().stamp.gsn;
    }
    Voice::new().say("archived");
    log.trim_archive(newest).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_trim_that_was_killed_behind_the_base_leaves_nothing_for_good() {
    let place = tempfile::tempdir().unwrap();
    let (dir, store) = (place.path().join("log"), place.path().join("store"));
    let task = format!("{}|{}", dir.display(), store.display());
    let mut interrupted = 0;
    for _ in 0..4 {
        let given_up = base_of(&store);
        child::end_after(
            &mut child::command("gives_up_until_killed", &task),
            "archived",
            Duration::ZERO,
            |child| {
                let until = Instant::now() + Duration::from_secs(60);
                while base_of(&store) == given_up {
                    assert!(Instant::now() < until, "the base was never raised");
                }
                child.kill().unwrap();
                child.wait().unwrap();
            },
        );
        let (base, left) = (base(&store), cuts(&store));
        let orphans = left.iter().filter(|number| **number < base).count();
        interrupted += usize::from(orphans > 0);
        println!("killed with {orphans} objects below the base");
        // What counts is restored whatever lies below.
        let again = place.path().join("again");
        restore(&config(&again, &store)).unwrap();
        std::fs::remove_dir_all(&again).unwrap();
        // An open finds them by itself.
        let (log, _) = Log::open(config(&dir, &store)).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while cuts(&store).first().is_some_and(|number| *number < base) {
            assert!(Instant::now() < until, "{:?} below {base}", cuts(&store));
            std::thread::sleep(Duration::from_millis(20));
        }
        let there = all(&log);
        log.close().unwrap();
        assert_eq!(there.len() as u32 % CUTS, 0, "nothing that counts went");
    }
    assert!(interrupted > 0, "no trim was killed before it had deleted everything");
}

fn base_of(store: &Path) -> Option<Vec<u8>> {
    std::fs::read(store.join("base")).ok()
}

fn all(log: &Log) -> Vec<Kept> {
    drain(log.reader(&Cut::start())).0
}
