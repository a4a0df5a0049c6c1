//! One owner at a time, in one process and between two.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::tail::{MapError, MappedView, Tail, TailLane, TailRead};

/// Opens the tail, stores a word without a fence, says so, and holds on until killed or its input ends.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn holder() {
    let tail = Arc::new(Mapped::open(helper_path(), &asking(MediumAsk::File)).unwrap());
    let mut lane = tail.lane(64, 64).unwrap();
    lane.store_word(0, 42);
    println!("\nholding");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn start_holder(path: &std::path::Path) -> Child {
    let mut child =
        helper("lock::holder", path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the holder did not get the tail");
    child
}

#[test]
fn a_second_open_in_one_process_is_refused() {
    let at_once = MapOptions { lock_wait_ms_max: 0, ..asking(MediumAsk::File) };
    for dir in directories() {
        let (path, first) = create(&dir, MediumAsk::File);
        let refused = Mapped::open(&path, &at_once).unwrap_err();
        assert!(matches!(&refused, MapError::Held { waited_ms: 0, .. }), "{refused}");
        assert!(refused.to_string().contains(path.to_str().unwrap()));
        MappedView::open(&path).unwrap();
        let lane = first.lane(0, 64).unwrap();
        drop(first);
        Mapped::open(&path, &at_once).expect_err("a lane keeps its tail");
        drop(lane);
        Mapped::open(&path, &asking(MediumAsk::File)).unwrap();
    }
}

#[test]
fn killing_the_owner_frees_the_tail_and_loses_no_store() {
    for dir in directories() {
        let (path, tail) = create(&dir, MediumAsk::File);
        drop(tail);
        let mut holder = start_holder(&path);
        let options = MapOptions { lock_wait_ms_max: 50, ..asking(MediumAsk::File) };
        let started = Instant::now();
        assert!(matches!(Mapped::open(&path, &options), Err(MapError::Held { waited_ms: 50, .. })));
        assert!(started.elapsed() >= Duration::from_millis(50), "it waits as long as it may");
        holder.kill().unwrap();
        holder.wait().unwrap();
        let mut word = [0; 8];
        Mapped::open(&path, &asking(MediumAsk::File)).unwrap().read(64, &mut word).unwrap();
        assert_eq!(u64::from_ne_bytes(word), 42);
    }
}

#[test]
fn an_open_waits_for_the_owner_to_end() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::File);
    drop(tail);
    let mut holder = start_holder(&path);
    let options = MapOptions { lock_wait_ms_max: 60_000, ..asking(MediumAsk::File) };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Mapped::open(&path, &options).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(holder.stdin.take());
        waiting.join().unwrap().unwrap();
    });
    assert!(holder.wait().unwrap().success());
}
