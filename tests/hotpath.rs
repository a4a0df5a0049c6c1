//! Between append and commit at `Power` the writer's thread makes no system call and allocates nothing: a million 64-byte
//! commits on an emulated tail of 256 MiB, drainers running. Between markers, seen from outside by strace and from inside
//! by the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;

use tierlog::{Config, Durability, Log, Medium};

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
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    if let Err(why) = traceable(&trace) {
        println!("SKIPPED: needs strace and the right to trace: {why}");
        return;
    }
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_million_commits_allocate_nothing", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let calls = between_markers(&text);
    let (writer, others) = calls.expect("both markers, on one thread");
    assert_eq!(writer, Vec::<&str>::new(), "system calls of the writer's thread");
    assert!(others > 0, "the background was at work meanwhile");
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
