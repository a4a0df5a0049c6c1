//! What operators look with: `dump`, `ls`, `mark`.

use serde_json::Value;

use crate::tierlog::{Place, run};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn dump_shows_every_frame_and_filters() {
    let place = Place::with(&["--emulated"]);
    place.append(&["--stream", "7"], b"one\ntwo\nthree\n").done();
    place.run(&["mark", "here"]).done();
    place.append(&[], b"four\n").done();
    let frames = lines(&place.run(&["dump", "--json"]).text());
    let kinds: Vec<&str> = frames.iter().map(|frame| frame["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "record").count(), 4);
    let mark = frames.iter().find(|frame| frame["kind"] == "mark").unwrap();
    assert_eq!(mark["text"], "here");
    assert_eq!(frames[0]["flags"].as_array().unwrap()[0], "first");
    assert!(frames.iter().all(|frame| frame["batch_gsn"].as_u64().unwrap() > 0));

    let gsn = mark["batch_gsn"].to_string();
    let before = lines(&place.run(&["dump", "--json", "--kind", "record", "--gsn-to", &gsn]).text());
    let texts: Vec<&str> = before.iter().map(|frame| frame["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    let time = mark["time"].as_str().unwrap();
    let after = lines(&place.run(&["dump", "--json", "--kind", "record", "--since", time]).text());
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["text"], "four");
    let second = before[1]["lsn"].to_string();
    let one =
        place.run(&["dump", "--lane", "0", "--lsn-from", &second, "--limit", "1", "--payload", "hex"]).text();
    assert!(one.contains("x74776f\n") && one.lines().count() == 1, "{one}");
    place.run(&["dump", "--lane", "9"]).refused(2, "no lane 9");
    place.run(&["dump", "--since", "yesterday"]).refused(2, "2026-11-21T08:30:00Z");
}

#[test]
fn dump_prints_what_can_be_read_and_says_what_cannot() {
    let place = Place::with(&["--emulated"]);
    let text: String = (0..100).map(|n| format!("record {n}\n")).collect();
    place.append(&["--batch", "1"], text.as_bytes()).done();
    let segment = std::fs::read_dir(place.path("log/nvme")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|ending| ending == "seg"));
    let damaged = segment.into_iter().any(|path| {
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(9).position(|window| window == b"record 50");
        at.is_some_and(|at| {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            true
        })
    });
    assert!(damaged);
    let ran = place.run(&["dump"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("lane") && ran.err.contains("no valid frame"), "{}", ran.err);
    let out = String::from_utf8(ran.out).unwrap();
    assert!(out.contains("record 49") && !out.contains("record 51"));
}

#[test]
fn ls_lists_segments_by_tier_beside_the_process_that_appends() {
    let place = Place::with(&["--emulated"]);
    let mut live = place.appending(&["--batch", "1"]);
    live.give(&b"a record\n".repeat(10));
    for _ in 0..10 {
        live.ack();
    }
    let found = lines(&place.run(&["ls", "--json"]).text());
    let open = found.iter().find(|segment| segment["tier"] == "tail" && segment["state"] == "open").unwrap();
    assert_eq!(open["end"], 640);
    assert!(found.iter().any(|segment| segment["tier"] == "nvme"));
    place.run(&["mark", "now"]).refused(1, "open for writing by process");
    live.finish();
    let found = lines(&place.run(&["ls", "--json", "--tier", "nvme"]).text());
    let sealed = found.iter().filter(|segment| segment["state"] == "sealed").collect::<Vec<_>>();
    assert_eq!(sealed.len(), 1);
    assert_eq!((sealed[0]["first"].as_u64(), sealed[0]["end"].as_u64()), (Some(0), Some(640)));
    assert!(found.iter().any(|segment| segment["state"] == "free"));
    assert!(place.run(&["ls"]).text().starts_with("tier  name"));
}

#[test]
fn marks_are_listed_by_stamp() {
    let place = Place::with(&["--emulated"]);
    for name in ["first", "second one"] {
        place.append(&[], b"x\n").done();
        let marked = place.run(&["mark", name, "--json"]).json();
        assert_eq!(marked["name"], name);
    }
    let marks = lines(&place.run(&["ls", "--marks", "--json"]).text());
    assert_eq!(
        marks.iter().map(|mark| mark["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["first", "second one"]
    );
    assert!(place.run(&["ls", "--marks"]).text().ends_with(" second one\n"));
    let nowhere = place.path("nowhere");
    run(&mut place.command_in(&nowhere, &["mark", "x"]), b"").refused(2, "there is no log here");
}

#[test]
fn ls_lists_the_objects_of_an_archive() {
    let place = Place::with(&["--emulated"]);
    let store = place.path("objects");
    let archive = ["--archive", store.to_str().unwrap()];
    place.append(&archive, b"one\ntwo\n").done();
    let list = || {
        let listed = place.run(&[&["ls", "--json", "--tier", "object"], &archive[..]].concat()).text();
        let piece = |line: &Value| (line["state"].as_str().unwrap().to_owned(), line["end"].as_u64());
        lines(&listed).iter().map(piece).collect::<Vec<_>>()
    };
    assert_eq!(list(), [("claim".into(), None), ("archived".into(), Some(128))]);
    let second = store.join("seq/00000000000000000002");
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, &bytes[..100]).unwrap();
    assert_eq!(list()[1], ("damaged".into(), None));
    assert!(place.run(&["ls", "--tier", "object"]).text().lines().count() == 1, "no archive, no objects");
}

#[test]
fn slots_and_checkpoints_from_the_command_line() {
    let place = Place::with(&["--emulated"]);
    let text: String = (0..400).map(|n| format!("{n:04000}\n")).collect();
    place.append(&[], text.as_bytes()).done();
    place.run(&["mark", "all"]).done();
    place.run(&["slot", "create", "billing", "--bytes-max", "1G"]).done();
    place.run(&["slot", "create", "billing"]).refused(2, "already");
    place.run(&["slot", "create", "small", "--bytes-max", "64K"]).refused(2, "checkpoint first");
    let info = place.run(&["info", "--json"]).json();
    assert_eq!(info["lanes"][0]["held_by"], "checkpoint");
    place.run(&["checkpoint"]).refused(2, "<--at <CUT>|--at-mark <NAME>|--at-gsn <GSN>>");
    place.run(&["checkpoint", "--at-mark", "none"]).refused(2, "no mark");
    place.run(&["checkpoint", "--at-mark", "all"]).done();
    let info = place.run(&["info"]).text();
    assert!(
        info.contains("held back there by: slot billing") && info.contains("slot     billing: holds"),
        "{info}"
    );
    let slots = lines(&place.run(&["slot", "list", "--json"]).text());
    assert_eq!(
        (slots.len(), slots[0]["name"].as_str(), slots[0]["bytes_max"].as_u64()),
        (1, Some("billing"), Some(1 << 30))
    );
    assert_eq!(crate::tierlog::records(&place, &[]).len(), 400);
    assert!(place.run(&["slot", "advance", "billing"]).err.contains("--at-gsn"));
    place.run(&["slot", "advance", "none", "--at-mark", "all"]).refused(1, "no slot");
    let held = |slot: &Value| slot["held_bytes"].as_u64().unwrap();
    let half = crate::tierlog::records(&place, &[])[200]["gsn"].to_string();
    assert!(
        place
            .run(&["slot", "advance", "billing", "--at-gsn", &half])
            .text()
            .starts_with("billing stands at 0:")
    );
    let there = crate::tierlog::records(&place, &[]).len();
    assert_eq!(there, 199, "what was read may go");
    let advanced = lines(&place.run(&["slot", "list", "--json"]).text());
    assert!(held(&advanced[0]) < held(&slots[0]) && held(&advanced[0]) > 0);
    place.run(&["slot", "drop", "billing"]).done();
    place.run(&["slot", "drop", "billing"]).refused(1, "no slot");
    assert!(place.run(&["slot", "list"]).text().is_empty());
    assert!(crate::tierlog::records(&place, &[]).len() < 200, "nothing needs them any more");
}

#[test]
fn repair_says_what_it_does_and_exits_by_what_it_left() {
    let place = Place::with(&["--emulated"]);
    let text: String = (0..100).map(|n| format!("record {n}\n")).collect();
    place.append(&["--archive", place.path("objects").to_str().unwrap()], text.as_bytes()).done();
    assert_eq!(place.run(&["repair"]).text(), "nothing to repair\n");
    let segments = std::fs::read_dir(place.path("log/nvme")).unwrap().map(|entry| entry.unwrap().path());
    let (path, at) = segments
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .find_map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            bytes.windows(9).position(|window| window == b"record 50").map(|at| (path, at))
        })
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let lost = place.run(&["repair", "--dry-run"]);
    assert_eq!(lost.code, Some(3), "{}", lost.err);
    assert!(String::from_utf8(lost.out).unwrap().starts_with("cannot mend lane 0"));
    let objects = place.path("objects");
    let archive = ["--archive", objects.to_str().unwrap()];
    let said = place.run(&["repair", "--dry-run", archive[0], archive[1]]).text();
    assert!(said.starts_with("mend lane 0 epoch 1 0..") && said.ends_with("nothing was done\n"), "{said}");
    let done = place.run(&["repair", archive[0], archive[1]]).text();
    assert!(done.contains("done; see "), "{done}");
    place.run(&["verify"]).done();
    assert_eq!(crate::tierlog::records(&place, &[]).len(), 100);
}
