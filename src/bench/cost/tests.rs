use super::{KINDS, counters::Counters};
use crate::bench::process;
use crate::bench::smoke::smoke;
use crate::bench::sweep::Sweep;

#[test]
fn a_commit_costs_its_frame_and_what_is_drained() {
    let sweep = Sweep { size_bytes: vec![64, 1024], lanes: vec![1, 4], ..Sweep::default() };
    let (figures, skipped) = smoke(KINDS, &sweep);
    assert_eq!(figures.len(), 4);
    for figure in &figures {
        let size = figure.at.size_bytes.unwrap();
        let frame = (32 + size).next_multiple_of(64) as f64 / size as f64;
        let tail = figure.counted["tail_bytes_per_byte"];
        // Segment headers and fillers come on top.
        assert!((frame..frame * 1.2).contains(&tail), "{figure:?}");
        assert!(figure.counted["nvme_run_bytes_per_byte"] >= frame, "{figure:?}");
        assert!(figure.counted["drainer_ns"] > 0.0, "{figure:?}");
        let counters = figure.counted.contains_key("instructions");
        assert_eq!(counters, Counters::open().is_ok(), "{skipped:?}");
        assert!(counters || skipped.iter().any(|one| one.why.contains("perf_event_open")));
    }
}

#[test]
fn what_the_kernel_says_moves() {
    let before = process::memory_bytes().unwrap();
    let memory = std::hint::black_box(vec![1_u8; 32 << 20]);
    assert!(process::memory_bytes().unwrap() >= before + memory.len() as u64 / 2);
    let own = std::thread::Builder::new().name("cost-spins".into());
    let spins = own.spawn(|| {
        for turn in 0..50_000_000_u64 {
            std::hint::black_box(turn);
        }
        process::threads_ns(["cost-spins"]).unwrap()[0]
    });
    assert!(spins.unwrap().join().unwrap() > 1_000_000);
}
