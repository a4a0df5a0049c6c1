//! Room that an open needs and leaves: segment files and the reserve, and place in the open record.

use tierlog_tiers::nvme::{BLOCK_BYTES, Nvme};

use super::places::Places;
use super::record::still_there;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::OpenRecord;
use crate::geometry::Geometry;
use crate::host::Host;
use crate::recover::Examined;
use crate::runs::{Pool, PoolLimits, is_full};

/// The default reserve at most.
const RESERVE_BYTES_MAX: u64 = 1 << 30;
/// From how many opens left on a warning is given.
const OPENS_LEFT_WARN: usize = 8;

pub(super) fn new_pool<H: Host>(
    places: &Places<H>,
    config: &Config,
    geometry: &Geometry,
    examined: &Examined,
) -> Result<Pool> {
    let files = places.nvme.files().map_err(Error::io(places.nvme_path.display().to_string()))?;
    let reserve = config.nvme.reserve_bytes.unwrap_or(geometry.recovery_bytes().min(RESERVE_BYTES_MAX));
    let limits = PoolLimits {
        segment_bytes: geometry.nvme_segment_bytes,
        spare: config.nvme.spare_segments as usize,
        free_max: config.nvme.spare_segments as usize + geometry.lanes.max(8) as usize,
        quota_bytes: config.nvme.quota_bytes,
        reserve_bytes: reserve.next_multiple_of(BLOCK_BYTES as u64),
    };
    Ok(Pool::new(places.nvme.clone(), limits, &files, examined.free.clone()))
}

/// Also on a full disk, with what the reserve gives.
pub(super) fn sign<H: Host>(host: &H, config: &Config, nvme: &dyn Nvme, pool: &Pool) -> Result<()> {
    match host.sign(config, nvme) {
        Err(Error::Io { what, source }) if is_full(&source) => {
            let given = pool.give_up_reserve().map_err(Error::io("the reserve"))?;
            if given { host.sign(config, nvme) } else { Err(Error::Io { what, source }) }
        }
        signed => signed,
    }
}

/// Whether what has to be written down of this open, at its end or after a crash, will fit the open record, and, unless
/// the user says that this is the last one, another open after it: one in which a checkpoint can be made.
///
/// # Errors
/// [`Error::Config`] where it would not.
pub(super) fn check_room(record: &OpenRecord, config: &Config, examined: &Examined) -> Result<()> {
    let next = OpenRecord { ranges: still_there(examined), ..record.clone() };
    let asked = if config.last_open { 1 } else { 2 };
    if next.has_room_for(asked) {
        if !next.has_room_for(OPENS_LEFT_WARN) {
            tracing::warn!("a few opens more fit the open record: checkpoint, so that old segments go");
        }
        return Ok(());
    }
    let dir = config.dir.display();
    Err(Error::Config(format!(
        "{dir}: this log was opened so often since its last checkpoint that another open does not fit the open record: \
         `tierlog checkpoint` (or last_open) opens it once more, so that old segments can go"
    )))
}
