use tierlog_tiers::persist::Way;

use super::KINDS;
use crate::bench::probe::{EMULATED, NOTHING, PROCESS};
use crate::bench::results::Figure;
use crate::bench::smoke::smoke;
use crate::bench::sweep::Sweep;

fn named<'a>(figures: &'a [Figure], what: &str) -> Vec<&'a Figure> {
    figures.iter().filter(|figure| figure.what == what).collect()
}

#[test]
fn each_yields_figures_that_say_what_they_are_worth() {
    let sweep = Sweep { size_bytes: vec![64], batch: vec![4], threads: vec![2], ..Sweep::default() };
    let (figures, _) = smoke(KINDS, &sweep);
    let persist = named(&figures, "persist");
    let by: Vec<&str> = persist.iter().map(|figure| figure.by.as_str()).collect();
    for way in Way::all() {
        assert!(by.contains(&way.name()), "{by:?}");
    }
    for figure in &figures {
        match (figure.what.as_str(), figure.by.as_str()) {
            ("read" | "read chain", _) => assert_eq!(figure.promise, NOTHING),
            (_, "fence only") => {
                assert_eq!(figure.promise, PROCESS);
                assert!(figure.ratio.is_none(), "compared across promises: {figure:?}");
            }
            (_, "msync") => assert_eq!(figure.medium, "nvme"),
            _ => assert_eq!((figure.promise.as_str(), figure.medium.as_str()), (EMULATED, "tail")),
        }
        if figure.what != "crossover" {
            assert!(figure.per_s.is_some_and(|per_s| per_s.min > 0.0), "{figure:?}");
            assert!(figure.latency.is_some(), "{figure:?}");
        }
    }
    let interval = named(&figures, "fence interval");
    assert!(interval.iter().all(|figure| figure.at.batch == Some(4)), "{interval:?}");
    let threads = named(&figures, "persist threads");
    assert!(threads.iter().all(|figure| figure.at.threads == Some(2) && figure.counted["scaling"] > 0.0));
    assert!(named(&figures, "crossover")[0].note.is_some());
    // A line behind another fence is never cheaper than without.
    let fences = named(&figures, "fences");
    assert!(fences.iter().any(|figure| figure.by.ends_with("2 fences")), "{fences:?}");
}
