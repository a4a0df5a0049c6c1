//! Logs on an emulated tail.

use std::path::Path;

use tierlog::{Config, Medium};

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
