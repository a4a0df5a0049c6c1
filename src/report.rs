//! What a log says of itself: media and promises, watermarks, counters.

use serde::Serialize;
use tierlog_tiers::sync::atomic::{AtomicU64, Ordering};
use tierlog_tiers::tail::{Tail, TailMedium};

use crate::board::Water;
use crate::durability::Durability;
use crate::engine::Engine;
use crate::lane::LaneState;
use crate::number::{Lane, Lsn};

/// The tiers as probed, and how each level is kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Media {
    /// A tail is ordinary memory served as if it were persistent: no figure of this log says anything about durability.
    pub emulated: bool,
    /// One line per tail.
    pub tails: Vec<String>,
    /// The NVMe tier.
    pub nvme: String,
    /// The object tier, if there is one.
    pub archive: Option<String>,
    /// How `Process` is kept.
    pub process: String,
    /// How `Power` is kept.
    pub power: String,
    /// How `Machine` is kept.
    pub machine: String,
    /// The highest level that a commit is acknowledged at; above it is [`Error::NotKept`](crate::Error::NotKept).
    pub keeps: Durability,
    /// Where stamps come from.
    pub clock: String,
}

impl Media {
    pub(crate) fn of<T: Tail>(engine: &Engine<T>) -> Self {
        let media: Vec<TailMedium> = engine.tails.iter().map(|tail| tail.medium()).collect();
        let emulated = media.contains(&TailMedium::Emulated);
        let nvme = engine.media.nvme.describe();
        let tails: Vec<String> = engine.tails.iter().map(|tail| tail.describe()).collect();
        let power = if engine.visible_first() {
            format!("the committing thread writes its run to the NVMe tier: {nvme}")
        } else {
            tails.join("; ")
        };
        let process = if engine.visible_first() {
            "published in the shared mapping of the tail".into()
        } else {
            power.clone()
        };
        let power = if engine.power_kept { power } else { format!("not kept: the NVMe tier is {nvme}") };
        let archive = engine.archiver.as_ref().map(|archiver| archiver.objects().describe());
        let machine = match &archive {
            Some(_) if engine.require_archive().is_err() => "not kept: the archive is on this machine".into(),
            Some(archive) => format!("acknowledged by {archive}"),
            None => "not kept: no archive is configured".into(),
        };
        let membarrier =
            if engine.order.has_membarrier() { "" } else { "; no membarrier: each commit pays a full fence" };
        let clock = format!("{}{membarrier}", engine.order.clock().describe());
        let kept = |level: &Durability| engine.require(*level).is_ok();
        let keeps = [Durability::Machine, Durability::Power].into_iter().find(kept);
        let keeps = keeps.unwrap_or(Durability::Process);
        Media { emulated, tails, nvme, archive, process, power, machine, keeps, clock }
    }
}

/// How far a lane is; exclusive ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaneWatermarks {
    /// The lane.
    pub lane: Lane,
    /// The oldest LSN still there.
    pub oldest: Lsn,
    /// What others may see.
    pub published: Lsn,
    /// On NVMe, flushed.
    pub durable: Lsn,
    /// Durable with all that it depends on; on power-safe tails what is published.
    pub stable: Lsn,
    /// Durable on NVMe, and said so by the watermark file: the tail may give it up.
    pub drained: Lsn,
    /// In the archive.
    pub archived: Lsn,
}

pub(crate) fn watermarks(media: &crate::media::Media) -> Vec<LaneWatermarks> {
    let board = &media.board;
    let one = |lane| {
        let published = board.published(lane);
        LaneWatermarks {
            lane,
            oldest: media.oldest(lane),
            published,
            durable: board.water(lane, Water::Durable),
            stable: media.stable(lane),
            drained: board.water(lane, Water::Drained),
            archived: board.water(lane, Water::Archived),
        }
    };
    media.lanes().map(one).collect()
}

/// Counters of a lane since the open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaneMetrics {
    /// The lane.
    pub lane: Lane,
    /// Records appended.
    pub appends: u64,
    /// Batches stamped and published.
    pub commits: u64,
    /// Payload bytes appended.
    pub payload_bytes: u64,
    /// Appends that found the ring full.
    pub waits_for_room: u64,
    /// Tail segments that were begun late, since the ring was filling: [`WhenFull::Throttle`](crate::WhenFull::Throttle).
    pub throttled: u64,
    /// Nanoseconds that appends took to begin another tail segment, waits and pauses included.
    pub room_wait_ns: u64,
    /// Runs written to NVMe.
    pub runs: u64,
    /// Their bytes, pads included.
    pub run_bytes: u64,
    /// Runs that failed.
    pub drain_errors: u64,
    /// Tail segments given back.
    pub segments_retired: u64,
    /// Segment files of the NVMe tier that were begun.
    pub segments_begun: u64,
    /// Runs that had to make their segment file themselves.
    pub waits_for_segment: u64,
    /// Whether the lane takes no commit any more.
    pub poisoned: bool,
}

