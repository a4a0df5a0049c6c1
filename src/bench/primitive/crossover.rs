//! The size from which stores past the cache beat stores with a write-back: as measured here, and as a tail finds it when it
//! is opened, in 4 ms.

use std::cell::RefCell;

use tierlog_tiers::persist::Way;
use tierlog_tiers::tail::TailLane;

use super::ground::{self, Ground, LANE_BYTES};
use crate::bench::contest::{Contestant, contest};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::Sweep;

const SIZES: [u64; 9] = [64, 128, 256, 384, 512, 1024, 1536, 2048, 4096];

struct Crossover;

pub(super) fn probes(_: &Sweep) -> Vec<Box<dyn Probe>> {
    vec![Box::new(Crossover)]
}

impl Probe for Crossover {
    fn title(&self) -> String {
        "crossover to stores past the cache".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes: u64 = SIZES.iter().map(|size| ground::written(&each(pace), *size)).sum();
        let tail_bytes = LANE_BYTES + 2 * bytes;
        Estimate { time: pace.time * 2 + ground::making(1), tail_bytes, nvme_bytes: 0 }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (LANE_BYTES, 0)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let [back, past] = ground::best()[..] else { return Err("this processor has only one way".into()) };
        let ground = Ground::make(session, 1)?;
        let mut lane = ground.lane(0)?;
        let at_open = lane.lane().crossover();
        let lane = RefCell::new(lane);
        session.cpus.take(0)?;
        let bytes = vec![0x5a; 4096];
        let mut figure = Figure::new(
            Group::Primitive,
            "crossover",
            &format!("{} to {}", back.name(), past.name()),
            Point::default(),
            "tail",
            ground.promise(session, back),
        );
        figure.runs = session.pace.runs;
        let mut faster = Vec::new();
        for (nth, size) in SIZES.iter().enumerate() {
            let loop_of = |way: Way| {
                let (lane, bytes) = (&lane, &bytes[..*size as usize]);
                Contestant::new(way.name(), move || -> Measured<()> {
                    let mut lane = lane.borrow_mut();
                    lane.store(way, bytes);
                    Ok(lane.fence()?)
                })
            };
            let mut both = [loop_of(back), loop_of(past)];
            let pace = each(&session.pace);
            let operations_max = ground::operations_max(&pace, *size);
            contest(&mut both, session.ticks, pace, operations_max, |_| Ok(()))?;
            let mut scratch = figure.clone();
            both[1].fill(&mut scratch, 1, *size, &both[0]);
            let ratio = scratch.ratio.map_or(f64::NAN, |ratio| ratio.value.median);
            figure.counted.insert(format!("ratio_at_{size:04}_bytes"), ratio);
            faster.push(ratio <= 1.0);
            (session.progress)((nth + 1) as f64 / SIZES.len() as f64);
        }
        figure.counted.insert("crossover_at_open_bytes".into(), at_open as f64);
        figure.note = Some(match smallest_win(&faster) {
            Some(from) => {
                figure.counted.insert("crossover_bytes".into(), from as f64);
                format!("{} wins from {from} B on; a tail opened here streams from {at_open} B", past.name())
            }
            None => format!("{} never won up to {} B", past.name(), SIZES[SIZES.len() - 1]),
        });
        Ok(vec![figure])
    }
}

fn each(pace: &Pace) -> Pace {
    Pace { time: pace.time / SIZES.len() as u32, runs: pace.runs }
}

/// The smallest size from which on it is never slower.
fn smallest_win(faster: &[bool]) -> Option<u64> {
    let wins = faster.iter().rev().take_while(|faster| **faster).count();
    SIZES.get(SIZES.len() - wins).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_unbroken_win_counts() {
        let n = SIZES.len();
        assert_eq!(smallest_win(&vec![true; n]), Some(64));
        assert_eq!(smallest_win(&vec![false; n]), None);
        let mut faster = vec![true; n];
        faster[3] = false;
        assert_eq!(smallest_win(&faster), Some(SIZES[4]));
    }
}
