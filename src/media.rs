//! What readers look at: the tails' memory, the board, the NVMe segments, and which epochs count.
//!
//! One and the same for the owner's readers, a view in another process, and recovery: they differ in who writes the
//! board. Readers never pin: they copy out, check that the slot is still the same, and verify the checksum
//! (docs/decisions/0003).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError};

use crossbeam_utils::CachePadded;
use tierlog_tiers::nvme::Nvme;
use tierlog_tiers::sync::atomic::{AtomicU64, Ordering};
use tierlog_tiers::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tierlog_tiers::tail::TailRead;

use crate::archive::{Archive, ArchiveReader};
use crate::board::{Board, Water};
use crate::catalogue::{self, Catalogue};
use crate::error::{Error, Result};
use crate::format::{EpochRange, OPEN_RECORD_BYTES};
use crate::frame::Seal;
use crate::geometry::Geometry;
use crate::host::Env;
use crate::number::{Epoch, Gsn, Lane, LogId, Lsn, Position};
use crate::order::Order;

/// Where the rings begin in a tail: behind two slots for open records, on a huge page.
pub(crate) const RINGS_AT: u64 = 2 << 20;
const _: () = assert!(2 * OPEN_RECORD_BYTES as u64 <= RINGS_AT);

#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) log: LogId,
    pub(crate) geometry: Geometry,
    pub(crate) tails: Vec<Arc<dyn TailRead>>,
    pub(crate) board: Board,
    pub(crate) nvme: Arc<dyn Nvme>,
    pub(crate) nvme_path: PathBuf,
    /// On lines of its own, as the next one: readers and drainers take these locks all the time, and every append looks at
    /// what lies beside.
    catalogue: CachePadded<RwLock<Catalogue>>,
    /// Per lane, oldest first, without a gap; the last one may still grow.
    ranges: CachePadded<RwLock<Vec<Vec<EpochRange>>>>,
    /// Per lane, the highest end handed out while it was not stable: what a commit depends on.
    seen: Vec<AtomicU64>,
    /// The newest open.
    epoch: Epoch,
    /// The newest stamp of all that ended before it.
    gsn: Gsn,
    /// Where what was trimmed here can still be read, and its reader, once it was needed.
    archive: OnceLock<(Archive, Mutex<Option<Arc<ArchiveReader>>>)>,
    /// How a reader finds out what is closed.
    pub(crate) horizon: Horizon,
    pub(crate) env: Arc<dyn Env>,
    /// Whether records are visible before they are durable (a tail that is not power-safe).
    pub(crate) visible_first: bool,
}

/// How far the order across lanes is closed.
#[derive(Debug)]
pub(crate) enum Horizon {
    /// The owner raises the floor.
    Owner(Arc<Order>),
    /// A view goes by what the owner wrote on the board.
    View,
    /// Recovered media: all that counts is there.
    Ended,
}

impl Media {
    #[expect(clippy::too_many_arguments, reason = "the parts of one value, each named once")]
    pub(crate) fn new(
        log: LogId,
        geometry: Geometry,
        tails: Vec<Arc<dyn TailRead>>,
        board: Board,
        nvme: Arc<dyn Nvme>,
        nvme_path: PathBuf,
        catalogue: Catalogue,
        ranges: Vec<Vec<EpochRange>>,
        (epoch, gsn): (Epoch, Gsn),
        horizon: Horizon,
        env: Arc<dyn Env>,
        visible_first: bool,
    ) -> Self {
        let seen = (0..geometry.lanes).map(|_| AtomicU64::new(0)).collect();
        let (catalogue, ranges) = (RwLock::new(catalogue).into(), RwLock::new(ranges).into());
        Media {
            log,
            geometry,
            tails,
            board,
            nvme,
            nvme_path,
            catalogue,
            ranges,
            seen,
            epoch,
            gsn,
            archive: OnceLock::new(),
            horizon,
            env,
            visible_first,
        }
    }

