//! Reading back, each frame's checksum verified: from the tail, and from NVMe; beside a checksum over as many bytes in memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tierlog_tiers::checksum::Crc32c;

use super::place::{Place, config, frame_bytes};
use crate::bench::latency::{beside, spread};
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Cut, Durability};

const CHECKSUM: &str = "checksum of as many bytes";
const TOTAL_BYTES: u64 = 48 << 20;
/// What is read of NVMe went through a ring of a third of it.
const RING_BYTES: u64 = 16 << 20;
/// What is read of the tail stays in one segment, which is not full and so is never given up.
const SEGMENT_BYTES: u64 = 64 << 20;
const SEGMENTS: u32 = 4;

struct Read {
    size: u64,
    from_nvme: bool,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let sizes = or(&sweep.size_bytes, &[64, 1024]);
    let both = [false, true];
    let points = sizes.iter().flat_map(|size| both.map(move |from_nvme| (*size, from_nvme)));
    points.map(|(size, from_nvme)| Box::new(Read { size, from_nvme }) as Box<dyn Probe>).collect()
}

impl Probe for Read {
    fn title(&self) -> String {
        format!("read from {}, {} B", if self.from_nvme { "NVMe" } else { "the tail" }, self.size)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let time = Duration::from_millis(600) + Duration::from_millis(150) * pace.runs;
        Estimate {
            time,
            tail_bytes: TOTAL_BYTES + SEGMENT_BYTES * u64::from(SEGMENTS),
            nvme_bytes: TOTAL_BYTES,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut config = config(session, 1, RING_BYTES);
        if !self.from_nvme {
            config.tail.segment_bytes = Some(SEGMENT_BYTES);
            config.tail.segments = Some(SEGMENTS);
            config.nvme.segment_bytes = Some(2 * SEGMENT_BYTES);
            config.nvme.spare_segments = 0;
        }
        let place = Place::open(session, config, 1)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.size as usize]);
        let records = TOTAL_BYTES / frame_bytes(self.size);
        for _ in 0..records {
            writer.append(7, &payload)?;
            writer.commit(Durability::Power)?;
        }
        let lane = writer.lane();
        drop(writer);
        place.drained()?;
        let memory = vec![0x5a_u8; TOTAL_BYTES as usize];
        let mut runs = [const { Vec::new() }; 3];
        for run in 0..session.pace.runs {
            let began = Instant::now();
            black_box(Crc32c::new().bytes(black_box(&memory)).finish());
            runs[0].push(speed(began));
            let began = Instant::now();
            let (mut reader, mut seen) = (place.log.lane(lane, None)?, 0);
            while reader.next()?.is_some() {
                seen += 1;
            }
            runs[1].push(speed(began));
            let began = Instant::now();
            let (mut reader, mut merged) = (place.log.reader(&Cut::start())?, 0);
            while reader.next()?.is_some() {
                merged += 1;
            }
            runs[2].push(speed(began));
            if (seen, merged) != (records, records) {
                return Err(format!("{records} records were committed, {seen} and {merged} came back").into());
            }
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        place.close()?;
        Ok(self.figures(&runs))
    }
}

/// Bytes of frames a second.
fn speed(began: Instant) -> f64 {
    TOTAL_BYTES as f64 / began.elapsed().as_secs_f64()
}

impl Read {
    fn figures(&self, runs: &[Vec<f64>; 3]) -> Vec<Figure> {
        let at = Point { size_bytes: Some(self.size), ..Point::default() };
        let medium = if self.from_nvme { "nvme" } else { "tail" };
        let figure = |(by, runs): (&str, &Vec<f64>)| {
            let mut figure = Figure::new(Group::Engine, "read", by, at.clone(), medium, NOTHING);
            figure.runs = runs.len() as u32;
            figure.bytes_per_s = spread(runs);
            let frame = frame_bytes(self.size) as f64;
            figure.per_s = spread(&runs.iter().map(|bytes| bytes / frame).collect::<Vec<_>>());
            figure
        };
        let mut figures: Vec<Figure> =
            [CHECKSUM, "tierlog, one lane", "tierlog, merged"].into_iter().zip(runs).map(figure).collect();
        for (figure, own) in figures.iter_mut().zip(runs).skip(1) {
            figure.ratio = beside(CHECKSUM, own, &runs[0]);
        }
        figures
    }
}
