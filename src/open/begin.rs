//! A new epoch: from locked places to an engine that takes appends.

use std::sync::Arc;

use tierlog_tiers::tail::Tail;

use super::assemble::assemble;
use super::find::{Found, find};
use super::record::{note_superseded, write_everywhere};
use super::recovered::{Pass, Recovered};
use super::room::{new_pool, sign};
use crate::board::Water;
use crate::catalogue::Entry;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::EpochRange;
use crate::host::Host;
use crate::recover::Examined;
use crate::runs::{Haste, Marks, Pool};

/// What the steps of an open hand on.
pub(super) struct Opening<H: Host> {
    /// The record in it is the new one's.
    pub(super) found: Found<H>,
    pub(super) pool: Pool,
    pub(super) tails: Vec<Arc<H::Tail>>,
}

/// Opens, recovers, and starts a new epoch.
pub(crate) fn begin<H: Host>(host: &Arc<H>, mut config: Config) -> Result<(Arc<Engine<H::Tail>>, Recovered)> {
    let boot = host.boot_id()?;
    let mut found = find(host, &mut config, boot)?;
    // What was read may lie in the device's cache, left there by an owner that was killed.
    found.places.superblock.file.flush().map_err(Error::io("the superblock"))?;
    found.marks.flush()?;
    found.slots.flush()?;
    let pool = new_pool(&found.places, &config, &found.geometry, &found.examined)?;
    sign(&**host, &config, &*found.places.nvme, &pool)?;
    let began = host.now();
    let moved = super::settle::settle(&found.examined, &found.marks, &pool)?;
    let settle = Pass::of(moved, &**host, began);
    forget_lost_checkpoints(&found.examined, &found.marks)?;
    let recovered = found.recovered(settle);
    // The board of an owner that was killed.
    host.drop_board(&config, found.record.log, found.record.incarnation);
    let taken = found.places.take_tails(&config, &found.geometry, &found.lost)?;
    found.next_record(&**host, &config, boot, &taken);
    for (tail, place) in found.record.tails.iter_mut().zip(&found.places.tail_places) {
        tail.shutdowns = host.shutdowns(place);
    }
    let tails: Vec<Arc<H::Tail>> = taken.into_iter().map(|(tail, _)| tail).collect();
    if tails.iter().all(|tail| tail.medium().power_safe()) {
        pool.is_drained_to();
    }
    let mut opening = Opening { found, pool, tails };
    opening.begin_record()?;
    opening.drop_dead_segments();
    opening.pool.recovered();
    opening.prepare_segments();
    let archiver = opening.claim(&config).inspect_err(|error| {
        note_superseded(error, &opening.found.record, &opening.tails, &opening.found.places.superblock)
    })?;
    Ok((assemble(opening, config, boot, archiver)?, recovered))
}

/// A checkpoint beyond the end was about records that are gone, not about those that come in their place.
fn forget_lost_checkpoints(examined: &Examined, marks: &Marks) -> Result<()> {
    for lane in examined.media.lanes() {
        let end = examined.media.board.published(lane);
        if marks.of(lane).checkpoint > end {
            marks.set(lane, |mark| mark.checkpoint = end)?;
        }
    }
    Ok(())
}

impl<H: Host> Opening<H> {
    /// The new epoch is begun when this is durable.
    fn begin_record(&mut self) -> Result<()> {
        let created = self.found.created;
        self.write_record()?;
        if created {
            // A tail that knows only the first turn is of a log that never began: making it was interrupted.
            self.found.record.turn += 1;
            self.write_record()?;
        }
        Ok(())
    }

    /// Tails first, then NVMe.
    pub(super) fn write_record(&self) -> Result<()> {
        write_everywhere(&self.tails, &self.found.places.superblock, &self.found.record)
    }

    /// The first commits need not wait for their segment files. What cannot be made now is tried again later, and said.
    fn prepare_segments(&self) {
        if let Err(error) = self.pool.refill_reserve() {
            tracing::warn!(%error, "no room for the reserve: a recovery on a full disk may not be possible");
        }
        while let Ok(true) = self.pool.prepare(0, Haste::Now) {}
        tracing::debug!(ready = self.pool.free(), "segment files made ahead");
    }

    /// Segments that hold only what was cut off, or trimmed, are free: the record that says so is durable.
    fn drop_dead_segments(&self) {
        let dead = |entry: &Entry| {
            let range =
                |range: &&EpochRange| (range.epoch, range.lane) == (entry.header.epoch, entry.header.lane);
            self.found.record.ranges.iter().find(range).is_none_or(|range| entry.header.first >= range.end)
        };
        let media = &self.found.examined.media;
        let mut gone = media.catalogue_mut().take_if(dead);
        for lane in media.lanes() {
            // A crash may have come between the watermark and the next use of the files.
            let trimmed = media.board.water(lane, Water::Trimmed);
            gone.extend(media.catalogue_mut().take_below(lane, trimmed));
        }
        gone.iter().for_each(|entry| self.pool.give_back(entry.file));
    }
}
