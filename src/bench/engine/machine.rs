//! Commits at `Machine`, acknowledged by an archive in a directory beside the NVMe tier: the log's own part of it. A store
//! elsewhere adds its latency.

use std::time::{Duration, Instant};

use super::place::{Place, config};
use crate::Durability;
use crate::bench::latency::{Latencies, spread};
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};

const RING_BYTES: u64 = 32 << 20;

struct Machine(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    or(&sweep.size_bytes, &[64]).iter().map(|size| Box::new(Machine(*size)) as Box<dyn Probe>).collect()
}

impl Probe for Machine {
    fn title(&self) -> String {
        format!("commit(machine), {} B", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let nvme_bytes = pace.time.as_millis() as u64 * (self.0 + 8192);
        Estimate { time: pace.time + Duration::from_millis(500), tail_bytes: RING_BYTES, nvme_bytes }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let mut config = config(session, 1, RING_BYTES);
        config.archive.address = session.nvme_dir.join("archive").display().to_string();
        config.archive.accept_local = true;
        let place = Place::open(session, config, 1)?;
        let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; self.0 as usize]);
        let (mut latencies, mut per_s) = (Latencies::default(), Vec::new());
        for run in 0..session.pace.runs {
            let (began, mut commits) = (Instant::now(), 0);
            while commits == 0 || began.elapsed() < session.pace.time / session.pace.runs {
                let start = Instant::now();
                writer.append(7, &payload)?;
                writer.commit(Durability::Machine)?;
                latencies.record(start.elapsed().as_nanos() as u64);
                commits += 1;
            }
            per_s.push(f64::from(commits) / began.elapsed().as_secs_f64());
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        drop(writer);
        place.close()?;
        let at = Point { size_bytes: Some(self.0), ..Point::default() };
        let promise = format!("{} (archive on this machine)", session.grounds.nvme_promise);
        let mut figure = Figure::new(Group::Engine, "commit(machine)", "tierlog", at, "nvme", &promise);
        figure.runs = session.pace.runs;
        figure.per_s = spread(&per_s);
        figure.latency = latencies.quantiles();
        figure.note = Some("waits 2 ms for company before it archives (archive.gather_ms)".into());
        Ok(vec![figure])
    }
}
