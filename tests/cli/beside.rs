//! Beside a process that appends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::tierlog::{Place, run};

const MEDIA: [&[&str]; 2] = [&["--medium", "file"], &["--emulated"]];

#[test]
fn all_but_a_second_writer() {
    for flags in MEDIA {
        let place = Place::with(flags);
        let mut appending = place.appending(&["--lanes-used", "2"]);
        for line in ["one\n", "two\n", "three\n"] {
            appending.give(line.as_bytes());
            appending.ack();
        }
        assert_eq!(run(&mut place.command(&["follow", "--limit", "3"]), b"").text(), "one\ntwo\nthree\n");
        assert_eq!(place.run(&["cat"]).text(), "one\ntwo\nthree\n");
        assert_eq!(place.run(&["cat", "--lane", "1"]).text(), "two\n");
        let info = place.run(&["info", "--json"]).json();
        assert_eq!((&info["live"], &info["epoch"]), (&true.into(), &1.into()));
        let owner = format!("process {} (tierlog)", appending.id());
        assert_eq!(info["owner"], *owner);
        let nvme = info["nvme"].as_str().unwrap();
        assert!(nvme.contains(" by pwrite") || nvme.contains(" by io_uring"), "{nvme}");
        place.run(&["verify"]).done();
        let refused = run(place.command(&["append"]).args(["--lock-wait-ms-max", "50"]), b"never\n");
        refused.refused(1, &format!("open for writing by {owner}"));
        appending.give(b"four\n");
        appending.ack();
        appending.finish();
        assert_eq!(place.run(&["cat"]).text(), "one\ntwo\nthree\nfour\n");
        assert_eq!(place.run(&["info", "--json"]).json()["live"], false);
    }
}

#[test]
fn cat_ends_though_the_writer_does_not() {
    let place = Place::with(&["--emulated"]);
    let mut appending = place.appending(&["--lanes-used", "2", "--batch", "10"]);
    let mut input = appending.input();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let feeder = std::thread::spawn(move || {
        let mut given = 0_u64;
        while !stopping.load(Ordering::Relaxed) {
            input.write_all(&b"without end\n".repeat(100)).unwrap();
            given += 100;
        }
        given
    });
    for _ in 0..20 {
        appending.ack();
    }
    // Acknowledgements are to be read, or the writer waits.
    let reader = std::thread::spawn(move || appending.drain());
    let came = place.run(&["cat"]).text();
    stop.store(true, Ordering::Relaxed);
    assert!(came.lines().count() >= 100 && came.lines().all(|line| line == "without end"));
    let given = feeder.join().unwrap();
    assert_eq!(10 * (reader.join().unwrap().len() as u64 + 20), given);
    assert_eq!(place.run(&["cat"]).text().lines().count() as u64, given);
}

/// A process that follows; killed when dropped.
struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    fn new(place: &Place, args: &[&str]) -> Self {
        let mut child = place.command(&["follow"]).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Following { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_follower_goes_from_owner_to_owner() {
    for flags in MEDIA {
        let place = Place::with(flags);
        // Lane 1 has a record of the first open only.
        place.append(&["--lanes-used", "2"], b"zero\nelsewhere\n").done();
        let mut first = place.appending(&[]);
        first.give(b"one\n");
        first.ack();
        let mut following = Following::new(&place, &["--limit", "7"]);
        let mut lane = Following::new(&place, &["--lane", "0", "--limit", "6"]);
        let mut other = Following::new(&place, &["--lane", "1"]);
        let (a, b) = (following.line(), following.line());
        assert!([&*a, &*b].contains(&"zero\n") && [&*a, &*b].contains(&"elsewhere\n"));
        assert_eq!((&*lane.line(), &*other.line()), ("zero\n", "elsewhere\n"));
        let mut both = |line: &str| {
            assert_eq!((following.line(), lane.line()), (line.to_string(), line.to_string()));
        };
        both("one\n");
        first.give(b"two\n");
        first.ack();
        both("two\n");
        // One that ends well, one that is killed, and one more.
        first.finish();
        let mut second = place.appending(&[]);
        second.give(b"three\n");
        second.ack();
        both("three\n");
        second.give(b"four\n");
        second.ack();
        both("four\n");
        second.kill();
        place.append(&[], b"five\n").done();
        both("five\n");
        assert_eq!(following.child.wait().unwrap().code(), Some(0));
        assert_eq!(lane.child.wait().unwrap().code(), Some(0));
        assert!(other.child.try_wait().unwrap().is_none());
    }
}

#[test]
fn a_follower_ends_when_nothing_comes() {
    let place = Place::new();
    place.append(&[], b"one\n").done();
    let since = std::time::Instant::now();
    assert_eq!(place.run(&["follow", "--idle-ms", "700"]).text(), "one\n");
    assert!(since.elapsed().as_millis() >= 700);
}
