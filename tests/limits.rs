//! Limits of a process that are too small: an open says which, changes nothing that counts and leaks nothing, whatever it
//! fails at; a log that is open goes on committing when there is nothing more to be had.

mod support;

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use support::child::{self, Voice};
use support::count::count;
use support::image::Image;
use support::records::{Kept, all, fill, reopened, small};
use tierlog::{Config, Durability, Error, Log, Medium, Remedy};

/// Batches of the log that is opened, and their bytes at most.
const BATCHES: (usize, usize) = (60, 700);

fn config(dir: &Path, medium: Medium, archived: bool) -> Config {
    let mut config = small(dir, medium);
    if archived {
        config.archive.address = dir.join("archive").display().to_string();
        config.archive.accept_local = true;
    }
    config
}

/// A log that was killed, and what it holds.
fn killed_log(dir: &Path, medium: Medium, archived: bool) -> Vec<Kept> {
    let config = config(dir, medium, archived);
    let (log, _) = Log::open(config).unwrap();
    fill(&log, BATCHES.0, BATCHES.1);
    let (kept, image) = (all(&log), Image::take(dir));
    log.close().unwrap();
    image.put(dir);
    kept
}

/// Sets a limit of this process; the larger one above it stays, so that it can be taken back.
fn limit(resource: &str, value: impl std::fmt::Display) {
    let process = std::process::id().to_string();
    let set = Command::new("prlimit").args(["--pid", &process, &format!("--{resource}={value}:")]).status();
    assert!(set.unwrap().success());
}

/// What an open that failed for want of something has to be like.
fn says_what_is_missing(error: &Error, word: &str) {
    let text = error.to_string();
    assert!(
        matches!(error, Error::Io { .. } | Error::Archive(_) | Error::NoRoom { .. } | Error::Full { .. }),
        "{error:?}"
    );
    assert!(text.contains(word), "{text:?} does not say what to do: {word}");
    assert!(matches!(error.remedy(), Remedy::Operator | Remedy::Retry), "{error:?}");
}

fn descriptors() -> usize {
    // One of them is the listing's own.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// This program in a process of its own that does `task`; how it ended.
fn run(test: &str, task: &str) -> Output {
    child::command(test, task).output().unwrap()
}

fn all_there(output: &Output, task: &str) {
    let said = child::said(&output.stdout);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.iter().any(|line| line == "all there"),
        "{task}: {said:#?}\n{text}"
    );
    println!("{task}: {}", said.join("; "));
}

#[test]
fn descriptors_too_few_to_open_with() {
    for (medium, archived) in [("file", false), ("emulated", false), ("emulated", true)] {
        let dir = tempfile::tempdir().unwrap();
        let task = format!("{medium} {archived} {}", dir.path().display());
        all_there(&run("open_with_more_and_more_descriptors", &task), &task);
    }
}

fn medium_of(name: &str) -> Medium {
    if name == "file" { Medium::File } else { Medium::Emulated }
}

