//! Append + commit at `Power` on the tail, beside the raw loops over the bytes of the frames, in turns on one processor.
//! Nothing is drained meanwhile: what that costs commits is [`drained`](super::drained)'s to tell.

use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::Fault;

use super::place::{Place, config, frame_bytes, raw};
use crate::bench::contest::{Contestant, contest};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, Writer};

const RING_BYTES: u64 = 256 << 20;
/// Of the ring, what a round may use: no commit ever waits for the drainer.
const USED_BYTES: u64 = RING_BYTES / 10 * 9;
/// What every other figure here is compared with.
pub const RAW: &str = "raw loop";

struct Commit {
    size: u64,
    batch: u32,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 256, 1024, 4096]);
    let batches = or(&sweep.batch, &[1]);
    let points = sizes.iter().flat_map(|size| batches.iter().map(move |batch| (*size, *batch)));
    points.map(|(size, batch)| Box::new(Commit { size, batch }) as Box<dyn Probe>).collect()
}

impl Commit {
    /// Bytes of one commit's frames.
    fn bytes(&self) -> u64 {
        frame_bytes(self.size) * u64::from(self.batch)
    }
}

impl Probe for Commit {
    fn title(&self) -> String {
        match self.batch {
            1 => format!("commit, {} B", self.size),
            batch => format!("commit, {batch} records of {} B", self.size),
        }
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        // 1 ns for 10 bytes, 100 ns for a commit: what memory takes at least.
        let commits = pace.time.as_nanos() as u64 / (100 + self.bytes() / 10);
        let bytes = (commits * self.bytes()).min(USED_BYTES * u64::from(pace.runs));
        // Three contestants on the tail, one of which is drained at 1 GB/s.
        Estimate {
            time: pace.time * 3 + std::time::Duration::from_millis(600 + bytes / 1_000_000),
            tail_bytes: bytes * 3 + 3 * RING_BYTES,
            nvme_bytes: bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let place = Place::open(session, config(session, 1, RING_BYTES), 1)?;
        let mut writer = place.log.writer()?;
        let mut contestants = self.contestants(session, &mut writer)?;
        let commits_max = USED_BYTES / self.bytes();
        let mut held = place.log.hold_drains();
        contest(&mut contestants, session.ticks, session.pace, commits_max, |done| {
            (session.progress)(done);
            held.clear();
            place.settle()?;
            held = place.log.hold_drains();
            Ok(())
        })?;
        drop(held);
        let figures = contestants.iter().map(|one| self.figure(session, one, &contestants[0])).collect();
        drop(contestants);
        let lane = writer.lane();
        drop(writer);
        if place.log.metrics().lanes[lane.0 as usize].waits_for_room != 0 {
            return Err("commits waited for the drainer: the figures are not those of commits".into());
        }
        place.close()?;
        Ok(figures)
    }
}

impl Commit {
    fn contestants<'a>(
        &self,
        session: &Session<'_>,
        writer: &'a mut Writer,
    ) -> Measured<Vec<Contestant<'a>>> {
        let (frames, payload) = (vec![0x5a_u8; self.bytes() as usize], vec![0x5a_u8; self.size as usize]);
        let batch = self.batch;
        let raw = raw_loop(session, RAW, frames.clone(), Raw::write_back)?;
        let stream = raw_loop(session, "raw loop past the cache", frames, Raw::stream)?;
        let ours = Contestant::new("tierlog", move || -> Measured<()> {
            // Each record of a batch in a stream of its own.
            for stream in 0..batch {
                writer.append(stream, &payload)?;
            }
            writer.commit(Durability::Power)?;
            Ok(())
        });
        Ok(vec![raw, ours, stream])
    }

    fn figure(&self, session: &Session<'_>, one: &Contestant<'_>, yardstick: &Contestant<'_>) -> Figure {
        let at = Point { size_bytes: Some(self.size), batch: Some(self.batch), ..Point::default() };
        let mut figure =
            Figure::new(Group::Engine, "commit", &one.by, at, "tail", session.grounds.tail_promise);
        one.fill(&mut figure, u64::from(self.batch), u64::from(self.batch) * self.size, yardstick);
        figure
    }
}

/// A loop over `bytes` in a lane of its own. Generic, so that the call is none.
fn raw_loop<'a>(
    session: &Session<'_>,
    name: &str,
    bytes: Vec<u8>,
    work: impl Fn(&mut Raw, &[u8]) -> Result<(), Fault> + 'a,
) -> Measured<Contestant<'a>> {
    let mut lane = raw(session, name, RING_BYTES)?;
    Ok(Contestant::new(name, move || -> Measured<()> { Ok(work(&mut lane, &bytes)?) }))
}
