use super::KINDS;
use super::way::Way;
use crate::bench::probe::NOTHING;
use crate::bench::smoke::smoke;
use crate::bench::sweep::Sweep;

#[test]
fn the_durable_ways_are_named_and_nothing_else_is_called_durable() {
    let sweep = Sweep { size_bytes: vec![4096], depth: vec![1, 4], ..Sweep::default() };
    let (figures, skipped) = smoke(KINDS, &sweep);
    for figure in &figures {
        let plain = matches!(figure.by.as_str(), "pwrite" | "io_uring" | "io_uring, registered" | "reads")
            || figure.by.starts_with("io_uring, ");
        assert_eq!(figure.promise == NOTHING, plain, "{figure:?}");
        assert!(figure.per_s.is_some_and(|per_s| per_s.min > 0.0), "{figure:?}");
        assert_eq!(figure.note.is_some(), plain && figure.by != "reads", "{figure:?}");
        if let Some(ratio) = &figure.ratio {
            assert_eq!(ratio.to, "pwrite + fdatasync");
            assert_ne!(figure.promise, NOTHING, "compared across promises: {figure:?}");
        }
    }
    let polled = |way: &Way| way.name().ends_with("polled");
    for depth in [1, 4] {
        for way in Way::all().into_iter().filter(|way| !polled(way)) {
            let found = figures.iter().any(|figure| {
                figure.what == "write" && figure.by == way.name() && figure.at.depth == Some(depth)
            });
            assert!(found, "{} at depth {depth}; skipped: {skipped:?}", way.name());
        }
    }
    let stalls = figures.iter().find(|figure| figure.what == "stalls").unwrap();
    assert!(!stalls.timeline.is_empty() && !stalls.stalls.is_empty());
    assert!(stalls.stalls.is_sorted_by(|a, b| a.ns >= b.ns));
    assert!(figures.iter().any(|figure| figure.what == "write, busy"));
    assert!(figures.iter().any(|figure| figure.what == "flush" && figure.bytes_per_s.is_none()));
}
