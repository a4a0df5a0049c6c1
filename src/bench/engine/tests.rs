//! Of what is measured in this process, that it yields figures.

use super::KINDS;
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