fn of_task(task: &str) -> (Medium, bool, &Path) {
    let [medium, archived, dir] = task.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    (medium_of(medium), archived == "true", Path::new(dir))
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn open_with_more_and_more_descriptors() {
    let Some(task) = child::task() else { return };
    let (medium, archived, dir) = of_task(&task);
    let voice = Voice::new();
    for made in [false, true] {
        let dir = dir.join(made.to_string());
        let kept = if made { killed_log(&dir, medium, archived) } else { Vec::new() };
        let config = config(&dir, medium, archived);
        let before = descriptors();
        let mut failed = 0;
        // An archive is asked again for ten seconds, each time.
        let step = if archived && count("TIERLOG_EVERY_LIMIT", 0) == 0 { 6 } else { 1 };
        for more in (0..).step_by(step) {
            limit("nofile", before + more);
            match Log::open(config.clone()) {
                Ok((log, _)) => {
                    limit("nofile", 1024);
                    assert_eq!(all(&log), kept);
                    drop(log);
                    voice
                        .say(&format!("made {made}: refused {failed} times, opened with {more} descriptors"));
                    break;
                }
                Err(error) => says_what_is_missing(&error, "ulimit -n"),
            }
            failed += 1;
            limit("nofile", 1024);
            // The archive's thread ends when nobody waits for it.
            let until = Instant::now() + Duration::from_secs(10);
            while descriptors() > before {
                assert!(Instant::now() < until, "left open");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(failed > 0, "opened with next to none");
        assert_eq!(reopened(&config), kept);
    }
    voice.say("all there");
}

/// Once a log is open it needs no more of them but to make room; without room it says so, and goes on when it may.
#[test]
fn descriptors_that_run_out_later() {
    for (medium, archived) in [("file", false), ("emulated", false), ("emulated", true)] {
        let dir = tempfile::tempdir().unwrap();
        let task = format!("{medium} {archived} {}", dir.path().display());
        all_there(&run("commit_without_descriptors", &task), &task);
    }
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn commit_without_descriptors() {
    let Some(task) = child::task() else { return };
    let (medium, archived, dir) = of_task(&task);
    let voice = Voice::new();
    let kept = killed_log(dir, medium, archived);
    let mut config = config(dir, medium, archived);
    config.tail.full_wait_ms_max = 500;
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut writer = log.writer().unwrap();
    let mut next = 0;
    let mut commit = |count: u32| -> Result<u32, Error> {
        // What was refused is published already: this covers it.
        writer.commit(Durability::Power)?;
        for _ in 0..count {
            writer.append(next, &next.to_le_bytes().repeat(250))?;
            next += 1;
            writer.commit(Durability::Power)?;
        }
        Ok(next)
    };
    let begun = commit(1).unwrap();
    limit("nofile", 5);
    // Many laps of the ring, and more than a segment of NVMe holds.
    let stopped = commit(2_000);
    limit("nofile", 1024);
    let Err(error) = stopped else { panic!("files were opened without descriptors") };
    assert!(matches!(error, Error::NoRoom { .. } | Error::Full { .. }), "{error:?}");
    says_what_is_missing(&error, "ulimit -n");
    let until = Instant::now() + Duration::from_secs(20);
    let ended = loop {
        match commit(200) {
            Ok(ended) => break ended,
            Err(error) => assert!(matches!(error, Error::Full { .. }) && Instant::now() < until, "{error}"),
        }
    };
    let without = ended - 200 - begun;
    assert!(without > 20, "{without} commits without descriptors");
    voice.say(&format!("{without} commits without descriptors, then {error}"));
    drop(writer);
    log.close().unwrap();
    let there = reopened(&config);
    assert_eq!(there[..kept.len()], kept);
    let numbers: Vec<u32> = there[kept.len()..].iter().map(|record| record.stream).collect();
    assert_eq!(numbers, (0..ended).collect::<Vec<_>>());
    voice.say("all there");
}

/// Where threads are counted for each user, and root is not: as somebody who has nothing else running.
#[test]
fn threads_too_few() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return println!("SKIP: only root runs things as somebody else");
    }
    for (medium, archived) in [("file", false), ("emulated", true)] {
        let dir = tempfile::tempdir().unwrap();
        let user = 0x4000_0000 + std::process::id();
        killed_log(dir.path(), medium_of(medium), archived);
        let given = Command::new("chown").arg("-R").arg(user.to_string()).arg(dir.path()).status().unwrap();
        assert!(given.success());
        let mut opened = 0;
        for threads in 0.. {
            let task = format!("{threads} {medium} {archived} {}", dir.path().display());
            let output = child::command("open_with_few_threads", &task).uid(user).gid(user).output().unwrap();
            all_there(&output, &task);
            opened += usize::from(child::said(&output.stdout).iter().any(|line| line == "opened"));
            // Also what an open goes on without.
            if opened == 4 {
                assert!(threads > 5, "opened with next to none");
                break;
            }
            assert!(threads < 40, "never opened");
        }
    }
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn open_with_few_threads() {
    let Some(task) = child::task() else { return };
    let (threads, rest) = task.split_once(' ').unwrap();
    let (medium, archived, dir) = of_task(rest);
    let voice = Voice::new();
    let config = config(dir, medium, archived);
    // This thread and the runner's are there.
    let there = std::fs::read_dir("/proc/self/task").unwrap().count() as u64;
    limit("nproc", there + threads.parse::<u64>().unwrap());
    match Log::open(config) {
        Ok((log, _)) => {
            assert_eq!(all(&log).len(), 120);
            let mut writer = log.writer().unwrap();
            writer.append(0, b"one more").unwrap();
            writer.abort().unwrap();
            voice.say("opened");
        }
        Err(error) => {
            says_what_is_missing(&error, "ulimit -u");
            voice.say(&error.to_string());
        }
    }
    voice.say("all there");
}

/// Steps of addresses that an open may use beyond what the process has.
const STEP_BYTES: u64 = 256 << 10;
/// What the language ends the process for, if it cannot be had, is less than this: nothing large is taken unasked.
const UNASKED_BYTES: u64 = 64 << 10;
/// So much that it is mapped, and unmapped, by itself.
const BALLAST_BYTES: usize = 40 << 20;

#[test]
fn addresses_too_few() {
    for (medium, archived) in [("file", false), ("emulated", true)] {
        let dir = tempfile::tempdir().unwrap();
        let kept = killed_log(dir.path(), medium_of(medium), archived);
        let (mut from, mut ended) = (0, 0);
        loop {
            let task = format!("{from} {medium} {archived} {}", dir.path().display());
            let output = run("open_in_more_and_more_memory", &task);
            let said = child::said(&output.stdout);
            if output.status.success() {
                all_there(&output, &task);
                break;
            }
            let why = String::from_utf8_lossy(&output.stderr);
            let bytes = why.split_once("memory allocation of ").and_then(|(_, rest)| rest.split(' ').next());
            let bytes: Option<u64> = bytes.and_then(|bytes| bytes.parse().ok());
            assert!(bytes.is_some_and(|bytes| bytes < UNASKED_BYTES), "{task}: {said:#?}\n{why}");
            from = said.last().unwrap().parse::<u64>().unwrap() + 1;
            ended += 1;
        }
        println!("{medium}: ended {ended} times for want of a few bytes");
        assert_eq!(reopened(&config(dir.path(), medium_of(medium), archived)), kept);
    }
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn open_in_more_and_more_memory() {
    let Some(task) = child::task() else { return };
    let (from, rest) = task.split_once(' ').unwrap();
    let (medium, archived, dir) = of_task(rest);
    let voice = Voice::new();
    for (failed, step) in (from.parse::<u64>().unwrap()..).enumerate() {
        voice.say(&step.to_string());
        // For what takes the limit back.
        let ballast = vec![0_u8; BALLAST_BYTES];
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let there = pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        limit("as", there + step * STEP_BYTES);
        let opened = Log::open(config(dir, medium, archived));
        drop(ballast);
        limit("as", "unlimited");
        match opened {
            Ok((log, _)) => {
                assert_eq!(all(&log).len(), 120);
                voice.say(&format!("refused {failed} times, opened at {step}"));
                break;
            }
            Err(error) => says_what_is_missing(&error, "allow more"),
        }
    }
    voice.say("all there");
}
