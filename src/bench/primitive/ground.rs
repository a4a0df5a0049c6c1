//! The lanes that primitives are measured on, and what their figures have in common.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::persist::{Flush, Way};
use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MapOptions, Mapped, Tail, TailMedium};

use crate::bench::contest::Contestant;
use crate::bench::probe::{Measured, PROCESS, Pace, Session};
use crate::bench::results::{Figure, Group, Point};

/// Bytes of a lane: more than caches hold.
pub const LANE_BYTES: u64 = 256 << 20;
/// Bytes that are made and brought in within a second, at least.
const FILLED_PER_S: u64 = 1 << 30;

/// Where lanes come from.
#[derive(Debug)]
pub struct Ground {
    tail: Arc<Mapped>,
    lane_bytes: u64,
}

impl Ground {
    /// A tail with room for so many lanes of [`LANE_BYTES`].
    ///
    /// # Errors
    /// As the system says; a medium without instructions of its own.
    pub fn make(session: &Session<'_>, lanes: u64) -> Measured<Ground> {
        Ground::named(session, "ground", lanes, LANE_BYTES)
    }

    /// The same in a file of this name, with lanes of another size.
    ///
    /// # Errors
    /// As for [`make`](Ground::make).
    pub fn named(session: &Session<'_>, name: &str, lanes: u64, lane_bytes: u64) -> Measured<Ground> {
        let options = MapOptions { ask: session.grounds.tail_ask, ..MapOptions::default() };
        let tail = Mapped::create(session.tail_dir.join(name), lanes * lane_bytes, &options)?;
        if matches!(tail.medium(), TailMedium::Page | TailMedium::File) {
            return Err("no instruction makes anything durable on this medium: see msync".into());
        }
        Ok(Ground { tail: Arc::new(tail), lane_bytes })
    }

    /// The `nth` lane, each at most once at a time.
    ///
    /// # Errors
    /// A lane that is out already.
    pub fn lane(&self, nth: u64) -> Measured<Raw> {
        Ok(Raw::new(self.tail.lane(nth * self.lane_bytes, self.lane_bytes)?))
    }

    /// What a store in this way and a fence survive: a bare fence reaches the medium only where caches are inside the
    /// persistence domain.
    pub fn promise(&self, session: &Session<'_>, way: Way) -> &'static str {
        let eadr = matches!(
            self.tail.medium(),
            TailMedium::FsDax { eadr: true } | TailMedium::DevDax { eadr: true }
        );
        if way.flush() == Some(Flush::Fence) && !eadr { PROCESS } else { session.grounds.tail_promise }
    }
}

/// The write-back that everything is compared with (CLWB where there is one), and what a tail would stream with.
pub fn best() -> Vec<Way> {
    let all = Way::all();
    let (back, past): (Vec<Way>, Vec<Way>) = all.into_iter().partition(|way| way.flush().is_some());
    let wide = past.into_iter().rfind(|way| way.name().starts_with("nt"));
    back.into_iter().next().into_iter().chain(wide).collect()
}

/// Operations that fit in one round of this pace, as fast as memory can be.
pub fn operations_max(pace: &Pace, bytes: u64) -> u64 {
    let round_ns = pace.time.as_nanos() as u64 / u64::from(pace.runs.max(1));
    (round_ns / (10 + bytes / 20)).max(10)
}

/// Bytes that a contestant writes at this pace, about: 100 ns for an operation, and 1 ns for 10 bytes.
pub fn written(pace: &Pace, bytes: u64) -> u64 {
    pace.time.as_nanos() as u64 / (100 + bytes / 10) * bytes
}

/// Time that it takes to make so many lanes.
pub fn making(lanes: u64) -> Duration {
    Duration::from_secs_f64((lanes * LANE_BYTES) as f64 / FILLED_PER_S as f64)
}

/// The figure of a contestant that made `per` operations of `size` bytes each time.
pub fn figure(
    session: &Session<'_>,
    what: &str,
    at: Point,
    promise: &str,
    one: &Contestant<'_>,
    yardstick: &Contestant<'_>,
) -> Figure {
    let per = u64::from(at.batch.unwrap_or(1)) * u64::from(at.threads.unwrap_or(1));
    let bytes = per * at.size_bytes.unwrap_or(0);
    let threads = f64::from(at.threads.unwrap_or(1));
    let mut figure = Figure::new(Group::Primitive, what, &one.by, at, "tail", promise);
    one.fill(&mut figure, per, bytes, yardstick);
    if bytes == 0 {
        figure.bytes_per_s = None;
    }
    if let Some(per_s) = figure.per_s {
        let ns = 1e9 * threads / per_s.median;
        figure.counted.insert("cycles".into(), ns * session.ticks.cycles_per_ns());
    }
    figure.counted.insert("timer_ns".into(), session.ticks.bracket_ns());
    figure
}
