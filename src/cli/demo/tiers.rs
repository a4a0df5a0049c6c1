//! Down the tiers and back: drain, archive, restore, and the same bytes again.

use std::path::Path;
use std::time::{Duration, Instant};

use super::compare::mismatch;
use crate::cli::ending::Failure;
use crate::cli::figures::count;
use crate::cli::format::Format;
use crate::cli::output;
use crate::config::Config;
use crate::log::Log;
use crate::number::Lsn;
use crate::read::Cut;
use crate::report::LaneWatermarks;
use crate::view::View;

/// How long a tier may take to catch up with what is published.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

/// The configuration with an archive in a local directory.
pub(super) fn archived(config: &Config, archive: &Path) -> Config {
    let mut config = config.clone();
    config.archive.address = archive.display().to_string();
    config.archive.accept_local = true;
    config.archive.linger_ms_max = 50;
    config
}

/// Opens the log with its archive, waits until NVMe and archive have all of it, and closes it.
pub(super) fn drain_and_archive(config: Config) -> Result<(), Failure> {
    let (log, _) = Log::open(config)?;
    let bytes = reached(&log, "NVMe", |lane| lane.durable)?;
    output::say(format_args!("   drained: {} bytes of frames on NVMe", count(bytes)))?;
    let bytes = reached(&log, "the archive", |lane| lane.archived)?;
    let metrics = log.metrics();
    log.close()?;
    output::say(format_args!(
        "   archived: {} bytes of frames in {} objects",
        count(bytes),
        count(metrics.objects_written)
    ))?;
    Ok(())
}

/// Waits until a watermark is where `published` is in every lane; the bytes below it.
fn reached(log: &Log, what: &str, mark: impl Fn(&LaneWatermarks) -> Lsn) -> Result<u64, Failure> {
    let since = Instant::now();
    loop {
        let lanes = log.watermarks();
        if lanes.iter().all(|lane| mark(lane) >= lane.published) {
            return Ok(lanes.iter().map(|lane| mark(lane).0).sum());
        }
        if since.elapsed() > CATCH_UP_MAX {
            let trouble = log.metrics().archive_trouble.unwrap_or_default();
            return Err(Failure::Failed(format!(
                "{what} did not catch up in {CATCH_UP_MAX:?}: {lanes:?} {trouble}"
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes a log from objects alone and compares it, byte for byte, with the one that it came from.
pub(super) fn restore_and_compare(from: &Config, to: &Config) -> Result<(), Failure> {
    let restored = crate::restore::restore(to)?;
    let (bytes, objects) = (count(restored.frame_bytes), count(restored.objects));
    output::say(format_args!("   restored from {objects} objects alone: {bytes} bytes of frames"))?;
    let (before, after) = (printed(from)?, printed(to)?);
    if before != after {
        let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        return Err(mismatch(format!("the restored log prints otherwise from byte {same} on")));
    }
    output::say(format_args!(
        "   ok: `cat --json` of both is the same, {} bytes",
        count(before.len() as u64)
    ))?;
    for config in [from, to] {
        let verified = crate::verify::verify(config)?;
        if let Some(finding) = verified.findings.first() {
            return Err(mismatch(format!("verify of {}: {finding:?}", config.dir.display())));
        }
    }
    output::say("   ok: `verify` finds nothing wrong with either, nor with the archive")?;
    Ok(())
}

/// What `cat --json` prints: payloads, streams, places and stamps.
fn printed(config: &Config) -> Result<Vec<u8>, Failure> {
    let mut reader = View::open(config)?.reader(&Cut::start())?;
    let mut out = Vec::new();
    while let Some(record) = reader.next()? {
        Format::json().write(&record, &mut out);
    }
    Ok(out)
}