impl LaneMetrics {
    pub(crate) fn of(lane: Lane, state: &LaneState) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (writer, drain) = (&state.writer, &state.drain);
        LaneMetrics {
            lane,
            appends: read(&writer.appends),
            commits: read(&writer.commits),
            payload_bytes: read(&writer.payload_bytes),
            waits_for_room: read(&writer.waits_for_room),
            throttled: read(&writer.throttled),
            room_wait_ns: read(&writer.room_wait_ns),
            runs: read(&drain.runs),
            run_bytes: read(&drain.run_bytes),
            drain_errors: read(&drain.drain_errors),
            segments_retired: read(&drain.segments_retired),
            segments_begun: read(&drain.segments_begun),
            waits_for_segment: read(&drain.waits_for_segment),
            poisoned: state.is_poisoned(),
        }
    }
}

/// Counters of a log since the open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// See [`Media::emulated`].
    pub emulated: bool,
    /// Per lane.
    pub lanes: Vec<LaneMetrics>,
    /// Bytes of the NVMe tier's segment files.
    pub nvme_bytes: u64,
    /// Bytes set aside for recovery on a full disk; 0 while there is no room for them.
    pub reserve_bytes: u64,
    /// Slots that were broken by their limits and not dropped yet.
    pub slots_broken: usize,
    /// Passes that the scrubber completed, and bytes that it read.
    pub scrub_passes: u64,
    /// See `scrub_passes`.
    pub scrub_bytes: u64,
    /// Damaged segments and objects that it found, again in each pass.
    pub scrub_damaged: u64,
    /// Those of them that it mended.
    pub scrub_mended: u64,
    /// Segment files ready to be written.
    pub segments_ready: usize,
    /// Objects written to the archive.
    pub objects_written: u64,
    /// Their bytes.
    pub object_bytes_written: u64,
    /// Bytes of the frames in them, before they were compressed.
    pub frame_bytes_archived: u64,
    /// How often archiving had to wait and was tried again: requests that failed, looks at a full quota
    /// (`archive.quota_bytes`), and a lack of room on NVMe. `archive_trouble` tells which.
    pub archive_failures: u64,
    /// What the archive suffers from now.
    pub archive_trouble: Option<String>,
    /// Requests to the archive's store, all of them.
    pub archive_requests: Requests,
}

/// Requests to an object store, and bytes of objects that they carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Writing: each object, and each step of one that is sent in parts.
    pub puts: u64,
    /// Reading.
    pub gets: u64,
    /// Listing.
    pub lists: u64,
    /// Deleting.
    pub deletes: u64,
    /// Bytes sent, again when sent again.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
}

impl Metrics {
    pub(crate) fn of<T: Tail>(lanes: Vec<LaneMetrics>, engine: &Engine<T>) -> Self {
        let archiver = engine.archiver.as_ref();
        let (written, archive_trouble) = archiver.map(|archiver| archiver.report()).unwrap_or_default();
        let counts = archiver.map(|archiver| archiver.objects().counts()).unwrap_or_default();
        let archive_requests = Requests {
            puts: counts.puts,
            gets: counts.gets,
            lists: counts.lists,
            deletes: counts.deletes,
            bytes_sent: counts.bytes_sent,
            bytes_received: counts.bytes_received,
        };
        let emulated = engine.tails.iter().any(|tail| tail.medium() == TailMedium::Emulated);
        let (segments_ready, (nvme_bytes, reserve_bytes)) = (engine.pool.free(), engine.pool.bytes());
        let scrubbed = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let slots_broken = engine.slots.all().iter().filter(|slot| slot.broken != 0).count();
        Metrics {
            emulated,
            lanes,
            nvme_bytes,
            reserve_bytes,
            slots_broken,
            scrub_passes: scrubbed(&engine.scrub.passes),
            scrub_bytes: scrubbed(&engine.scrub.bytes),
            scrub_damaged: scrubbed(&engine.scrub.damaged),
            scrub_mended: scrubbed(&engine.scrub.mended),
            segments_ready,
            objects_written: written.objects,
            object_bytes_written: written.object_bytes,
            frame_bytes_archived: written.frame_bytes,
            archive_failures: written.failures,
            archive_trouble,
            archive_requests,
        }
    }
}
