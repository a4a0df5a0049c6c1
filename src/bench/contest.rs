//! Contestants on one processor, in turns: bursts for the speed and the ratio, then one by one for the latencies.

use tierlog_tiers::clock::Ticks;

use super::latency::{Latencies, spread};
use super::probe::{Measured, Pace};
use super::results::{Figure, Ratio};

/// Bursts of each contestant in one round.
const BURSTS: u64 = 5;
/// Operations by which the length of a burst is found, and the time that they may take.
const WARM_UP: u64 = 200;
const WARM_UP_NS: f64 = 10e6;

/// A loop, of which only whole bursts are called through a pointer.
pub trait Loop {
    /// Nanoseconds per operation.
    ///
    /// # Errors
    /// The operation's.
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64>;
    /// Each for itself, the bracket's cost subtracted.
    ///
    /// # Errors
    /// The operation's.
    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()>;
}

impl<F: FnMut() -> Measured<()>> Loop for F {
    #[inline(never)]
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64> {
        let start = ticks.now();
        for _ in 0..operations {
            self()?;
        }
        Ok(ticks.since(start) / operations as f64)
    }

    #[inline(never)]
    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()> {
        for _ in 0..operations {
            let start = ticks.now();
            self()?;
            into.record(ticks.since(start) as u64);
        }
        Ok(())
    }
}

/// A loop and what was measured of it.
pub struct Contestant<'a> {
    /// Its name: [`Figure::by`].
    pub by: String,
    work: Box<dyn Loop + 'a>,
    /// Median burst of each round, in ns per operation.
    rounds: Vec<f64>,
    latencies: Latencies,
}

impl<'a> Contestant<'a> {
    /// One that has not begun.
    pub fn new(by: impl Into<String>, work: impl Loop + 'a) -> Self {
        Contestant {
            by: by.into(),
            work: Box::new(work),
            rounds: Vec::new(),
            latencies: Latencies::default(),
        }
    }

    /// Fills in what was measured: `per` records and `bytes` bytes an operation, the ratio to `yardstick` if it is another.
    pub fn fill(&self, figure: &mut Figure, per: u64, bytes: u64, yardstick: &Contestant<'_>) {
        let scaled = |by: f64| spread(&self.rounds.iter().map(|ns| by / ns).collect::<Vec<_>>());
        figure.runs = self.rounds.len() as u32;
        figure.per_s = scaled(1e9 * per as f64);
        figure.bytes_per_s = scaled(1e9 * bytes as f64);
        figure.latency = self.latencies.quantiles();
        if self.by != yardstick.by {
            let ratios: Vec<f64> =
                self.rounds.iter().zip(&yardstick.rounds).map(|(own, other)| own / other).collect();
            figure.ratio =
                spread(&ratios).map(|value| Ratio { to: yardstick.by.clone(), of: "time".into(), value });
        }
    }
}

/// All rounds. No contestant makes more than `operations_max` in one; `between` follows each round, untimed.
///
/// # Errors
/// The first that a contestant, or `between`, meets.
pub fn contest(
    contestants: &mut [Contestant<'_>],
    ticks: Ticks,
    pace: Pace,
    operations_max: u64,
    mut between: impl FnMut(f64) -> Measured<()>,
) -> Measured<()> {
    let mut slowest: f64 = 1.0;
    for one in contestants.iter_mut() {
        let first = one.work.burst(ticks, 1)?;
        let warm_up = ((WARM_UP_NS / first) as u64).clamp(1, WARM_UP.min(operations_max).max(1));
        // The fastest of several: others may be at work.
        let mut fastest = f64::INFINITY;
        for _ in 0..BURSTS {
            fastest = fastest.min(one.work.burst(ticks, warm_up)?);
        }
        slowest = slowest.max(fastest);
    }
    between(0.0)?;
    // A round is as many operations one by one as in bursts.
    let round_ns = pace.time.as_nanos() as f64 / f64::from(pace.runs.max(1));
    let burst = ((round_ns / slowest) as u64).clamp(1, operations_max.max(1)) / BURSTS / 2;
    for round in 0..pace.runs {
        one_round(contestants, ticks, round as usize, burst.max(1))?;
        between(f64::from(round + 1) / f64::from(pace.runs))?;
    }
    Ok(())
}

/// Who begins changes from round to round.
fn one_round(contestants: &mut [Contestant<'_>], ticks: Ticks, round: usize, burst: u64) -> Measured<()> {
    let count = contestants.len();
    let mut bursts = vec![Vec::new(); count];
    for _ in 0..BURSTS {
        for turn in 0..count {
            let who = (round + turn) % count;
            bursts[who].push(contestants[who].work.burst(ticks, burst)?);
        }
    }
    for turn in 0..count {
        let one = &mut contestants[(round + turn) % count];
        one.work.one_by_one(ticks, burst * BURSTS, &mut one.latencies)?;
    }
    for (one, bursts) in contestants.iter_mut().zip(&bursts) {
        one.rounds.push(spread(bursts).map_or(f64::NAN, |bursts| bursts.median));
    }
    Ok(())
}
