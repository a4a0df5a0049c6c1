//! `append`, and `cat` to see what came of it.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::tierlog::{Ack, Place, RECORD_BYTES_MAX, framed, records, run};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lines_come_back_byte_for_byte() {
    let place = Place::new();
    let lines = b"one\n\n two \r\n\xff\x00three\n";
    let summary = place.append(&["--json"], lines).json();
    assert_eq!((&summary["records"], &summary["bytes"]), (&4.into(), &16.into()));
    assert_eq!((&summary["commits"], &summary["level"]), (&4.into(), &"power".into()));
    assert!(summary["latency_ns"]["p99.9"].as_u64() > Some(0), "{summary}");
    assert!(summary["kept"].as_str().unwrap().contains("NVMe"), "{summary}");
    assert_eq!(place.run(&["cat"]).done(), lines);
    // A last line without its newline is a line.
    place.append(&[], b"four").done();
    assert_eq!(place.run(&["cat", "--raw"]).done(), [&lines[..], b"four\n"].concat());
    // Nothing is nothing.
    assert_eq!(place.append(&["--json"], b"").json()["records"], 0);
}

#[test]
fn framed_records_from_empty_to_the_largest() {
    let place = Place::new();
    let sizes = [0, 1, 31, 32, 33, 64, 4_096, 0, RECORD_BYTES_MAX];
    let input =
        framed(sizes.iter().map(|size| (0..*size).map(|i| (i * 7 + size) as u8).collect::<Vec<u8>>()));
    let summary = place.append(&["--framed", "--stream", "7"], &input).text();
    assert!(summary.starts_with("9 records, 20,641 bytes in "), "{summary}");
    assert_eq!(place.run(&["cat", "--framed"]).done(), input);
    assert_eq!(place.run(&["cat", "--framed", "--stream", "7"]).done(), input);
    assert_eq!(place.run(&["cat", "--framed", "--stream", "8"]).done(), b"");
}

#[test]
fn one_byte_more_is_named_and_harms_nothing() {
    let place = Place::new();
    let input = framed([vec![1; 10], vec![2; RECORD_BYTES_MAX + 1], vec![3; 10]]);
    let refused = place.append(&["--framed"], &input);
    refused.refused(1, "record 2 of standard input: a record of 16385 bytes is above the limit of 16384");
    assert_eq!(place.run(&["cat", "--framed"]).done(), framed([vec![1; 10]]));
    place.append(&["--framed"], &framed([vec![4; RECORD_BYTES_MAX]])).done();
    assert_eq!(place.run(&["cat", "--framed"]).done(), framed([vec![1; 10], vec![4; RECORD_BYTES_MAX]]));
    place.run(&["verify"]).done();
}

#[test]
fn wrong_input_names_its_place_and_what_came_before_is_there() {
    let place = Place::new();
    let whole = framed(["one", "two"]);
    let short = [&whole[..], &[9, 0, 0, 0, b'x']].concat();
    place
        .append(&["--framed", "--batch", "4"], &short)
        .refused(1, "record 3 of standard input: the input ends inside");
    assert_eq!(place.run(&["cat", "--framed"]).done(), whole);
    let no_length = [&whole[..], &[1, 2]].concat();
    place.append(&["--framed"], &no_length).refused(1, "record 3 of standard input: the input ends inside");
    place
        .append(&["--framed"], b"a line, not a length\n")
        .refused(1, "record 1 of standard input: says that it has");
    let mut endless = vec![b'x'; 17 << 20];
    endless[0] = b'\n';
    place.append(&[], &endless).refused(1, "line 2 of standard input: longer than 16 MiB");
    place.append(&["no such file"], b"").refused(1, "no such file: ");
    let torn = gzip(&b"some line\n".repeat(100));
    place.append(&[], &torn[..torn.len() - 9]).refused(1, "of standard input: ");
}

#[test]
fn gzip_is_told_by_its_magic() {
    let place = Place::new();
    let file = place.path("lines.gz");
    std::fs::write(&file, gzip(b"one\ntwo\n")).unwrap();
    place.append(&[file.to_str().unwrap()], b"").done();
    // From a pipe, and two members one behind the other.
    place.append(&["-"], &[gzip(b"three\n"), gzip(b"four\n")].concat()).done();
    assert_eq!(place.run(&["cat"]).done(), b"one\ntwo\nthree\nfour\n");
    let bytes = framed([b"\x1f\x8b\x08 is not always gzip"]);
    let looks_so = [b"\x1f\x8b\x08 is not always gzip".as_slice(), b"\n"].concat();
    place.append(&["--plain"], &looks_so).done();
    assert!(place.run(&["cat", "--framed"]).done().ends_with(&bytes));
}

