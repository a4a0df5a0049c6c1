//! Slots, kept in the file `slots` of the NVMe tier: all of them in one block, two copies written in turn.

use super::Unreadable;
use super::bytes::{BLOCK_HEAD_BYTES, Reader, Writer, seal_block, unseal_block};
use crate::number::{Epoch, Gsn, Lane, LogId, Lsn, Position};

const MAGIC: [u8; 8] = *b"TIERSLT1";
const TABLE_HEAD_BYTES: usize = 32;
const SLOT_HEAD_BYTES: usize = 48;
const PLACE_BYTES: usize = 24;

/// Slots of a log at most.
pub(crate) const SLOTS_MAX: usize = 64;
/// Bytes of a slot's name at most.
pub(crate) const SLOT_NAME_BYTES_MAX: usize = 64;

/// Where a slot stands in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// As the consumer gave it.
    pub(crate) at: Position,
    /// The start of the batch that it lies in: nothing from there on is trimmed.
    pub(crate) keep: Lsn,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotEntry {
    pub(crate) name: String,
    /// 0, or why it was broken: 1 for bytes, 2 for time.
    pub(crate) broken: u32,
    pub(crate) created: Gsn,
    /// When it was advanced last.
    pub(crate) advanced: Gsn,
    /// What it may hold back; 0 is any.
    pub(crate) bytes_max: u64,
    /// How long it may stand still while records wait; 0 is any.
    pub(crate) ms_max: u64,
    /// Per lane.
    pub(crate) places: Vec<Place>,
}

/// All slots of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SlotTable {
    pub(crate) log: LogId,
    /// Counts the writes: the higher of the two copies counts.
    pub(crate) turn: u64,
    pub(crate) slots: Vec<SlotEntry>,
}

impl SlotTable {
    /// Bytes of a copy in a log of `lanes`.
    pub(crate) fn copy_bytes(lanes: u32) -> usize {
        let slot = SLOT_HEAD_BYTES + SLOT_NAME_BYTES_MAX + lanes as usize * PLACE_BYTES;
        (BLOCK_HEAD_BYTES + TABLE_HEAD_BYTES + SLOTS_MAX * slot).next_multiple_of(4096)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Writer::default();
        body.bytes(&self.log.0).u64(self.turn).u32(self.slots.len() as u32).u32(0);
        for slot in &self.slots {
            body.u32(slot.name.len() as u32).u32(slot.broken).u64(slot.created.0).u64(slot.advanced.0);
            body.u64(slot.bytes_max).u64(slot.ms_max).u32(slot.places.len() as u32).u32(0);
            body.bytes(slot.name.as_bytes());
            for place in &slot.places {
                body.u64(place.at.lsn.0).u64(place.keep.0).u32(place.at.epoch.0).u32(0);
            }
        }
        seal_block(MAGIC, &body.0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut body = Reader(unseal_block(MAGIC, bytes)?);
        let mut table = || {
            let (log, turn, count, _) = (LogId(body.id()?), body.counter()?, body.u32()?, body.u32()?);
            Some(SlotTable { log, turn, slots: body.many(count, SLOT_HEAD_BYTES, SlotEntry::take)? })
        };
        table().ok_or(Unreadable::Damaged)
    }
}

impl SlotEntry {
    fn take(body: &mut Reader<'_>) -> Option<Self> {
        let (name, broken, created, advanced) =
            (body.u32()?, body.u32()?, Gsn(body.u64()?), Gsn(body.u64()?));
        let (bytes_max, ms_max, places, _) = (body.u64()?, body.u64()?, body.u32()?, body.u32()?);
        let name = String::from_utf8(body.bytes(name as usize)?.to_vec()).ok()?;
        let mut lane = 0;
        let places = body.many(places, PLACE_BYTES, |body| {
            let (lsn, keep, epoch, _) = (body.lsn()?, body.lsn()?, Epoch(body.u32()?), body.u32()?);
            lane += 1;
            Some(Place { at: Position { epoch, lane: Lane(lane - 1), lsn }, keep })
        })?;
        Some(SlotEntry { name, broken, created, advanced, bytes_max, ms_max, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_table_fits_its_copy_and_comes_back() {
        for lanes in [1, 3, 1_024] {
            let place = |lane| {
                let lane = Lane(lane);
                Place { at: Position { epoch: Epoch(3), lane, lsn: Lsn(128) }, keep: Lsn(64) }
            };
            let slot = |n: usize| SlotEntry {
                name: format!("{n:0width$}", width = SLOT_NAME_BYTES_MAX),
                broken: 2,
                created: Gsn(1),
                advanced: Gsn(2),
                bytes_max: 3,
                ms_max: 4,
                places: (0..lanes).map(place).collect(),
            };
            let slots = (0..SLOTS_MAX).map(slot).collect();
            let table = SlotTable { log: LogId([5; 16]), turn: 9, slots };
            let bytes = table.encode();
            assert!(bytes.len() <= SlotTable::copy_bytes(lanes));
            assert_eq!(SlotTable::decode(&bytes), Ok(table));
            assert!(SlotTable::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
