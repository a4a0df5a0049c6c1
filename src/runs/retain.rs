//! What may go, what holds it back, and what is kept for a while all the same.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Marks;
use crate::board::Water;
use crate::catalogue::{Catalogue, Entry};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn};
use crate::slot::Slots;

/// What keeps a lane from being trimmed further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The user's checkpoint: what lies above it is still needed.
    Checkpoint,
    /// It is not on NVMe with all that it depends on, and said to be.
    Drain,
    /// It is not archived.
    Archive,
    /// A consumer's slot, by name.
    Slot(String),
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeldBy::Checkpoint => f.write_str("checkpoint"),
            HeldBy::Drain => f.write_str("drain"),
            HeldBy::Archive => f.write_str("archive"),
            HeldBy::Slot(name) => write!(f, "slot {name}"),
        }
    }
}

/// How far a lane may be trimmed: the lowest of what needs it, and whose that is. All are starts of batches.
pub(crate) fn hold(media: &Media, marks: &Marks, slots: &Slots, archives: bool, lane: Lane) -> (Lsn, HeldBy) {
    let board = &media.board;
    let stable = media.stable(lane).min(board.water(lane, Water::Drained));
    let mut lowest = needed(marks, slots, lane);
    let archived = archives.then(|| (board.water(lane, Water::Archived), HeldBy::Archive));
    for hold in [Some((stable, HeldBy::Drain)), archived].into_iter().flatten() {
        if hold.0 < lowest.0 {
            lowest = hold;
        }
    }
    lowest
}

/// From where on a lane is needed, in whichever tier, and by whom.
pub(crate) fn needed(marks: &Marks, slots: &Slots, lane: Lane) -> (Lsn, HeldBy) {
    let checkpoint = marks.of(lane).checkpoint;
    let slot = slots.hold(lane).filter(|(keep, _)| *keep < checkpoint);
    slot.map_or((checkpoint, HeldBy::Checkpoint), |(keep, name)| (keep, HeldBy::Slot(name)))
}

/// How long a tier keeps what may go. What may go is given up once the tier holds more than `bytes_max`, or once it is
/// older than `ms_max`; with neither, at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Bytes of the tier; 0 sets no such limit.
    pub bytes_max: u64,
    /// Milliseconds since the newest record of a segment, or object, was committed; 0 sets no such limit.
    pub ms_max: u64,
}

impl Retention {
    /// Whether anything is kept beyond what has to be.
    pub(crate) fn keeps(&self) -> bool {
        *self != Retention::default()
    }

    /// Whether something of that age goes from a tier that holds so much.
    pub(crate) fn gives_up(&self, bytes: u64, age_ms: u64) -> bool {
        !self.keeps()
            || self.bytes_max > 0 && bytes > self.bytes_max
            || self.ms_max > 0 && age_ms > self.ms_max
    }
}

/// Per lane, up to where NVMe gives up what lies below `holds`: oldest segments first, over all lanes.
pub(crate) fn plan(
    catalogue: &Catalogue,
    holds: &[Lsn],
    retention: Retention,
    segment_bytes: u64,
    now: Gsn,
) -> Vec<Lsn> {
    if !retention.keeps() {
        return holds.to_vec();
    }
    let mut keep = vec![Lsn(0); holds.len()];
    let mut ripe: Vec<(Gsn, Lane, Lsn)> = Vec::new();
    let mut bytes = 0;
    for (lane, hold) in holds.iter().enumerate() {
        let entries = catalogue.of_lane(Lane(lane as u32));
        bytes += entries.len() as u64 * segment_bytes;
        let below = entries.windows(2).enumerate().filter(|(_, pair)| pair[1].header.first <= *hold);
        ripe.extend(
            below.map(|(i, pair)| (newest(&entries[i + 1..], now), Lane(lane as u32), pair[1].header.first)),
        );
    }
    ripe.sort_unstable();
    for (gsn, lane, end) in ripe {
        let age_ms = now.0.saturating_sub(gsn.0) / 1_000_000;
        if !retention.gives_up(bytes, age_ms) {
            break;
        }
        bytes -= segment_bytes;
        keep[lane.0 as usize] = end;
    }
    keep
}

/// The newest stamp before `later` segments, as far as they say; a lane's first segment of an open says nothing.
fn newest(later: &[Entry], now: Gsn) -> Gsn {
    later.iter().map(|entry| entry.header.gsn_before).find(|gsn| *gsn != Gsn(0)).unwrap_or(now)
}

/// Drops what lies below `keep` on NVMe for good, whole segments at a time. The watermark is durable before a file can be
/// written again; a crash in between leaves segments that the next open gives back.
pub(crate) fn trim(
    media: &Arc<Media>,
    marks: &Marks,
    pool: &super::Pool,
    lane: Lane,
    keep: Lsn,
) -> crate::error::Result<()> {
    if keep <= media.board.water(lane, Water::Trimmed) {
        return Ok(());
    }
    marks.set(lane, |mark| mark.trimmed = mark.trimmed.max(keep))?;
    media.board.raise_water(lane, Water::Trimmed, keep);
    let gone = media.catalogue_mut().take_below(lane, keep);
    for entry in gone {
        tracing::debug!(lane = lane.0, file = entry.file, "segment trimmed");
        pool.give_back(entry.file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::SegmentHeader;
    use crate::number::{Epoch, Incarnation, LogId};

    const MS: u64 = 1_000_000;

    /// Two lanes of four segments each; a segment's newest record is as old as `ages` of the next one says.
    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::new(2);
        for (file, (lane, gsn)) in
            [(0, 0), (0, 10), (0, 30), (0, 50), (1, 0), (1, 20), (1, 40), (1, 60)].into_iter().enumerate()
        {
            let sequence = (file % 4) as u64;
            let header = SegmentHeader {
                log: LogId([1; 16]),
                lane: Lane(lane),
                epoch: Epoch(1),
                incarnation: Incarnation(1),
                sequence,
                first: Lsn(sequence * 1_000),
                gsn_before: Gsn(gsn * MS),
            };
            catalogue.insert(Entry { file: file as u32, header });
        }
        catalogue
    }

    fn kept(holds: [u64; 2], bytes_max: u64, ms_max: u64) -> Vec<u64> {
        let retention = Retention { bytes_max, ms_max };
        let plan = plan(&catalogue(), &holds.map(Lsn), retention, 100, Gsn(100 * MS));
        plan.into_iter().map(|lsn| lsn.0).collect()
    }

    #[test]
    fn retention_gives_up_the_oldest_first_and_never_what_is_held() {
        assert_eq!(kept([2_500, 3_000], 0, 0), [2_500, 3_000], "neither limit: at once");
        assert_eq!(kept([9_999, 9_999], 800, 0), [0, 0], "all of it fits");
        assert_eq!(kept([9_999, 9_999], 600, 0), [1_000, 1_000], "the two oldest, one of each lane");
        assert_eq!(kept([9_999, 9_999], 1, 0), [3_000, 3_000], "a lane's last segment is not whole");
        assert_eq!(kept([1_999, 0], 1, 0), [1_000, 0], "held back");
        assert_eq!(kept([9_999, 9_999], 0, 65), [2_000, 1_000], "older than 65 ms");
        assert_eq!(kept([9_999, 9_999], 700, 75), [1_000, 1_000], "whichever says so");
    }
}
