//! How fast a log moves what was committed to NVMe, beside a raw file of the same length: written past the page cache in
//! requests of 1 MiB, several at a time, and flushed.

use std::time::{Duration, Instant};

use tierlog_tiers::nvme::{Directory, DirectoryOptions, FileName, Nvme};

use super::place::{Place, config, frame_bytes};
use crate::Durability;
use crate::bench::latency::spread;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Ratio};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 256 << 20;
const REQUEST_BYTES: usize = 1 << 20;
const RAW: &str = "raw file";

struct Drain {
    size: u64,
    total: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, totals) = (or(&sweep.size_bytes, &[256]), or(&sweep.total_bytes, &[128 << 20]));
    let points = sizes.iter().flat_map(|size| totals.iter().map(move |total| (*size, *total)));
    points.map(|(size, total)| Box::new(Drain { size, total }) as Box<dyn Probe>).collect()
}

impl Probe for Drain {
    fn title(&self) -> String {
        format!("drain, {} MiB of {} B records", self.total >> 20, self.size)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = self.total * u64::from(pace.runs);
        Estimate {
            time: Duration::from_millis(bytes * 2 / 400_000),
            tail_bytes: bytes + RING_BYTES,
            nvme_bytes: 2 * bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let place = Place::open(session, config(session, 1, RING_BYTES), 1)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.size as usize]);
        let (mut own, mut other) = (Vec::new(), Vec::new());
        let directory = Directory::open(
            session.nvme_dir.join("raw"),
            &DirectoryOptions { create: true, ..DirectoryOptions::default() },
        )?;
        for run in 0..session.pace.runs {
            let began = Instant::now();
            for _ in 0..self.total / frame_bytes(self.size) {
                writer.append(7, &payload)?;
                writer.commit(Durability::Power)?;
            }
            place.drained()?;
            own.push(self.total as f64 / began.elapsed().as_secs_f64());
            place.settle()?;
            other.push(raw_file(&directory, self.total)?);
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        drop(writer);
        place.close()?;
        let at = Point { size_bytes: Some(self.size), ..Point::default() };
        let figure = |by: &str, runs: &[f64]| {
            let promise = session.grounds.nvme_promise;
            let mut figure = Figure::new(Group::Engine, "drain", by, at.clone(), "nvme", promise);
            figure.runs = runs.len() as u32;
            figure.bytes_per_s = spread(runs);
            figure
        };
        let mut ours = figure("tierlog", &own);
        let ratios: Vec<f64> = own.iter().zip(&other).map(|(own, other)| other / own).collect();
        ours.ratio = spread(&ratios).map(|value| Ratio { to: RAW.into(), of: "time".into(), value });
        ours.note =
            Some("bytes of frames; from the first append on, and read back before the tail gives up".into());
        Ok(vec![figure(RAW, &other), ours])
    }
}

/// Bytes a second.
fn raw_file(directory: &Directory, bytes: u64) -> Measured<f64> {
    let (name, len) = (FileName::Segment(1), bytes.next_multiple_of(REQUEST_BYTES as u64));
    let began = Instant::now();
    let file = directory.allocate(name, len)?;
    let mut queue = directory.queue()?;
    for at in (0..len).step_by(REQUEST_BYTES) {
        let mut block = queue.block(REQUEST_BYTES);
        block.fill(0x5a);
        queue.write(&file, at, block)?;
    }
    queue.settle()?;
    let speed = bytes as f64 / began.elapsed().as_secs_f64();
    drop((queue, file));
    directory.remove(name)?;
    Ok(speed)
}
