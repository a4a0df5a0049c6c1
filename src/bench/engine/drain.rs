//! How fast a log moves a burst to NVMe, beside a raw file of the same length, read back as well or not;
//! `sustained` is what has no end.

use std::time::{Duration, Instant};

use super::place::{Place, config, frame_bytes, not_read_back};
use super::raw_file::{RAW, RAW_READ_BACK, RawFile};
use crate::Durability;
use crate::bench::latency::{beside, spread};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 256 << 20;
/// Bytes of frames in a batch: a drain is to be measured, not how often one thread can commit.
const BATCH_BYTES: u64 = 64 << 10;

struct Drain {
    size: u64,
    total: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, totals) = (or(&sweep.size_bytes, &[256]), or(&sweep.total_bytes, &[64 << 20]));
    let pairs = sizes.iter().flat_map(|size| totals.iter().map(move |total| (*size, *total)));
    pairs.map(|(size, total)| Box::new(Drain { size, total }) as Box<dyn Probe>).collect()
}

impl Probe for Drain {
    fn title(&self) -> String {
        format!("drain, {} MiB of {} B records", self.total >> 20, self.size)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = self.total * u64::from(pace.runs);
        Estimate {
            time: Duration::from_millis(bytes * 4 / 400_000),
            tail_bytes: 2 * (bytes + RING_BYTES),
            nvme_bytes: 4 * bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let places = [self.open(session, true)?, self.open(session, false)?];
        let mut runs = Runs::default();
        let raw = RawFile::new(session)?;
        let speed = |took: Duration| self.total as f64 / took.as_secs_f64();
        for run in 0..session.pace.runs {
            let [(durable, read_back), (unread, _)] = [self.burst(&places[0])?, self.burst(&places[1])?];
            runs.durable.push(speed(durable));
            runs.read_back.push(speed(read_back));
            runs.unread.push(speed(unread));
            runs.raw.push(speed(raw.write(self.total)?));
            runs.raw_read_back.push(speed(raw.write_and_read(self.total)?));
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        places.into_iter().try_for_each(Place::close)?;
        Ok(self.figures(session, &runs))
    }
}

/// Bytes a second, of each run.
#[derive(Default)]
struct Runs {
    durable: Vec<f64>,
    read_back: Vec<f64>,
    unread: Vec<f64>,
    raw: Vec<f64>,
    raw_read_back: Vec<f64>,
}

impl Drain {
    fn open(&self, session: &Session<'_>, read_back: bool) -> Measured<Place> {
        let config = config(session, 1, RING_BYTES);
        Place::open(session, if read_back { config } else { not_read_back(session, config) }, 1)
    }

    /// How long it takes until it is durable on NVMe, and until the tail has given it up.
    fn burst(&self, place: &Place) -> Measured<(Duration, Duration)> {
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.size as usize]);
        let batch = (BATCH_BYTES / frame_bytes(self.size)).max(1);
        let began = Instant::now();
        for record in 1..=self.total / frame_bytes(self.size) {
            writer.append(7, &payload)?;
            if record % batch == 0 {
                writer.commit(Durability::Power)?;
            }
        }
        writer.commit(Durability::Power)?;
        place.drained()?;
        let durable = began.elapsed();
        place.given_back()?;
        let read_back = began.elapsed();
        place.trim()?;
        Ok((durable, read_back))
    }

    fn figures(&self, session: &Session<'_>, runs: &Runs) -> Vec<Figure> {
        let figure = |by: &str, own: &[f64]| {
            let at = Point { size_bytes: Some(self.size), ..Point::default() };
            let promise = session.grounds.nvme_promise;
            let mut figure = Figure::new(Group::Engine, "drain", by, at, "nvme", promise);
            figure.runs = own.len() as u32;
            figure.bytes_per_s = spread(own);
            figure
        };
        let ours = |(to, raw): (&str, &[f64]), by: &str, own: &[f64], until: &str| {
            let mut figure = figure(by, own);
            figure.ratio = beside(to, own, raw);
            let burst = format!("a burst of {} MiB in batches of 64 KiB", self.total >> 20);
            figure.note = Some(format!("{burst}, from the first append until {until}"));
            figure
        };
        let (raw, raw_read_back) = ((RAW, &*runs.raw), (RAW_READ_BACK, &*runs.raw_read_back));
        let durable = "it is durable on NVMe";
        vec![
            figure(raw.0, raw.1),
            figure(raw_read_back.0, raw_read_back.1),
            ours(raw, "tierlog", &runs.durable, durable),
            ours(raw, "tierlog, not read back", &runs.unread, durable),
            ours(raw_read_back, "tierlog, read back", &runs.read_back, "the tail gives it up"),
        ]
    }
}
