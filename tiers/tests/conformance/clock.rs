//! What a clock promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tierlog_tiers::clock::{Clock, WallClock};
use tierlog_tiers::sim::{World, WorldOptions};

/// Each thread hands its time to the others and must then be given no less, while the clock is slewed.
fn it_never_runs_backwards(clock: &Arc<dyn Clock>) {
    let newest = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    let seen = newest.load(Ordering::Acquire);
                    let now = clock.now_ns();
                    assert!(now >= seen, "{seen} then {now}");
                    newest.fetch_max(now, Ordering::Release);
                }
            });
        }
        (0..1_000).for_each(|_| clock.slew());
    });
}

fn it_is_utc_and_says_what_it_is(clock: &Arc<dyn Clock>) {
    clock.slew();
    assert!(clock.trusted());
    assert!(!clock.describe().is_empty());
    // Since 2020, and before 2100.
    assert!((1_577_836_800..4_102_444_800).contains(&(clock.now_ns() / 1_000_000_000)));
}

fn it_goes_on(clock: &Arc<dyn Clock>) {
    let began = clock.now_ns();
    while clock.now_ns() < began + 1_000_000 {
        thread::yield_now();
    }
}

macro_rules! clocks {
    ($($name:ident: $clock:expr),* $(,)?) => {
        $(
            mod $name {
                use super::*;
                crate::suite!(clock, $clock, [
                    it_never_runs_backwards,
                    it_is_utc_and_says_what_it_is,
                    it_goes_on,
                ]);
            }
        )*
    };
}

clocks! {
    wall: WallClock::shared(),
    simulated: World::new(&WorldOptions::default()).clock(0) as Arc<dyn Clock>,
}
