//! `demo`, with the lines of a file.

use crate::tierlog::{Place, run, tierlog};

#[test]
fn the_demo_shows_it_and_leaves_nothing_behind() {
    let place = Place::new();
    let (file, dir) = (place.path("orders.csv"), place.path("a demo"));
    let lines: String = (0..300).map(|i| format!("{i},buy,100\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let text = run(
        tierlog().args(["demo", "orders.csv", "--dir", "a demo"]).current_dir(dir.parent().unwrap()),
        b"",
    )
    .text();
    assert_eq!(text.matches("ok: every acknowledged order is there").count(), 2, "{text}");
    assert_eq!(text.matches("ok: `cat --json` of both is the same").count(), 2, "{text}");
    assert_eq!(text.matches("p99.99").count(), 2, "{text}");
    assert!(text.contains("\nEMULATED"), "{text}");
    assert!(text.ends_with("Everything acknowledged came back, and nothing else.\n"), "{text}");
    assert!(!dir.exists());
}

#[test]
fn the_demo_keeps_its_hands_off_a_directory_with_something_in_it() {
    let place = Place::new();
    place.append(&[], b"dear\n").done();
    place.run(&["demo"]).refused(2, "not empty");
    assert_eq!(place.run(&["cat"]).text(), "dear\n");
    let empty = place.path("empty.csv");
    std::fs::write(&empty, "").unwrap();
    run(tierlog().arg("demo").arg(&empty), b"").refused(2, "no line in it");
}
