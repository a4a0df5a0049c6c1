//! Stores that a fence makes durable, on one processor.

use std::cell::RefCell;

use tierlog_tiers::persist::Way;
use tierlog_tiers::raw::Raw;

use super::ground::{self, Ground, LANE_BYTES};
use crate::bench::contest::{Contestant, contest};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::Point;
use crate::bench::sweep::{Sweep, or};

/// Bytes of a pointer to the end of a log, on a line of its own.
const POINTER: [u8; 64] = [0x11; 64];

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// The next lines, then a fence.
    Onward,
    /// The same lines.
    Again,
    /// The next lines; a fence; a pointer to them, always on the same line; a fence.
    Pointed,
}

struct Stores {
    what: &'static str,
    size: u64,
    batch: u32,
    /// What takes part, the yardstick first.
    contestants: Vec<(Way, Shape)>,
}

pub(super) fn persist(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
    each(sweep, "persist", &sizes, &[1], &Way::all(), &[Shape::Onward])
}

pub(super) fn again(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    each(sweep, "persist again", &[64], &[1], &Way::all(), &[Shape::Again])
}

pub(super) fn fences(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    each(sweep, "fences", &[64, 1024], &[1], &ground::best(), &[Shape::Onward, Shape::Pointed])
}

pub(super) fn interval(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    each(sweep, "fence interval", &[64], &[1, 2, 4, 8, 16, 64], &ground::best(), &[Shape::Onward])
}

fn each(
    sweep: &Sweep,
    what: &'static str,
    sizes: &[u64],
    batches: &[u32],
    ways: &[Way],
    shapes: &[Shape],
) -> Vec<Box<dyn Probe>> {
    let batches = if batches.len() > 1 { or(&sweep.batch, batches) } else { batches };
    let whole = |size: &&u64| **size > 0 && size.is_multiple_of(64) && **size <= LANE_BYTES;
    let points = or(&sweep.size_bytes, sizes).iter().filter(whole);
    let points = points.flat_map(|size| batches.iter().map(move |batch| (*size, *batch)));
    let contestants: Vec<(Way, Shape)> =
        ways.iter().flat_map(|way| shapes.iter().map(move |shape| (*way, *shape))).collect();
    points
        .map(|(size, batch)| {
            let wanted = |(way, shape): &&(Way, Shape)| sweep.wants(&named(*way, *shape));
            let contestants = contestants.iter().filter(wanted).copied().collect();
            Box::new(Stores { what, size, batch, contestants }) as Box<dyn Probe>
        })
        .collect()
}

fn named(way: Way, shape: Shape) -> String {
    if shape == Shape::Pointed { format!("{}, 2 fences", way.name()) } else { way.name().to_owned() }
}

impl Probe for Stores {
    fn title(&self) -> String {
        match self.batch {
            1 => format!("{}, {} B", self.what, self.size),
            batch => format!("{}, {batch} times {} B", self.what, self.size),
        }
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let (many, bytes) = (self.contestants.len() as u32, self.size * u64::from(self.batch));
        Estimate {
            time: pace.time * many + ground::making(1),
            tail_bytes: LANE_BYTES + ground::written(pace, bytes) * u64::from(many),
            nvme_bytes: 0,
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        (LANE_BYTES, 0)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let ground = Ground::make(session, 1)?;
        // One lane for all: the same memory.
        let lane = RefCell::new(ground.lane(0)?);
        session.cpus.take(0)?;
        let bytes = vec![0x5a; self.size as usize];
        let mut contestants: Vec<Contestant<'_>> = self
            .contestants
            .iter()
            .map(|(way, shape)| contestant(&lane, &bytes, *way, *shape, self.batch))
            .collect();
        let operations_max = ground::operations_max(&session.pace, self.size * u64::from(self.batch));
        contest(&mut contestants, session.ticks, session.pace, operations_max, |done| {
            (session.progress)(done);
            Ok(())
        })?;
        let at = Point { size_bytes: Some(self.size), batch: Some(self.batch), ..Point::default() };
        let figures = contestants.iter().zip(&self.contestants).map(|(one, (way, _))| {
            let promise = ground.promise(session, *way);
            let mut figure = ground::figure(session, self.what, at.clone(), promise, one, &contestants[0]);
            // Nothing is compared across promises.
            figure.ratio = figure.ratio.filter(|_| promise == ground.promise(session, self.contestants[0].0));
            figure
        });
        Ok(figures.collect())
    }
}

fn contestant<'a>(
    lane: &'a RefCell<Raw>,
    bytes: &'a [u8],
    way: Way,
    shape: Shape,
    batch: u32,
) -> Contestant<'a> {
    let by = named(way, shape);
    match shape {
        Shape::Onward => Contestant::new(by, move || -> Measured<()> {
            let mut lane = lane.borrow_mut();
            for _ in 0..batch {
                lane.store(way, bytes);
            }
            Ok(lane.fence()?)
        }),
        Shape::Again => Contestant::new(by, move || -> Measured<()> {
            let mut lane = lane.borrow_mut();
            lane.store_again(way, bytes);
            Ok(lane.fence()?)
        }),
        Shape::Pointed => Contestant::new(by, move || -> Measured<()> {
            let mut lane = lane.borrow_mut();
            lane.store(way, bytes);
            lane.fence()?;
            lane.store_again(way, &POINTER);
            Ok(lane.fence()?)
        }),
    }
}
