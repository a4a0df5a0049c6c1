//! Between append and commit at `Power` the writer's thread makes no system call and allocates nothing: a million 64-byte
//! commits on an emulated tail of 256 MiB, drainers running. Between markers, seen from outside by strace and from inside
//! by the allocator. On an ordinary tail, whose commits write to NVMe, what a commit that begins another segment asks of the
//! system: nothing that makes, moves or grows a file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;

use tierlog::{Config, Durability, DurableWith, Log, Medium};

const COMMITS: u64 = 1_000_000;
const PAYLOAD: [u8; 64] = [0x5a; 64];
/// Paths that are not there: asking for them is a system call that a trace shows.
const BEGINS: &str = "/tierlog-hot-path-begins";
const ENDS: &str = "/tierlog-hot-path-ends";

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator; counts what the calling thread asks of it.
struct Counting;

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it came; the counter is a plain cell of the thread, which allocates
// nothing and is never dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn the_counter_sees_an_allocation() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(7_u64)));
    assert_eq!(ALLOCATIONS.get() - before, 2, "one to get it, one to give it back");
}

/// A ring that takes all commits: none waits for room.
fn config(dir: &Path) -> Config {
    let mut config = Config::new(dir);
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.tail.segments = Some(64);
    config.tail.segment_bytes = Some(4 << 20);
    config
}

#[test]
fn a_million_commits_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(config(dir.path())).unwrap();
    let mut writer = log.writer().unwrap();
    assert!(std::fs::metadata(BEGINS).is_err());
    let before = ALLOCATIONS.get();
    for _ in 0..COMMITS {
        writer.append(7, &PAYLOAD).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    let allocations = ALLOCATIONS.get() - before;
    assert!(std::fs::metadata(ENDS).is_err());
    let lane = &log.metrics().lanes[writer.lane().0 as usize];
    assert_eq!((allocations, lane.commits, lane.waits_for_room), (0, COMMITS, 0));
    assert!(lane.runs > 0, "the drainer was at work: {lane:?}");
    drop(writer);
    log.close().unwrap();
}

#[test]
fn a_million_commits_make_no_system_call() {
    let Some((writer, others)) = traced("a_million_commits_allocate_nothing") else { return };
    assert_eq!(writer, Vec::<String>::new(), "system calls of the writer's thread");
    assert!(others > 0, "the background was at work meanwhile");
}

/// Segments of 64 blocks, and of those as many ready as are begun.
const ROTATIONS: u64 = 6;
const SEGMENT_BYTES: u64 = 256 << 10;

#[test]
fn commits_on_an_ordinary_tail_begin_segments_that_are_ready() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.tail.medium = Medium::File;
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(64 << 10);
    config.nvme.segment_bytes = Some(SEGMENT_BYTES);
    config.nvme.spare_segments = ROTATIONS as u32 + 1;
    config.nvme.durable = Some(DurableWith::Odsync);
    let (log, _) = Log::open(config).unwrap();
    let mut writer = log.writer().unwrap();
    assert!(std::fs::metadata(BEGINS).is_err());
    for _ in 0..ROTATIONS * SEGMENT_BYTES / 4096 {
        writer.append(7, &PAYLOAD).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    assert!(std::fs::metadata(ENDS).is_err());
    assert_eq!(log.metrics().lanes[writer.lane().0 as usize].waits_for_segment, 0);
    drop(writer);
    log.close().unwrap();
}

#[test]
fn a_rotation_makes_moves_and_grows_no_file() {
    let Some((writer, _)) = traced("commits_on_an_ordinary_tail_begin_segments_that_are_ready") else {
        return;
    };
    let mut counts = std::collections::BTreeMap::new();
    for call in writer.iter().filter(|call| !call.starts_with("<...")) {
        assert!(!call.contains("O_CREAT"), "{call}");
        *counts.entry(call.split('(').next().unwrap_or(call)).or_insert(0_u64) += 1;
    }
    println!("{counts:?}");
    // Each commit is one write, and nothing else: segments that are begun are open already. And memory is asked for.
    let expected = ["pwritev2", "brk", "mmap", "mprotect", "munmap", "madvise"];
    let others: Vec<_> = counts.keys().filter(|name| !expected.contains(name)).collect();
    assert_eq!(others, Vec::<&&str>::new(), "{counts:?}");
    assert_eq!(counts["pwritev2"], ROTATIONS * SEGMENT_BYTES / 4096, "{counts:?}");
}

/// What the thread that commits in the test asks of the system between the markers, and how many calls others make.
fn traced(test: &str) -> Option<(Vec<String>, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    if let Err(why) = traceable(&trace) {
        println!("SKIP: needs strace and the right to trace: {why}");
        return None;
    }
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let (writer, others) = between_markers(&text).expect("both markers, on one thread");
    Some((writer.into_iter().map(|call| call.trim_start().to_owned()).collect(), others))
}

fn traceable(trace: &Path) -> Result<(), String> {
    let tried = Command::new("strace")
        .arg("-o")
        .arg(trace)
        .arg("true")
        .output()
        .map_err(|error| error.to_string())?;
    if tried.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&tried.stderr).into_owned()) }
}

/// The lines of the writer's thread between the markers, and how many other threads have there.
fn between_markers(trace: &str) -> Option<(Vec<&str>, usize)> {
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let marker = |name: &str| lines.iter().position(|(_, call)| call.contains(&format!("\"{name}\"")));
    let (begin, end) = (marker(BEGINS)?, marker(ENDS)?);
    let writer = lines[begin].0;
    if lines[end].0 != writer || begin > end {
        return None;
    }
    // The first marker is told in two lines where another thread came between.
    let unfinished = lines[begin].1.contains("<unfinished");
    let mut own: Vec<&str> =
        lines[begin + 1..end].iter().filter(|(thread, _)| *thread == writer).map(|(_, call)| *call).collect();
    if unfinished && own.first().is_some_and(|call| call.contains("resumed>")) {
        own.remove(0);
    }
    let all = end - begin - 1;
    let others = all - own.len() - usize::from(unfinished);
    Some((own, others))
}

#[test]
fn what_a_trace_says() {
    let line = |thread: u32, call: &str| format!("{thread}  {call}\n");
    let quiet = [
        line(5, &format!("statx(AT_FDCWD, \"{BEGINS}\", 0) = -1")),
        line(6, "write(1)"),
        line(5, &format!("statx(\"{ENDS}\")")),
    ];
    assert_eq!(between_markers(&quiet.concat()), Some((vec![], 1)));
    let split = [
        line(5, &format!("statx(AT_FDCWD, \"{BEGINS}\", <unfinished ...>")),
        line(6, "futex(1)"),
        line(5, "<... statx resumed>) = -1"),
        line(5, "sched_yield()"),
        line(5, &format!("statx(\"{ENDS}\")")),
    ];
    assert_eq!(between_markers(&split.concat()), Some((vec![" sched_yield()"], 1)));
    assert_eq!(between_markers(&quiet[..2].concat()), None);
}
