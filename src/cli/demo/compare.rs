//! What came back against what was put in.
//!
//! Orders are dealt round robin: with two lanes, order i goes to lane i mod 2, as its record number i / 2.

use super::flow::Flow;
use crate::cli::ending::Failure;
use crate::number::{Gsn, Lsn};
use crate::read::{Merged, Record};

/// Threads that append, each with a lane; a new log gives lanes out in order.
pub(super) const LANES: u64 = 2;

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) lane: u64,
    /// Of the order.
    pub(super) index: u64,
    /// The batch's exclusive end.
    pub(super) end: Lsn,
    pub(super) gsn: Gsn,
}

/// A check that did not hold.
pub(super) fn mismatch(what: impl Into<String>) -> Failure {
    Failure::Failed(format!("MISMATCH: {}", what.into()))
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// Records by lane.
    pub(super) lanes: [u64; LANES as usize],
}

impl Came {
    pub(super) fn records(&self) -> u64 {
        self.lanes.iter().sum()
    }
}

/// Reads everything and compares: each lane holds its orders from the first on without a gap and nothing else, stamps
/// rise, and every acknowledged order is there with the stamp it was acknowledged with.
///
/// # Errors
/// The first mismatch; what keeps it from reading.
pub(super) fn compare(mut reader: Merged, flow: &Flow, acks: &[Ack]) -> Result<Came, Failure> {
    let mut came = Came::default();
    let mut stamp = Gsn(0);
    let mut by_index: Vec<Option<Ack>> = Vec::new();
    for ack in acks {
        let index = ack.index as usize;
        by_index.resize(by_index.len().max(index + 1), None);
        by_index[index] = Some(*ack);
    }
    while let Some(record) = reader.next()? {
        let lane = u64::from(record.lane.0);
        let Some(number) = came.lanes.get_mut(lane as usize) else {
            return Err(mismatch(format!("a record in lane {lane}, which nobody used")));
        };
        let index = *number * LANES + lane;
        *number += 1;
        if record.payload != flow.get(index) {
            return Err(mismatch(format!(
                "lane {lane} at {}: not order {index}, which comes next there",
                record.lsn
            )));
        }
        if record.gsn < stamp {
            return Err(mismatch(format!(
                "lane {lane} at {}: stamp {} after {stamp}",
                record.lsn, record.gsn
            )));
        }
        stamp = record.gsn;
        if let Some(ack) = by_index.get(index as usize).copied().flatten() {
            check_ack(&ack, &record)?;
        }
    }
    match acks.iter().find(|ack| ack.index / LANES >= came.lanes[(ack.index % LANES) as usize]) {
        Some(ack) => Err(mismatch(format!("order {} was acknowledged and is gone", ack.index))),
        None => Ok(came),
    }
}

fn check_ack(ack: &Ack, record: &Record<'_>) -> Result<(), Failure> {
    if (ack.lane, ack.gsn) == (u64::from(record.lane.0), record.gsn) && record.lsn < ack.end {
        return Ok(());
    }
    let Record { lane, lsn, gsn, .. } = record;
    Err(mismatch(format!("acknowledged as {ack:?}, came back in lane {lane} at {lsn} with stamp {gsn}")))
}
