//! `cat` in its formats and selections.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::tierlog::{Place, framed, records, run};

/// Three lanes and two streams: `0` to `11`, and `a`, `b` in stream 9.
fn filled() -> Place {
    let place = Place::new();
    let lines: String = (0..12).map(|i| format!("{i}\n")).collect();
    place.append(&["--lanes-used", "3", "--level", "process"], lines.as_bytes()).done();
    place.append(&["--stream", "9"], b"a\nb\n").done();
    place
}

#[test]
fn json_has_all_there_is_to_know() {
    let place = Place::new();
    let bytes = framed([b"text \"quoted\"".as_slice(), b"\xff\x01", b""]);
    place.append(&["--framed", "--stream", "4294967295"], &bytes).done();
    let records = records(&place, &[]);
    assert_eq!(records.len(), 3);
    for (record, (field, value)) in
        records.iter().zip([("text", "text \"quoted\""), ("hex", "ff01"), ("text", "")])
    {
        assert_eq!(record[field], value, "{record}");
        assert_eq!((&record["lane"], &record["stream"]), (&0.into(), &u32::MAX.into()));
        assert!(record["gsn"].as_u64() > Some(0) && record["lsn"].is_u64(), "{record}");
    }
}

#[test]
fn selections() {
    let place = filled();
    let cat = |args: &[&str]| run(place.command(&["cat"]).args(args), b"").text();
    assert_eq!(cat(&["--lane", "1"]), "1\n4\n7\n10\n");
    assert_eq!(cat(&["--stream", "9"]), "a\nb\n");
    assert_eq!(cat(&["--stream", "9", "--lane", "0"]), "a\nb\n");
    assert_eq!(cat(&["--lane", "0", "--limit", "2"]), "0\n3\n");
    assert_eq!(cat(&["--limit", "0"]), "");
    assert_eq!(cat(&[]).lines().count(), 14);
    place.run(&["cat", "--lane", "4"]).refused(2, "there is no lane 4");
    place.run(&["cat", "--from", "nonsense"]).refused(2, "lane:epoch@lsn");
    place.run(&["cat", "--json", "--framed"]).refused(2, "cannot be used with");
}

#[test]
fn a_cut_leads_on_from_where_the_last_reader_stood() {
    let place = filled();
    for selection in [&[][..], &["--lane", "2"]] {
        let whole = run(place.command(&["cat"]).args(selection), b"").text();
        let mut parts = String::new();
        let mut from = String::new();
        for _ in 0..8 {
            let args = ["cat", "--positions", "--limit", "2", "--from", &from];
            let ran = run(place.command(&args).args(selection), b"");
            from = ran.err.trim().strip_prefix("--from ").unwrap_or_else(|| panic!("{ran:?}")).to_string();
            for line in ran.text().lines() {
                let (place, record) = line.split_once('\t').unwrap();
                assert_eq!(
                    place.split(' ').filter(|number| number.parse::<u64>().is_ok()).count(),
                    3,
                    "{line}"
                );
                parts += &format!("{record}\n");
            }
        }
        assert_eq!(parts, whole);
    }
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let place = Place::with(&["--emulated"]);
    place.append(&["--batch", "1000"], &b"a line that is repeated\n".repeat(20_000)).done();
    for args in [&["cat"][..], &["cat", "--json"], &["follow"]] {
        let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.contains("a line that is repeated"));
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*err), (Some(0), ""), "{args:?}");
    }
}
