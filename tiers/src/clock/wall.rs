//! The process's clock: a counter, the line that makes it UTC, and the comparison that keeps it so.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Clock;
use super::counter::{Counter, Sample, kernel_source};
use super::line::{Bounds, Line, Published};

/// How far from UTC a trusted clock may be, in nanoseconds.
const TRUST_NS: u64 = 1_000_000;
/// How long the counter is watched before its first use.
const CALIBRATION: Duration = Duration::from_millis(5);
/// The length of a piece of the line: with a comparison a second none runs out, one being late included.
const LEASE_NS: u64 = 2_000_000_000;

/// UTC by the processor's time stamp counter, where the kernel trusts it for its own time, and by CLOCK_MONOTONIC
/// otherwise. Reading it takes no lock and no system call: 20 ns by the counter, 30 ns by CLOCK_MONOTONIC.
///
/// Held to CLOCK_REALTIME by [`Clock::slew`]: what it lags is made up at once, what it leads is lost at a millisecond a
/// second, so a step back of UTC never shows. From 2 to 4 s after the last comparison it falls behind by as much.
/// A process wants one: [`WallClock::shared`].
#[derive(Debug)]
pub struct WallClock {
    counter: Counter,
    published: Published,
    trusted: AtomicBool,
    fit: Mutex<Fit>,
    sysfs: PathBuf,
}

/// What only the comparison needs.
#[derive(Debug)]
struct Fit {
    line: Line,
    bounds: Bounds,
    before: Sample,
    start: Instant,
}

impl WallClock {
    /// The clock of this process, made at the first call (5 ms).
    #[must_use]
    pub fn shared() -> Arc<dyn Clock> {
        static SHARED: OnceLock<Arc<WallClock>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::new(Path::new("/sys")))).clone()
    }

    /// A clock of its own, calibrated for 5 ms; `sysfs` is where sysfs is mounted, `/sys`.
    #[must_use]
    pub fn new(sysfs: &Path) -> Self {
        Self::with_lease(sysfs, LEASE_NS)
    }

    pub(super) fn with_lease(sysfs: &Path, lease_ns: u64) -> Self {
        let counter = Counter::detect(sysfs);
        Self::calibrated(counter, sysfs, lease_ns)
            // The counter stood still for milliseconds: not one to tell the time by.
            .or_else(|| Self::calibrated(Counter::Monotonic(Instant::now()), sysfs, lease_ns))
            .expect("CLOCK_MONOTONIC moves while a thread sleeps")
    }

    fn calibrated(counter: Counter, sysfs: &Path, lease_ns: u64) -> Option<Self> {
        let start = Instant::now();
        let from = counter.sample(start);
        std::thread::sleep(CALIBRATION);
        let before = counter.sample(start);
        let (line, bounds) = Line::first(from, before, lease_ns)?;
        Some(Self {
            counter,
            published: Published::new(&line),
            trusted: AtomicBool::new(true),
            fit: Mutex::new(Fit { line, bounds, before, start }),
            sysfs: sysfs.to_owned(),
        })
    }

    /// Out of line, so that the counter's path is no longer for it.
    #[inline(never)]
    fn now_by_the_system_clock(&self) -> u64 {
        self.published.at(|| self.counter.ticks())
    }

    /// Whether the kernel still keeps time by the counter that is read here.
    fn kernel_agrees(&self) -> bool {
        match self.counter {
            Counter::Tsc(_) => kernel_source(&self.sysfs).is_some_and(|source| source == "tsc"),
            Counter::Monotonic(_) => true,
        }
    }
}

impl Clock for WallClock {
    #[inline]
    fn now_ns(&self) -> u64 {
        match self.counter {
            Counter::Tsc(tsc) => self.published.at(|| tsc.ticks()),
            Counter::Monotonic(_) => self.now_by_the_system_clock(),
        }
    }

    fn describe(&self) -> String {
        let counter = match self.counter {
            Counter::Tsc(_) => "the time stamp counter",
            Counter::Monotonic(_) => "CLOCK_MONOTONIC",
        };
        let trust =
            if self.trusted() { "within 1 ms of it" } else { "NOT within 1 ms of it when last compared" };
        format!("{counter}, held to CLOCK_REALTIME, {trust}")
    }

    fn trusted(&self) -> bool {
        self.trusted.load(Relaxed)
    }

    fn slew(&self) {
        // A panic under the lock leaves the fit whole: it is replaced in one piece.
        let mut fit = self.fit.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.counter.sample(fit.start);
        if let Some(line) = fit.line.refit(fit.before, now, &fit.bounds) {
            self.published.replace(&line);
            fit.line = line;
            fit.before = now;
        }
        let off_ns = fit.line.at(now.ticks).abs_diff(now.utc_ns);
        self.trusted.store(off_ns <= TRUST_NS && self.kernel_agrees(), Relaxed);
    }
}
