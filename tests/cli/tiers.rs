//! `info`, `verify` and `restore`: what lies where, whether it is whole, and from objects alone.

use std::fs;
use std::process::Command;

use crate::tierlog::{Place, records, run};

/// Changes one byte of the only file under `dir` that holds `bytes`, in their first.
fn flip(dir: &std::path::Path, bytes: &[u8]) {
    let mut flipped = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut content = fs::read(&path).unwrap();
        if let Some(at) = content.windows(bytes.len()).position(|window| window == bytes) {
            content[at] ^= 1;
            fs::write(&path, content).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
}

#[test]
fn verify_tells_by_its_status_and_names_the_place() {
    let place = Place::new();
    place.append(&[], b"sound\nabout to rot\nsound\n").done();
    let text = place.run(&["verify"]).text();
    assert!(text.contains("3 records") && text.contains("all of it is whole"), "{text}");
    let json = place.run(&["verify", "--json"]).json();
    assert_eq!((&json["records"], json["findings"].as_array().unwrap().len()), (&3.into(), 0));
    flip(&place.path("log/nvme"), b"about to rot");
    let damaged = place.run(&["verify"]);
    damaged.refused(3, "");
    let text = String::from_utf8(damaged.out).unwrap();
    assert!(text.contains("DAMAGE: ") && text.contains("lane 0 at 64"), "{text}");
    let damaged = place.run(&["verify", "--json"]);
    damaged.refused(3, "");
    let json: serde_json::Value = serde_json::from_slice(&damaged.out).unwrap();
    assert_eq!((&json["findings"][0]["lane"], &json["findings"][0]["lsn"]), (&0.into(), &64.into()));
    // What was good before it is printed, and then the error.
    let cat = place.run(&["cat"]);
    cat.refused(1, "lane 0 at 64");
    assert_eq!(cat.out, b"sound\n");
}

#[test]
fn info_tells_media_promises_and_watermarks() {
    let place = Place::new();
    place.append(&["--lanes-used", "2"], b"one\ntwo\nthree\n").done();
    let info = place.run(&["info", "--json"]).json();
    assert_eq!(
        (&info["live"], &info["closed"], &info["emulated"]),
        (&false.into(), &true.into(), &false.into())
    );
    assert_eq!(info["tails"][0]["medium"], "an ordinary file");
    assert_eq!((&info["tail_segment_bytes"], &info["tail_segments_per_lane"]), (&65_536.into(), &4.into()));
    let published: Vec<u64> =
        info["lanes"].as_array().unwrap().iter().map(|lane| lane["published"].as_u64().unwrap()).collect();
    assert_eq!(published, [128, 64, 0, 0]);
    assert_eq!(
        (&info["lanes"][0]["nvme_segments"], &info["lanes"][3]["nvme_segments"]),
        (&1.into(), &0.into())
    );
    let text = place.run(&["info"]).text();
    for says in
        ["closed; epoch 1", "power    the committing thread writes its run to the NVMe tier", "archive  none"]
    {
        assert!(text.contains(says), "{says:?} is not in {text}");
    }
}

#[test]
fn every_figure_of_an_emulated_log_says_so() {
    let place = Place::with(&["--emulated"]);
    for (args, input) in [(&["append"][..], "one\n"), (&["info"], ""), (&["verify"], "")] {
        let text = run(&mut place.command(args), input.as_bytes()).text();
        assert!(text.starts_with("EMULATED"), "{text}");
        for promise in text.lines().filter(|line| line.starts_with("power") || line.contains("p50")) {
            assert!(promise.contains("EMULATED"), "{promise}");
        }
    }
    for (args, input) in
        [(&["append", "--json"][..], "two\n"), (&["info", "--json"], ""), (&["verify", "--json"], "")]
    {
        assert_eq!(run(&mut place.command(args), input.as_bytes()).json()["emulated"], true, "{args:?}");
    }
}

#[test]
fn a_log_comes_back_from_its_archive_alone() {
    let place = Place::new();
    let archive = format!("file://{}", place.path("archive").display());
    let lines: String = (0..500).map(|i| format!("order {i}\n")).collect();
    place.append(&["--lanes-used", "2", "--archive", &archive], lines.as_bytes()).done();
    place.append(&["--archive", &archive], b"one more\n").done();
    let before = records(&place, &[]);
    assert_eq!(before.len(), 501);
    place.run(&["verify", "--archive", &archive]).done();
    fs::remove_dir_all(place.path("log")).unwrap();
    let restored = place.run(&["restore", "--archive", &archive, "--json"]).json();
    assert!(restored["objects"].as_u64() >= Some(4) && restored["frame_bytes"] == 501 * 64, "{restored}");
    assert_eq!(records(&place, &[]), before);
    place.run(&["verify", "--archive", &archive]).done();
    // It is a log like any other.
    place.append(&["--archive", &archive], b"and on\n").done();
    assert_eq!(records(&place, &[]).len(), 502);
    place.run(&["restore", "--archive", &archive]).refused(2, "empty directory");
    let other = run(&mut place.command_in(&place.path("other"), &["restore"]), b"");
    other.refused(2, "name it with --archive");
    assert!(!place.path("other").exists());
}

/// A kernel, or a seccomp filter, that has no io_uring: the same records by plain writes.
#[test]
fn without_io_uring_runs_go_by_plain_writes() {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        println!("SKIP: needs strace and the right to trace");
        return;
    }
    let place = Place::with(&["--emulated"]);
    let (lines, trace) = (b"as it was\n".repeat(20_000), place.path("trace"));
    let append = place.command(&["append"]);
    let mut refused = Command::new("strace");
    refused.args([
        "-f",
        "-qq",
        "-e",
        "trace=io_uring_setup",
        "-e",
        "inject=io_uring_setup:error=ENOSYS",
        "-o",
    ]);
    refused.arg(&trace).arg(append.get_program()).args(append.get_args());
    run(&mut refused, &lines).done();
    assert!(fs::read_to_string(&trace).unwrap().contains("INJECTED"), "it was never asked for");
    assert!(place.run(&["cat"]).done() == lines);
    place.run(&["verify"]).done();
}
