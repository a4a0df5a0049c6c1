//! Archived to a directory on the NVMe tier's medium with each compression, and restored from
//! there.

use std::path::Path;
use std::time::{Duration, Instant};

use super::place::{Place, config, frame_bytes};
use crate::bench::latency::spread;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Compression, Durability};

const RING_BYTES: u64 = 64 << 20;
/// A line of an order flow, about.
const LINE_BYTES: u64 = 48;
const BATCH: u64 = 64;
const ALL: [(&str, Compression); 3] =
    [("off", Compression::Off), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd)];

struct Archive {
    by: &'static str,
    compression: Compression,
    total: u64,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let totals = or(&sweep.total_bytes, &[32 << 20]);
    let wanted = ALL.into_iter().filter(|(by, _)| sweep.wants(by));
    let points = wanted.flat_map(|one| totals.iter().map(move |total| (one, *total)));
    points
        .map(|((by, compression), total)| Box::new(Archive { by, compression, total }) as Box<dyn Probe>)
        .collect()
}

impl Probe for Archive {
    fn title(&self) -> String {
        format!("archive and restore, compression {}", self.by)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = self.total * u64::from(pace.runs);
        Estimate {
            time: Duration::from_millis(500) * pace.runs + Duration::from_millis(bytes / 40_000),
            tail_bytes: (self.total + 2 * RING_BYTES) * u64::from(pace.runs),
            nvme_bytes: 3 * bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let records = self.total / frame_bytes(LINE_BYTES);
        let frames = records * frame_bytes(LINE_BYTES);
        let (mut archived, mut restored) = (Vec::new(), Vec::new());
        let mut object_bytes = 0;
        let session_dirs = (session.tail_dir.clone(), session.nvme_dir.clone());
        for run in 0..session.pace.runs {
            session.tail_dir = session_dirs.0.join(run.to_string());
            session.nvme_dir = session_dirs.1.join(run.to_string());
            std::fs::create_dir(&session.tail_dir)?;
            std::fs::create_dir(&session.nvme_dir)?;
            let objects = session.nvme_dir.join("archive");
            let mut config = config(session, 1, RING_BYTES);
            config.archive.address = objects.display().to_string();
            config.archive.accept_local = true;
            config.archive.compression = self.compression;
            let place = Place::open(session, config.clone(), 1)?;
            let began = Instant::now();
            write(&place, records)?;
            place.close()?;
            archived.push(frames as f64 / began.elapsed().as_secs_f64());
            object_bytes = bytes_below(&objects)?;
            config.dir = session.nvme_dir.join("again");
            config.tail.places[0].path = session.tail_dir.join("again");
            let began = Instant::now();
            crate::restore(&config)?;
            restored.push(frames as f64 / began.elapsed().as_secs_f64());
            std::fs::remove_dir_all(&session.tail_dir)?;
            std::fs::remove_dir_all(&session.nvme_dir)?;
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        (session.tail_dir, session.nvme_dir) = session_dirs;
        let figure = |what: &str, runs: &[f64], note: &str| {
            let promise = session.grounds.nvme_promise;
            let mut figure = Figure::new(Group::Engine, what, self.by, Point::default(), "nvme", promise);
            figure.runs = runs.len() as u32;
            figure.bytes_per_s = spread(runs);
            figure.note = Some(note.into());
            figure
        };
        let mut ours = figure("archive", &archived, "bytes of frames; the log's close is part of it");
        ours.counted.insert("bytes_per_byte".into(), object_bytes as f64 / frames as f64);
        ours.counted.insert("object_bytes_per_record".into(), object_bytes as f64 / records as f64);
        let again = figure("restore", &restored, "bytes of frames; ends with a log that can be opened");
        Ok(vec![ours, again])
    }
}

/// Lines such as an order flow has: about as compressible as real ones.
fn write(place: &Place, records: u64) -> Measured<()> {
    let mut writer = place.log.writer()?;
    let (mut state, mut ns, mut price, mut order) =
        (0x9e37_79b9_7f4a_7c15_u64, 34_200_000_000_000_u64, 5_853_300, 1);
    for nth in 1..=records {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ns += state % 70_000_000;
        price = price + 100 * (state % 21) - 1_000;
        order += state % 40;
        let (size, side) = (1 + state % 500, if state & 64 == 0 { "1" } else { "-1" });
        let (seconds, ns) = (ns / 1_000_000_000, ns % 1_000_000_000);
        writer.append(
            0,
            format!("{seconds}.{ns:09},{},{order},{size},{price},{side}", 1 + state % 4).as_bytes(),
        )?;
        if nth % BATCH == 0 || nth == records {
            writer.commit(Durability::Power)?;
        }
    }
    Ok(())
}

/// Of all files.
fn bytes_below(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_below(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
