//! What an open log is made of, shared by its writers, readers and background threads.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use tierlog_tiers::nvme::RunQueue;
use tierlog_tiers::sync::Mutex;
use tierlog_tiers::sync::atomic::{AtomicBool, Ordering};
use tierlog_tiers::tail::Tail;

use crate::archive::Archiver;
use crate::board::{Board, SHUT, Water};
use crate::config::{Config, WhenFull};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::format::OpenRecord;
use crate::host::{Bell, Env};
use crate::lane::{Core, LaneState, Seats};
use crate::media::Media;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn, Position};
use crate::open::Superblock;
use crate::order::Order;
use crate::read::batch_start;
use crate::reaper::Errands;
use crate::repair::ScrubCounters;
use crate::runs::{
    self, Haste, LaneRuns, Marks, Pool, RunLocks, Sharing, Sink, Stability, TailFrames, prove, unproved,
};
use crate::slot::Slots;

/// Between two tries to write where there was no room.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(20);

/// One open of a log.
#[derive(Debug)]
pub(crate) struct Engine<T: Tail> {
    pub(crate) config: Config,
    pub(crate) media: Arc<Media>,
    pub(crate) order: Arc<Order>,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) tails: Vec<Arc<T>>,
    pub(crate) lanes: Vec<CachePadded<LaneState>>,
    pub(crate) seats: Seats<Core<T::Lane>>,
    /// The run locks.
    pub(crate) runs: Vec<Mutex<LaneRuns>>,
    pub(crate) sharing: Vec<CachePadded<Sharing>>,
    pub(crate) pool: Pool,
    pub(crate) marks: Marks,
    pub(crate) slots: Slots,
    pub(crate) scrub: ScrubCounters,
    /// Held while something is trimmed, or begins to hold trimming back.
    pub(crate) trimming: Mutex<Trimming>,
    pub(crate) stability: Stability,
    pub(crate) archiver: Option<Arc<Archiver>>,
    /// Why the last drain failed, for whoever waits for room.
    pub(crate) drain_trouble: Mutex<Option<String>>,
    pub(crate) stop: Stop,
    /// Every tier that `Power` rests on is known to survive power loss, or is taken for it by name.
    pub(crate) power_kept: bool,
    /// Time and waiting.
    pub(crate) env: Arc<dyn Env>,
    /// What `submit` left to be completed.
    pub(crate) errands: Errands,
    /// The open record as it lies on media.
    pub(crate) record: Mutex<OpenRecord>,
    pub(crate) superblock: Superblock,
    /// A forked child is refused.
    pub(crate) process: u32,
}

/// What trimming found out, per lane: a segment's first LSN, and the start of the batch that lies across it.
pub(crate) type Trimming = Vec<(Lsn, Lsn)>;

/// The background work's signal to end.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: AtomicBool,
    /// Cuts short the rests of those who have no bell of their own.
    pub(crate) bell: Arc<Bell>,
}

impl Stop {
    pub(crate) fn signal(&self) {
        self.stopping.store(true, Ordering::Release);
        self.bell.ring();
    }