#[test]
fn lanes_are_dealt_to_by_batches_and_keep_the_order_of_the_input() {
    let place = Place::with(&["--emulated"]);
    let lines: Vec<String> = (0..2_000).map(|i| format!("order {i}")).collect();
    let input = lines.join("\n") + "\n";
    let ran = place.append(&["--lanes-used", "4", "--batch", "3", "--acks"], input.as_bytes());
    assert!(ran.err.starts_with("EMULATED: 2,000 records"), "{}", ran.err);
    let acks: Vec<Ack> = ran.text().lines().map(Ack::parse).collect();
    assert_eq!(acks.len(), 667);
    for lane in 0..4 {
        let of_lane: Vec<u64> = (0..2_000).filter(|i| i / 3 % 4 == lane).collect();
        let lasts: Vec<u64> = of_lane.chunks(3).map(|batch| *batch.last().unwrap()).collect();
        let acked: Vec<&Ack> = acks.iter().filter(|ack| ack.lane == lane).collect();
        assert_eq!(acked.iter().map(|ack| ack.index).collect::<Vec<_>>(), lasts);
        let came = records(&place, &["--lane", &lane.to_string()]);
        let texts: Vec<&str> = came.iter().map(|record| record["text"].as_str().unwrap()).collect();
        assert_eq!(texts, of_lane.iter().map(|i| &*lines[*i as usize]).collect::<Vec<_>>());
        for (batch, ack) in came.chunks(3).zip(acked) {
            assert!(
                batch.iter().all(|record| record["gsn"] == ack.gsn && record["lsn"].as_u64() < Some(ack.lsn))
            );
        }
    }
    let merged: Vec<u64> =
        records(&place, &[]).iter().map(|record| record["gsn"].as_u64().unwrap()).collect();
    assert!(merged.len() == 2_000 && merged.is_sorted());
    place.append(&["--lanes-used", "5"], b"").refused(2, "all 4 lanes have a writer");
}

#[test]
fn a_killed_append_loses_nothing_that_it_acknowledged() {
    for flags in [&["--medium", "file"][..], &["--emulated"]] {
        let place = Place::with(Box::leak(flags.into()));
        let mut appending = place.appending(&["--lanes-used", "2"]);
        // Each comes while the producer holds back: nothing waits for more input.
        for i in 0..200 {
            appending.give(format!("{i}\n").as_bytes());
            let ack = appending.ack();
            assert_eq!((ack.index, ack.lane), (i, i % 2));
        }
        appending.kill();
        assert!(place.run(&["info"]).text().contains("not closed: the next open recovers it"));
        // Without an owner, and after the next open.
        let lines: String = (0..200).map(|i| format!("{i}\n")).collect();
        assert_eq!(place.run(&["cat"]).text(), lines);
        place.append(&[], b"200\n").done();
        assert_eq!(place.run(&["cat"]).text(), lines + "200\n");
        place.run(&["verify"]).done();
    }
}

#[test]
fn levels_are_kept_or_refused() {
    let place = Place::new();
    for level in ["buffered", "process", "power"] {
        place.append(&["--level", level], format!("{level}\n").as_bytes()).done();
    }
    assert_eq!(place.run(&["cat"]).text(), "buffered\nprocess\npower\n");
    let machine = ["--level", "machine"];
    place.append(&machine, b"never\n").refused(4, "machine cannot be kept here");
    let archive = place.path("archive");
    let local = ["--level", "machine", "--archive", archive.to_str().unwrap()];
    place.append(&local, b"never\n").refused(4, "machine cannot be kept here");
    let accepted = [&local[..], &["--accept-local", "--json"]].concat();
    let summary = place.append(&accepted, b"machine\n").json();
    assert!(summary["kept"].as_str().unwrap().starts_with("acknowledged by "), "{summary}");
    assert_eq!(place.run(&["cat"]).text(), "buffered\nprocess\npower\nmachine\n");
    place
        .append(&["--level", "galaxy"], b"")
        .refused(2, "possible values: buffered, process, power, machine");
}

#[test]
fn a_rate_is_kept() {
    let place = Place::with(&["--emulated"]);
    let since = Instant::now();
    let summary = place.append(&["--rate", "100", "--json"], &b"x\n".repeat(51)).json();
    assert!(since.elapsed() >= Duration::from_millis(500));
    assert!(summary["seconds"].as_f64() >= Some(0.5), "{summary}");
    assert!(summary["records_per_second"].as_f64() <= Some(102.0), "{summary}");
    place.append(&["--rate", "0"], b"").refused(2, "above 0");
}

#[test]
fn acknowledgements_that_nobody_reads_are_a_failure() {
    let place = Place::with(&["--emulated"]);
    let mut command = place.command(&["append", "--acks"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"one\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("acknowledgements"));
    assert_eq!(run(&mut place.command(&["cat"]), b"").text(), "one\n");
}
