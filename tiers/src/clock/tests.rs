use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::counter::Sample;
use super::line::{Bounds, Line, Published};
use super::{Clock, WallClock};

const SECOND: u64 = 1_000_000_000;
const UTC: u64 = 1_700_000_000 * SECOND;

fn utc_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64
}

fn off_ns(clock: &dyn Clock) -> u64 {
    // The least of a few: a thread put aside between the two reads says nothing about the clock.
    (0..16).map(|_| clock.now_ns().abs_diff(utc_ns())).min().unwrap()
}

/// A sysfs whose kernel keeps time by `source`.
fn sysfs(source: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("devices/system/clocksource/clocksource0");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("current_clocksource"), format!("{source}\n")).unwrap();
    root
}

/// A counter of 2.5 ticks a nanosecond, and a UTC that may be stepped away from it.
fn sample(at_ns: u64, stepped_ns: i64) -> Sample {
    Sample {
        ticks: 77 + at_ns * 5 / 2,
        steady_ns: at_ns,
        utc_ns: (UTC + at_ns).saturating_add_signed(stepped_ns),
    }
}

fn first() -> (Line, Bounds) {
    Line::first(sample(0, 0), sample(5_000_000, 0), 2 * SECOND).unwrap()
}

#[test]
fn close_to_utc_before_and_after_slews() {
    for clock in [WallClock::new(Path::new("/sys")), WallClock::new(sysfs("hpet").path())] {
        for _ in 0..3 {
            assert!(off_ns(&clock) < 1_000_000, "{} ns off: {}", off_ns(&clock), clock.describe());
            thread::sleep(Duration::from_millis(300));
            clock.slew();
            assert!(clock.trusted(), "{}", clock.describe());
        }
    }
}

#[test]
fn the_kernel_source_decides_and_losing_it_loses_trust() {
    assert!(WallClock::new(sysfs("hpet").path()).describe().starts_with("CLOCK_MONOTONIC"));
    assert!(WallClock::new(Path::new("/nowhere")).describe().starts_with("CLOCK_MONOTONIC"));
    let root = sysfs("tsc");
    let clock = WallClock::new(root.path());
    if !clock.describe().starts_with("the time stamp counter") {
        return; // no invariant counter on this processor: nothing more to lose
    }
    clock.slew();
    assert!(clock.trusted());
    fs::write(root.path().join("devices/system/clocksource/clocksource0/current_clocksource"), "hpet")
        .unwrap();
    clock.slew();
    assert!(!clock.trusted());
    assert!(clock.describe().contains("NOT"));
}

#[test]
fn one_clock_a_process() {
    let (a, b) = (WallClock::shared(), WallClock::shared());
    assert!(std::sync::Arc::ptr_eq(&a, &b));
}

/// Each thread hands its time to the others and must then be given no less, while the line is bent 10,000 times a
/// second.
#[test]
fn never_backwards_between_threads_while_slewed() {
    for clock in
        [WallClock::with_lease(Path::new("/sys"), 50_000), WallClock::with_lease(Path::new("/none"), 50_000)]
    {
        let (newest, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Relaxed) {
                        let seen = newest.load(Acquire);
                        let now = clock.now_ns();
                        let again = clock.now_ns();
                        assert!(seen <= now && now <= again, "{seen} then {now} then {again}");
                        newest.fetch_max(again, Release);
                    }
                });
            }
            let end = Instant::now() + Duration::from_millis(1500);
            while Instant::now() < end {
                clock.slew();
                thread::sleep(Duration::from_micros(50));
            }
            stop.store(true, Relaxed);
        });
        assert!(off_ns(&clock) < 1_000_000);
    }
}

#[test]
fn readers_never_see_half_a_line() {
    // Lines with nothing in common but the time at this tick.
    const TICK: u64 = 10 * SECOND;
    let line = |number: u64| {
        let start = number % 1_000 * 1_000_000;
        let steep = [start, UTC - 2 * (TICK - start), 2 << 32];
        Line::from_words([steep, [TICK * 2, UTC * 2, 0], [TICK * 3, UTC * 2, 0]].concat().try_into().unwrap())
    };
    let published = Published::new(&line(0));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    assert_eq!(published.at(|| TICK), UTC);
                }
            });
        }
        for number in 0..1_000_000 {
            published.replace(&line(number));
        }
        stop.store(true, Relaxed);
    });
}

/// However UTC jumps and however late the slews come: a newer line is nowhere below the older one from the slew on,
/// and no line goes down.
#[test]
fn a_bent_line_is_nowhere_lower() {
    let mut seed = 42_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..500 {
        let (mut line, bounds) = first();
        let (mut before, mut at_ns, mut stepped_ns) = (sample(5_000_000, 0), 5_000_000, 0);
        for _ in 0..40 {
            at_ns += [1_000, SECOND / 3, SECOND, 7 * SECOND][random(4) as usize] + random(SECOND);
            stepped_ns += [0, 0, 50_000, -50_000, 3_000_000_000, -3_000_000_000][random(6) as usize];
            let now = sample(at_ns, stepped_ns);
            let Some(bent) = line.refit(before, now, &bounds) else { continue };
            let mut last = 0;
            for step in 0..200 {
                let ticks = now.ticks + step * step * 1_000_000;
                assert!(bent.at(ticks) >= line.at(ticks), "lower at {ticks}\n{line:?}\n{bent:?}");
                assert!(bent.at(ticks) >= last, "going down at {ticks}\n{bent:?}");
                last = bent.at(ticks);
            }
            (line, before) = (bent, now);
        }
    }
}

/// The time after `seconds` of a slew each, of a clock whose UTC is stepped once after the first.
fn lead_after(seconds: u64, stepped_ns: i64) -> i64 {
    let (mut line, bounds) = first();
    let mut before = sample(5_000_000, 0);
    for second in 1..=seconds {
        let now = sample(second * SECOND, if second == 1 { 0 } else { stepped_ns });
        if let Some(bent) = line.refit(before, now, &bounds) {
            (line, before) = (bent, now);
        }
    }
    let now = sample(seconds * SECOND, stepped_ns);
    line.at(now.ticks) as i64 - now.utc_ns as i64
}

#[test]
fn a_step_forward_is_followed_at_once_and_a_step_back_slowly() {
    assert!(lead_after(7, 5_000_000_000).abs() < 1_000);
    assert!(lead_after(9, 0).abs() < 1_000);
    let early = lead_after(7, -20_000_000);
    assert!((10_000_000..20_000_000).contains(&early), "{early} ns ahead");
    assert!(lead_after(60, -20_000_000).abs() < 1_000, "{}", lead_after(60, -20_000_000));
}

#[test]
fn a_reset_counter_neither_goes_back_nor_stays_wrong() {
    let (line, bounds) = first();
    let (late, reset) = (sample(SECOND, 0), Sample { ticks: 5, ..sample(600 * SECOND, 0) });
    assert!(line.at(5) >= line.at(late.ticks), "before the slew");
    let line = line.refit(late, reset, &bounds).unwrap();
    assert_eq!(line.at(5), reset.utc_ns);
    assert!(line.at(5 + 5 * SECOND / 2).abs_diff(reset.utc_ns + SECOND) < 1_000);
}

#[test]
fn a_counter_that_stands_is_refused() {
    let still = Sample { ticks: sample(0, 0).ticks, ..sample(5_000_000, 0) };
    assert!(Line::first(sample(0, 0), still, SECOND).is_none());
}
