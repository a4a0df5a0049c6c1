//! Logs on an emulated tail, and the raw lane beside them.

use std::path::Path;
use std::sync::Arc;

use tierlog::{Config, Log, Medium};
use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::{MapOptions, Mapped, MediumAsk, Tail};

type Failure = Box<dyn std::error::Error>;

/// Bytes of a tail segment, and a 16th of the NVMe segments' sum.
const SEGMENT_BYTES: u64 = 4 << 20;

/// What the medium of every figure here is worth.
pub const SURVIVES: &str = "EMULATED: ordinary memory in the place of persistent memory. What was committed survives a \
kill of the process, not a power cut; the figures are those of CLWB and SFENCE on this memory.";

/// One lane with a ring of `ring_bytes`, a multiple of 4 MiB up to 256 MiB.
pub fn config(dir: &Path, ring_bytes: u64) -> Config {
    let mut config = Config::new(dir);
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(1);
    config.tail.segment_bytes = Some(SEGMENT_BYTES);
    config.tail.segments = Some((ring_bytes / SEGMENT_BYTES) as u32);
    config
}

/// A raw lane of `bytes` in a tail file of its own in `dir`, mapped and filled as a log's tail is.
///
/// # Errors
/// As the system says.
pub fn raw(dir: &Path, bytes: u64) -> Result<(Arc<Mapped>, Raw), Failure> {
    let options = MapOptions { ask: MediumAsk::Emulated, ..MapOptions::default() };
    let tail = Arc::new(Mapped::create(dir.join("raw"), bytes, &options)?);
    let lane = tail.lane(0, bytes)?;
    Ok((tail, Raw::new(lane)))
}

/// The first lines of every report.
pub fn print_media(log: &Log) {
    let media = log.media();
    println!("{SURVIVES}");
    println!("power: {}", media.power);
    println!("nvme:  {}", media.nvme);
    println!("clock: {}", media.clock);
}
