//! The open record from one open to the next: drawn up at creation, at an open, at a close.

use std::sync::{Arc, PoisonError};

use tierlog_tiers::tail::{Tail, TailMedium};

use super::find::Found;
use super::places::Taken;
use super::random;
use super::superblock::{Superblock, write_tail};
use crate::board::Water;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Refusal, Result};
use crate::format::{EpochRange, OpenRecord, TailRecord};
use crate::geometry::Geometry;
use crate::host::{Env, Host};
use crate::number::{Epoch, Gsn, Incarnation, LogId, Lsn};
use crate::recover::Examined;

/// Of a log that is yet to be made.
pub(super) fn first_record(env: &dyn Env, geometry: &Geometry) -> OpenRecord {
    OpenRecord {
        log: LogId(random(env)),
        epoch: Epoch(0),
        incarnation: Incarnation(0),
        turn: 0,
        boot: [0; 16],
        fingerprint: 0,
        closed: true,
        voids: false,
        superseded: false,
        lanes: geometry.lanes,
        tail_segment_bytes: geometry.segment_bytes,
        tail_segments: geometry.segments,
        nvme_segment_bytes: geometry.nvme_segment_bytes,
        gsn: Gsn(0),
        claim: 0,
        opens: Vec::new(),
        archive: String::new(),
        tails: Vec::new(),
        starts: vec![Lsn(0); geometry.lanes as usize],
        ranges: Vec::new(),
    }
}

impl<H: Host> Found<H> {
    /// The record becomes that of the open that begins.
    pub(super) fn next_record(
        &mut self,
        env: &dyn Env,
        config: &Config,
        boot: [u8; 16],
        tails: &[Taken<H::Tail>],
    ) {
        let Found { record, examined, archived, .. } = self;
        let archived = archived.as_ref();
        if record.epoch > Epoch(0) && !record.archive.is_empty() {
            record.opens.push((record.epoch, record.incarnation));
        }
        record.epoch = Epoch(1 + record.epoch.max(archived.map_or(Epoch(0), |archived| archived.epoch)).0);
        record.incarnation = Incarnation(u64::from_le_bytes(random(env)));
        record.turn += 1;
        (record.boot, record.fingerprint, record.closed) = (boot, self.fingerprint, false);
        record.gsn = examined.gsn.max(archived.map_or(Gsn(0), |archived| archived.gsn));
        record.tails = tails.iter().map(|(tail, id)| tail_record(*id, tail.medium())).collect();
        record.ranges = still_there(examined);
        record.starts = examined.media.lanes().map(|lane| examined.media.board.published(lane)).collect();
        let address = &config.archive.address;
        if !address.is_empty() && record.archive != *address {
            (record.claim, record.archive) = (0, address.clone());
        }
    }
}

/// What is still there of ended epochs.
pub(super) fn still_there(examined: &Examined) -> Vec<EpochRange> {
    let board = &examined.media.board;
    let live =
        |range: &&EpochRange| range.first < range.end && range.end > board.water(range.lane, Water::Trimmed);
    examined.ranges.iter().flatten().filter(live).copied().collect()
}

fn tail_record(id: [u8; 16], medium: TailMedium) -> TailRecord {
    let number = match medium {
        TailMedium::FsDax { .. } => 1,
        TailMedium::Page => 2,
        TailMedium::File => 3,
        TailMedium::Emulated => 4,
        TailMedium::DevDax { .. } => 5,
    };
    TailRecord { id, medium: number, granularity_bytes: medium.granularity_bytes(), shutdowns: None }
}

/// Close: every lane's end, everything being Power-durable on NVMe.
pub(crate) fn write_closed<T: Tail>(engine: &Engine<T>, gsn: Gsn) -> Result<()> {
    let mut record = engine.record.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = record.clone();
    next.turn += 1;
    next.closed = true;
    next.gsn = next.gsn.max(gsn);
    for lane in engine.media.lanes() {
        let Some(mut range) = engine.media.ranges(lane).last().copied() else { continue };
        range.end = engine.media.board.published(lane);
        if range.first < range.end {
            next.ranges.push(range);
        }
    }
    write_everywhere(&engine.tails, &engine.superblock, &next)?;
    *record = next;
    Ok(())
}

/// Another owner took the archive over: the next open says so, also without it.
pub(crate) fn write_superseded<T: Tail>(engine: &Engine<T>) -> Result<()> {
    let mut record = engine.record.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = record.clone();
    next.turn += 1;
    next.superseded = true;
    write_everywhere(&engine.tails, &engine.superblock, &next)?;
    *record = next;
    Ok(())
}

/// The same, found by an open that is refused for it. Of the archive of a fork that is yet to begin it says nothing: that
/// is not this log's own.
pub(super) fn note_superseded<T: Tail>(
    error: &Error,
    record: &OpenRecord,
    tails: &[Arc<T>],
    superblock: &Superblock,
) {
    let Error::Refused(Refusal::Superseded { archive, .. }) = error else { return };
    if record.superseded || record.archive != *archive {
        return;
    }
    let next = OpenRecord { turn: record.turn + 1, superseded: true, ..record.clone() };
    // The record of before may lie in the device's cache, and the other slot is overwritten.
    let flushed = superblock.file.flush().map_err(Error::io("the superblock"));
    if let Err(error) = flushed.and_then(|()| write_everywhere(tails, superblock, &next)) {
        tracing::warn!(%error, "could not be written down; the archive says it all the same");
    }
}

/// One tier after the other, tails first.
pub(super) fn write_everywhere<T: Tail>(
    tails: &[Arc<T>],
    superblock: &Superblock,
    record: &OpenRecord,
) -> Result<()> {
    tails.iter().try_for_each(|tail| write_tail(&**tail, record))?;
    superblock.write(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::owed_nothing;

    #[test]
    fn only_an_ordinary_tail_owes_nothing_after_a_restart() {
        let geometry =
            Geometry { tails: 1, lanes: 1, segment_bytes: 1 << 20, segments: 4, nvme_segment_bytes: 4 << 20 };
        let (before, now) = ([1; 16], [2; 16]);
        for medium in 1..=4 {
            let tails = vec![TailRecord { id: [9; 16], medium, granularity_bytes: 0, shutdowns: None }];
            let record = OpenRecord {
                boot: before,
                closed: false,
                tails,
                ..first_record(&crate::host::Machine::detect(), &geometry)
            };
            assert_eq!(owed_nothing(&record, 0, now), medium == 3);
            assert!(!owed_nothing(&record, 0, before), "the same boot: somebody took it away");
        }
    }
}
