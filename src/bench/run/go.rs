//! One probe after the other.

use std::time::{Duration, Instant};

use tierlog_tiers::clock::Ticks;

use super::Audience;
use super::noise::Watch;
use super::places::Places;
use super::plan::Item;
use crate::bench::cpus::Cpus;
use crate::bench::probe::{Measured, Session};
use crate::bench::results::{Figure, Noise, Skipped};

/// Between two probes, for the noise.
const LOOK: Duration = Duration::from_millis(20);

/// What was measured, and how quiet it was meanwhile.
#[derive(Debug, Default)]
pub struct Found {
    /// The figures, in the order in which they were measured.
    pub figures: Vec<Figure>,
    /// What there are none of.
    pub skipped: Vec<Skipped>,
    /// How quiet it was.
    pub noise: Noise,
}

/// Runs all probes. One that fails is skipped, with its reason.
///
/// # Errors
/// If the calling thread cannot be pinned.
pub fn carry_out(
    items: &mut [Item],
    places: &Places,
    cpus: &Cpus,
    told: &mut dyn Audience,
) -> Measured<Found> {
    cpus.take(0)?;
    let ticks = Ticks::calibrate();
    let mut watch = Watch::begin(ticks);
    let estimates: Vec<Duration> = items.iter().map(|item| item.probe.estimate(&item.pace).time).collect();
    let (mut found, began, mut planned) = (Found::default(), Instant::now(), Duration::ZERO);
    let of = items.len();
    for (nth, item) in items.iter_mut().enumerate() {
        let left: Duration = estimates[nth..].iter().sum();
        told.begins(nth, of, &item.probe.title(), left.mul_f64(slower(began.elapsed(), planned)));
        cpus.release()?;
        match one(item, nth, places, cpus, ticks, told) {
            Ok((figures, mut skipped)) => {
                // What several probes cannot have is told once.
                skipped.retain(|one| !found.skipped.contains(one));
                told.measured(&figures);
                skipped.iter().for_each(|skipped| told.skipped(skipped));
                found.figures.extend(figures);
                found.skipped.extend(skipped);
            }
            Err(why) => {
                let skipped = Skipped { what: item.probe.title(), why: why.to_string() };
                told.skipped(&skipped);
                found.skipped.push(skipped);
            }
        }
        planned += estimates[nth];
        cpus.take(0)?;
        watch.look(ticks, LOOK);
    }
    found.noise = watch.end(ticks, cpus.count(), &found.figures);
    cpus.release()?;
    Ok(found)
}

/// How much longer than planned it took until now.
fn slower(took: Duration, planned: Duration) -> f64 {
    if planned < Duration::from_secs(1) { 1.0 } else { took.as_secs_f64() / planned.as_secs_f64() }
}

fn one(
    item: &mut Item,
    nth: usize,
    places: &Places,
    cpus: &Cpus,
    ticks: Ticks,
    told: &mut dyn Audience,
) -> Measured<(Vec<Figure>, Vec<Skipped>)> {
    let rooms = places.rooms(nth)?;
    let mut progress = |done| told.progress(done);
    let mut session = Session {
        pace: item.pace,
        tail_dir: rooms.tail(),
        nvme_dir: rooms.nvme(),
        grounds: &places.grounds,
        cpus,
        ticks,
        progress: &mut progress,
        skipped: Vec::new(),
    };
    let figures = item.probe.run(&mut session)?;
    Ok((figures, session.skipped))
}
