//! How fast a log moves what was committed to NVMe, beside a raw file of the same length.

use std::time::{Duration, Instant};

use super::place::{Place, config, frame_bytes};
use super::raw_file::RawFile;
use crate::Durability;
use crate::bench::latency::spread;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Ratio};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 256 << 20;
/// Bytes of frames in a batch: a drain is to be measured, not how often one thread can commit.
const BATCH_BYTES: u64 = 64 << 10;
const RAW: &str = "raw file";

struct Drain {
    size: u64,
    total: u64,
    read_back: bool,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, totals) = (or(&sweep.size_bytes, &[256]), or(&sweep.total_bytes, &[128 << 20]));
    let mut probes: Vec<Box<dyn Probe>> = Vec::new();
    for (&size, &total) in sizes.iter().flat_map(|size| totals.iter().map(move |total| (size, total))) {
        for read_back in [true, false] {
            probes.push(Box::new(Drain { size, total, read_back }));
        }
    }
    probes
}

impl Probe for Drain {
    fn title(&self) -> String {
        let read_back = if self.read_back { "" } else { ", not read back" };
        format!("drain, {} MiB of {} B records{read_back}", self.total >> 20, self.size)
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
        let mut config = config(session, 1, RING_BYTES);
        config.nvme.read_back = self.read_back;
        let place = Place::open(session, config, 1)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.size as usize]);
        let (mut own, mut other) = (Vec::new(), Vec::new());
        let raw = RawFile::new(session)?;
        for run in 0..session.pace.runs {
            let began = Instant::now();
            let batch = (BATCH_BYTES / frame_bytes(self.size)).max(1);
            for record in 1..=self.total / frame_bytes(self.size) {
                writer.append(7, &payload)?;
                if record % batch == 0 {
                    writer.commit(Durability::Power)?;
                }
            }
            writer.commit(Durability::Power)?;
            place.drained()?;
            own.push(self.total as f64 / began.elapsed().as_secs_f64());
            place.settle()?;
            other.push(self.total as f64 / raw.write(self.total)?.as_secs_f64());
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
        let (by, before) = match self.read_back {
            true => ("tierlog", ", and read back before the tail gives up"),
            false => ("tierlog, not read back", ""),
        };
        let mut ours = figure(by, &own);
        let ratios: Vec<f64> = own.iter().zip(&other).map(|(own, other)| other / own).collect();
        ours.ratio = spread(&ratios).map(|value| Ratio { to: RAW.into(), of: "time".into(), value });
        ours.note = Some(format!("bytes of frames, in batches of 64 KiB; from the first append on{before}"));
        Ok(vec![figure(RAW, &other), ours])
    }
}
