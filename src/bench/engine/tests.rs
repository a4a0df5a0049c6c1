//! Of what is measured in this process, that it yields figures.

use super::KINDS;
use crate::Durability;
use crate::bench::probe::Kind;
use crate::bench::smoke::smoke;
use crate::bench::sweep::Sweep;

fn kind(what: &str) -> &'static [Kind] {
    std::slice::from_ref(KINDS.iter().find(|kind| kind.what == what).unwrap())
}

#[test]
fn commits_are_timed_with_and_without_a_drain() {
    let (figures, _) = smoke(kind("commit, drained"), &Sweep { size_bytes: vec![64], ..Sweep::default() });
    assert_eq!(figures.len(), 2);
    assert!(figures.iter().all(|figure| figure.latency.is_some()), "{figures:?}");
}

#[test]
fn a_commit_that_begins_a_segment_is_told_from_the_others() {
    let (figures, _) = smoke(kind("rotation"), &Sweep { size_bytes: vec![64 << 10], ..Sweep::default() });
    assert_eq!(figures.len(), 2);
    assert!(figures.iter().all(|figure| figure.latency.is_some()), "{figures:?}");
    assert!(!figures[0].timeline.is_empty() && figures[1].counted["waits_for_segment"] >= 0.0, "{figures:?}");
}

#[test]
fn a_batch_on_the_disk_stands_beside_one_record() {
    let sweep = Sweep {
        size_bytes: vec![64],
        threads: vec![1],
        batch: vec![16],
        level: vec![Durability::Power],
        ..Sweep::default()
    };
    let (figures, _) = smoke(kind("disk"), &sweep);
    let names: Vec<&str> = figures.iter().map(|figure| figure.by.as_str()).collect();
    assert_eq!(names, ["tierlog", "tierlog, one record"]);
    let ratio = figures[0].ratio.as_ref().unwrap();
    assert_eq!((figures[0].at.batch, ratio.to.as_str()), (Some(16), "tierlog, one record"));
}

#[test]
fn threads_on_the_disk_have_a_lane_each_or_one_for_all() {
    let (size_bytes, threads, level) = (vec![64], vec![2], vec![Durability::Power]);
    let (figures, _) = smoke(kind("disk"), &Sweep { size_bytes, threads, level, ..Sweep::default() });
    for by in ["tierlog", "tierlog, one lane for all"] {
        let figure = figures.iter().find(|figure| figure.by == by).unwrap();
        let yardstick = &figure.ratio.as_ref().unwrap().to;
        assert!(!yardstick.starts_with("tierlog"), "{figure:?}");
    }
}

#[test]
fn commits_on_a_full_ring_say_why_they_wait() {
    let (figures, _) = smoke(kind("sustained"), &Sweep { size_bytes: vec![4096], ..Sweep::default() });
    let of = |by: &str| figures.iter().find(|figure| figure.by == by).unwrap();
    for by in ["tierlog", "tierlog, throttled"] {
        assert!(of(by).per_s.is_some() && of(by).latency.is_some(), "{figures:?}");
        for count in ["drainer_share", "room_wait_share", "waits_for_room", "throttled"] {
            assert!(of(by).counted[count] >= 0.0, "{count}: {figures:?}");
        }
    }
    for by in ["tierlog, drained", "tierlog, drained, throttled", "raw file"] {
        assert!(of(by).bytes_per_s.is_some(), "{figures:?}");
    }
}