    pub(crate) fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn catalogue_mut(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A view's catalogue ages while the owner goes on: reads the headers again.
    pub(crate) fn rescan(&self) -> Result<()> {
        let found = catalogue::scan(&*self.nvme, &self.nvme_path, self.log, self.geometry.lanes)?;
        *self.catalogue_mut() = found.catalogue;
        Ok(())
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = Lane> + use<> {
        (0..self.geometry.lanes).map(Lane)
    }

    /// The epoch that `lsn` belongs to: the one whose range holds it, or the last one.
    pub(crate) fn range_of(&self, lane: Lane, lsn: Lsn) -> Option<EpochRange> {
        let ranges = self.ranges.read().unwrap_or_else(PoisonError::into_inner);
        ranges.get(lane.0 as usize)?.iter().find(|range| range.first <= lsn && lsn < range.end).copied()
    }

    pub(crate) fn ranges(&self, lane: Lane) -> Vec<EpochRange> {
        let ranges = self.ranges.read().unwrap_or_else(PoisonError::into_inner);
        ranges.get(lane.0 as usize).cloned().unwrap_or_default()
    }

    pub(crate) fn seal(&self, range: &EpochRange) -> Seal {
        Seal::new(self.log, range.lane, range.epoch, range.incarnation)
    }

    /// The tail that holds a lane's ring, and where the ring begins.
    pub(crate) fn ring(&self, lane: Lane) -> (usize, u64) {
        let per_tail = self.geometry.lanes_per_tail();
        let (tail, ring) = (lane.0 / per_tail, lane.0 % per_tail);
        (tail as usize, RINGS_AT + u64::from(ring) * self.geometry.ring_bytes())
    }

    /// Whether the lane's tail is there at all.
    pub(crate) fn has_tail(&self, lane: Lane) -> bool {
        self.tails.get(self.ring(lane).0).is_some_and(|tail| !tail.is_empty())
    }

    /// # Errors
    /// [`Error::Config`] for a lane that the log does not have.
    pub(crate) fn check_lane(&self, lane: Lane) -> Result<()> {
        if lane.0 < self.geometry.lanes {
            return Ok(());
        }
        Err(Error::Config(format!("there is no lane {lane}: the log has {}", self.geometry.lanes)))
    }

    /// Whether a position is beyond what survived of its epoch: a later one began before it. An epoch that lost
    /// everything has no range of its own.
    pub(crate) fn is_lost(&self, position: Position) -> bool {
        let ranges = self.ranges.read().unwrap_or_else(PoisonError::into_inner);
        let Some(ranges) = ranges.get(position.lane.0 as usize) else { return true };
        let later = ranges.iter().find(|range| range.epoch > position.epoch);
        let end = ranges.last().map_or_else(|| self.board.published(position.lane), |last| last.end);
        let restarted = later.is_some_and(|range| position.lsn > range.first);
        restarted || position.epoch > self.epoch || position.lsn > end
    }

    /// The lane's oldest LSN that is still on this machine.
    pub(crate) fn oldest(&self, lane: Lane) -> Lsn {
        let ranges = self.ranges.read().unwrap_or_else(PoisonError::into_inner);
        let first =
            ranges.get(lane.0 as usize).and_then(|ranges| ranges.first()).map_or(Lsn(0), |range| range.first);
        first.max(self.board.water(lane, Water::Trimmed))
    }

    /// The lane's oldest LSN that is still there, in the archive perhaps.
    ///
    /// # Errors
    /// Where something was trimmed here, those of the archive.
    pub(crate) fn oldest_anywhere(&self, lane: Lane) -> Result<Lsn> {
        let here = self.oldest(lane);
        if here == Lsn(0) {
            return Ok(here);
        }
        Ok(self.archive_reader()?.map_or(here, |reader| here.min(reader.oldest(lane))))
    }

    /// From now on what was trimmed here is read in the archive.
    pub(crate) fn read_archive(&self, archive: Archive) {
        // Set once, by whoever made this.
        drop(self.archive.set((archive, Mutex::default())));
    }

    /// Something in front of the archive was given up: whoever reads it next looks where it begins.
    pub(crate) fn look_at_archive_again(&self) {
        if let Some((_, reader)) = self.archive.get() {
            reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    /// Reads the archive; asks it for the first time when it is needed for the first time. `None` without one.
    pub(crate) fn archive_reader(&self) -> Result<Option<Arc<ArchiveReader>>> {
        let Some((archive, reader)) = self.archive.get() else { return Ok(None) };
        let known = || reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known() {
            return Ok(Some(known.clone()));
        }
        // Nobody waits for another's requests. Should it be behind by now, `ask_archive` finds that out.
        let opened = ArchiveReader::open(archive.clone(), self.log)?.map(Arc::new);
        known().clone_from(&opened);
        Ok(opened)
    }

    /// Asks the archive, and once more where something in front of it was given up meanwhile.
    pub(crate) fn ask_archive<T>(
        &self,
        ask: impl Fn(&ArchiveReader) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let Some(reader) = self.archive_reader()? else { return Ok(None) };
        match ask(&reader) {
            Err(Error::Refused(_)) if reader.is_behind()? => {
                self.look_at_archive_again();
                self.archive_reader()?.map_or(Ok(None), |reader| ask(&reader))
            }
            answer => answer,
        }
    }

    /// Whether a batch of an epoch that has ended is stamped later than anything was by then: readers would wait for its
    /// turn for ever.
    pub(crate) fn is_unheard_of(&self, epoch: Epoch, gsn: Gsn) -> bool {
        gsn > self.gsn && (epoch < self.epoch || matches!(self.horizon, Horizon::Ended))
    }

    /// What a crash of the machine cannot take back any more.
    pub(crate) fn stable(&self, lane: Lane) -> Lsn {
        if self.visible_first { self.board.water(lane, Water::Stable) } else { self.board.published(lane) }
    }

    /// A place in a lane, with the epoch that it belongs to.
    pub(crate) fn position(&self, lane: Lane, lsn: Lsn) -> Position {
        let ranges = self.ranges(lane);
        let holds = |range: &&EpochRange| range.first <= lsn && lsn < range.end;
        let epoch = ranges.iter().find(holds).or(ranges.last()).map_or(Epoch(0), |range| range.epoch);
        Position { epoch, lane, lsn }
    }

    /// Every batch at or below it is published; a view's are stable too.
    pub(crate) fn closed(&self) -> Gsn {
        match &self.horizon {
            Horizon::Owner(order) => order.close(&self.board),
            Horizon::View => self.board.closed(),
            Horizon::Ended => Gsn(u64::MAX),
        }
    }

    /// A batch goes to a reader: what is committed from now on comes after it, and depends on it if it is not stable.
    pub(crate) fn hand_out(&self, lane: Lane, end: Lsn, gsn: Gsn) {
        let Horizon::Owner(order) = &self.horizon else { return };
        if self.visible_first && end > self.board.water(lane, Water::Stable) {
            self.seen[lane.0 as usize].fetch_max(end.0, Ordering::AcqRel);
        }
        order.saw(&self.board, gsn);
    }

    /// What a commit in `own` has to depend on.
    pub(crate) fn dependencies(&self, own: Lane, into: &mut Vec<crate::frame::Dep>) {
        into.clear();
        for lane in self.lanes().filter(|lane| *lane != own) {
            let end = Lsn(self.seen[lane.0 as usize].load(Ordering::Acquire));
            if end > self.board.water(lane, Water::Stable) {
                into.push(crate::frame::Dep { lane, end });
            }
        }
    }
}