    pub(crate) fn is_signalled(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl<T: Tail> Engine<T> {
    /// Whether records are visible before they are durable: one tail at least is not power-safe.
    #[inline]
    pub(crate) fn visible_first(&self) -> bool {
        self.media.visible_first
    }

    /// What a stamped batch survives without anybody's waiting.
    #[inline]
    pub(crate) fn kept_at_once(&self) -> Durability {
        if self.visible_first() || !self.power_kept { Durability::Process } else { Durability::Power }
    }

    #[inline]
    pub(crate) fn lane(&self, lane: Lane) -> &LaneState {
        &self.lanes[lane.0 as usize]
    }

    /// Ends every lane at every level.
    pub(crate) fn poison_all(&self, cause: &str) {
        self.lanes.iter().for_each(|lane| lane.poison(cause));
    }

    /// At close: everything published in `lane` is on NVMe, proved there if drains are. Then the tail is not needed.
    pub(crate) fn finish_lane(&self, lane: Lane) -> Result<()> {
        let upto = self.media.board.published(lane);
        let mut runs = self.lock_runs(lane);
        if runs.durable() < upto {
            self.write_now(lane, &mut runs, upto)?;
            self.media.board.raise_water(lane, Water::Durable, runs.durable());
        }
        if self.config.nvme.read_back {
            prove(&mut unproved(&self.media, lane), upto)?;
        }
        drop(runs);
        self.stability.raise(&self.media.board, lane);
        Ok(())
    }

    /// Writes a run under its lock, and counts it. An error on a path that carries a promise poisons the lane.
    pub(crate) fn write_run(
        &self,
        lane: Lane,
        runs: &mut LaneRuns,
        upto: Lsn,
        whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let result =
            runs.write(&self.media, &self.pool, &mut TailFrames::new(&self.media), upto, whole, sink);
        let state = self.lane(lane);
        match result {
            Ok(progress) => {
                let counters = &state.drain;
                counters.runs.fetch_add(progress.runs, Ordering::Relaxed);
                counters.run_bytes.fetch_add(progress.bytes, Ordering::Relaxed);
                counters.segments_begun.fetch_add(progress.segments, Ordering::Relaxed);
                counters
                    .waits_for_segment
                    .fetch_add(u64::from(progress.waited_for_segment), Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                state.drain.drain_errors.fetch_add(1, Ordering::Relaxed);
                if self.visible_first() && !matches!(error, Error::NoRoom { .. }) {
                    state.poison(&error.to_string());
                }
                Err(error)
            }
        }
    }

    /// A drainer's queue is settled: what was handed to it counts.
    pub(crate) fn settle(&self, lane: Lane, runs: &mut LaneRuns, queue: &mut dyn RunQueue) -> Result<()> {
        match queue.settle() {
            Ok(()) => {
                runs.settled();
                Ok(())
            }
            Err(source) => {
                self.lane(lane).drain.drain_errors.fetch_add(1, Ordering::Relaxed);
                let error = Error::io("a run to the NVMe tier")(source);
                if self.visible_first() {
                    self.lane(lane).poison(&error.to_string());
                }
                Err(error)
            }
        }
    }

    /// As [`make_stable`](RunLocks::make_stable), waiting for room as configured.
    pub(crate) fn make_stable_in_time(&self, lane: Lane, end: Lsn) -> Result<()> {
        let began = self.env.now();
        loop {
            match self.make_stable(lane, end) {
                Err(Error::NoRoom { .. }) if self.waits_for_room(began) => self.env.sleep(LOOK_FOR_ROOM),
                done => return done,
            }
        }
    }

    /// Whether one who has waited for room since `began` waits on.
    pub(crate) fn waits_for_room(&self, began: Duration) -> bool {
        let tail = &self.config.tail;
        let wait = Duration::from_millis(tail.full_wait_ms_max);
        !self.stop.is_signalled() && (tail.when_full == WhenFull::Block || self.env.now() - began < wait)
    }

    /// Makes a segment file ahead of need: commits that write to NVMe may each need the next one at the same moment. True if
    /// one was made or opened.
    pub(crate) fn prepare_segment(&self, haste: Haste) -> std::io::Result<bool> {
        self.pool.prepare(if self.visible_first() { self.seats.taken() } else { 0 }, haste)
    }

    /// What is stable in a lane.
    pub(crate) fn stable(&self, lane: Lane) -> Lsn {
        self.media.stable(lane)
    }

    /// Notes what the drain suffers from, or that it goes on.
    pub(crate) fn trouble(&self, cause: Option<String>) {
        *self.drain_trouble.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }

    /// `Full`, with what the drain last suffered from, or else how far it got while `waited`.
    pub(crate) fn full(&self, lane: Lane, waited: Duration, moved_bytes: u64) -> Error {
        let trouble = self.drain_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let why = trouble
            .clone()
            .unwrap_or_else(|| format!("the drain moved {moved_bytes} bytes in {} ms", waited.as_millis()));
        Error::Full { lane, why }
    }

    /// Whether `level` can be had at all, asked before anything is stored for it.
    #[inline]
    pub(crate) fn require(&self, level: Durability) -> Result<()> {
        if level >= Durability::Power && !self.power_kept {
            return Err(self.no_power());
        }
        if level == Durability::Machine { self.require_archive().map(|_| ()) } else { Ok(()) }
    }

    #[cold]
    fn no_power(&self) -> Error {
        let nvme = self.media.nvme.describe();
        let why = format!("the NVMe tier is {nvme} (nvme.accept_volatile takes it all the same)");
        Error::NotKept { level: Durability::Power, why }
    }

    /// The archive, for `Machine`.
    pub(crate) fn require_archive(&self) -> Result<&Archiver> {
        let none = "no archive is configured";
        let local = "the archive is on this machine (archive.accept_local takes it all the same)";
        let not = |why: &str| Error::NotKept { level: Durability::Machine, why: why.into() };
        let archiver = self.archiver.as_deref().ok_or_else(|| not(none))?;
        if archiver.objects().machine_safe() { Ok(archiver) } else { Err(not(local)) }
    }

    /// Everything that a group needs is stable; what earlier epochs left is.
    pub(crate) fn make_group_stable(&self, lane: Lane, epoch: Epoch, end: Lsn) -> Result<()> {
        if epoch == self.epoch && self.visible_first() { self.make_stable(lane, end) } else { Ok(()) }
    }

    /// Whether a commit can be taken at all, before anything is stored for it.
    #[inline]
    pub(crate) fn takes_commits(&self, lane: Lane) -> Result<()> {
        self.lane(lane).check(lane)?;
        if self.media.board.floor() < Gsn::MAX.0 { Ok(()) } else { Err(self.no_stamp()) }
    }

    /// Why there is no stamp for a commit.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_stamp(&self) -> Error {
        if self.media.board.floor() == SHUT { Error::Closed } else { Error::OutOfStamps }
    }

    /// Whether the batch that ends at `end` is still part of the log.
    pub(crate) fn survived(&self, end: Position) -> Result<()> {
        self.media.check_lane(end.lane)?;
        let ahead = end.epoch == self.epoch && end.lsn > self.media.board.published(end.lane);
        if ahead || self.media.is_lost(end) { Err(Error::Lost { position: end }) } else { Ok(()) }
    }

    /// Whether a user's position can be built on.
    pub(crate) fn check_stable(&self, position: Position, what: &str) -> Result<()> {
        self.media.check_lane(position.lane)?;
        if self.media.is_lost(position) {
            return Err(Error::Lost { position });
        }
        if position.lsn > self.stable(position.lane) {
            let (lane, lsn) = (position.lane, position.lsn);
            return Err(Error::Config(format!("lane {lane} at {lsn}: {what} cannot pass what is stable")));
        }
        Ok(())
    }

    /// Drops what nobody needs and nothing keeps any more.
    pub(crate) fn trim(&self) -> Result<()> {
        let mut known = self.trimming.lock().unwrap_or_else(PoisonError::into_inner);
        let (media, archives) = (&self.media, self.archiver.is_some());
        let hold = |lane| runs::hold(media, &self.marks, &self.slots, archives, lane).0;
        let holds: Vec<Lsn> = media.lanes().map(hold).collect();
        let (retention, now) = (self.config.nvme.retain, Gsn(self.order.clock().now_ns()));
        let bytes = media.geometry.nvme_segment_bytes;
        let keeps = runs::plan(&media.catalogue(), &holds, retention, bytes, now);
        known.resize(holds.len(), (Lsn(0), Lsn(0)));
        for (lane, keep) in media.lanes().zip(keeps) {
            let (hold, known) = (holds[lane.0 as usize], &mut known[lane.0 as usize]);
            // Holds are starts of batches, segments may begin inside one.
            if keep != hold && keep != known.0 {
                *known = (keep, batch_start(media, lane, keep, media.oldest(lane))?);
            }
            let keep = if keep == known.0 { known.1 } else { keep };
            runs::trim(media, &self.marks, &self.pool, lane, keep)?;
        }
        Ok(())
    }
}

impl<T: Tail> RunLocks for Engine<T> {
    type Runs = LaneRuns;

    fn board(&self) -> &Board {
        &self.media.board
    }

    fn stability(&self) -> &Stability {
        &self.stability
    }

    fn run_lock(&self, lane: Lane) -> &Mutex<LaneRuns> {
        &self.runs[lane.0 as usize]
    }

    fn sharing(&self, lane: Lane) -> &Sharing {
        &self.sharing[lane.0 as usize]
    }

    fn now(&self) -> Duration {
        self.env.now()
    }

    fn durable(runs: &LaneRuns) -> Lsn {
        runs.durable()
    }

    fn write_now(&self, lane: Lane, runs: &mut LaneRuns, upto: Lsn) -> Result<()> {
        self.write_run(lane, runs, upto, true, &mut Sink::Now)
    }

    fn check(&self, lane: Lane) -> Result<()> {
        self.lane(lane).check(lane)
    }

    fn depends_on_poison(&self, lane: Lane, of: Lane, error: Error) -> Error {
        if let Error::NoRoom { why, .. } = error {
            return Error::NoRoom { lane, why };
        }
        let cause = format!("it depends on lane {of}, and there: {error}");
        self.lane(lane).poison(&cause);
        self.lane(lane).error(lane)
    }
}
