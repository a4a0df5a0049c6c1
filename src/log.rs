//! The log: one open of it, from `open` to `close`.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_numa::Node;
use tierlog_tiers::sync::Mutex;
use tierlog_tiers::tail::Tail;

use crate::archive::ArchiveWorker;
use crate::config::Config;
use crate::durability::{Commit, Durability};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Host, Machine, Running, Worker};
use crate::mark::{self, Mark};
use crate::number::{Gsn, Lane, LogId, Position};
use crate::open::{self, Recovered};
use crate::read::{Cut, LaneReader, Merged, batch_start, seek};
use crate::reaper::Reaper;
use crate::repair::Scrubber;
use crate::report::{LaneMetrics, LaneWatermarks, Media, Metrics};
use crate::runs::{Drainer, Haste, Keeper, RunLocks, is_full};
use crate::shared::Shared;
use crate::slot::{Slot, SlotInfo, SlotLimit};
use crate::writer::Writer;

/// A log, open for writing by this process alone.
///
/// Give it to threads by reference or in an `Arc`; each takes a [`Writer`] of its own.
pub struct Log<H: Host = Machine> {
    host: Arc<H>,
    engine: Arc<Engine<H::Tail>>,
    workers: Mutex<Vec<Box<dyn Running>>>,
    /// Node of each tail, where it is known.
    nodes: Vec<Option<Node>>,
    closed: bool,
}

impl<H: Host> fmt::Debug for Log<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("id", &self.id())
            .field("dir", &self.engine.config.dir)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log in `config.dir`, recovering whatever an owner that was killed left behind, and makes it if there is
    /// none. What was accepted survives a power cut before this returns.
    ///
    /// Cost: reads each lane from its last watermark, a ring at most.
    ///
    /// # Errors
    /// Before anything of the log is changed: [`Error::Locked`] naming the owner; [`Error::Refused`] where going on needs an
    /// explicit word; [`Error::Corrupt`]; [`Error::Config`], also where the open record has no room for another open
    /// (`last_open` opens it once more); [`Error::Archive`] from a store that fails, after ten seconds of asking again.
    ///
    /// Half way: [`Error::NoRoom`] where NVMe has no room, or the process no descriptor, for what was accepted;
    /// [`Error::Corrupt`] where that reads back wrong; I/O errors. The archive is claimed last: where that fails, by
    /// [`Error::Archive`] or [`Error::Refused`], a new epoch is in the open record and lost tails are made anew. Nothing
    /// that was accepted is lost: the next open recovers it as after a crash.
    pub fn open(config: Config) -> Result<(Log, Recovered)> {
        Log::open_on(Arc::new(Machine::detect()), config)
    }
}

impl<H: Host> Log<H> {
    /// As [`open`](Log::open), on another host than this machine.
    ///
    /// # Errors
    /// As for [`open`](Log::open).
    pub fn open_on(host: Arc<H>, config: Config) -> Result<(Self, Recovered)> {
        let (engine, recovered) = open::begin(&host, config)?;
        let nodes = engine.config.tail_places().iter().map(|place| host.node_of(place)).collect();
        let mut log = Log { host, engine, workers: Mutex::default(), nodes, closed: false };
        // Dropping the log ends the workers that were started.
        log.start_workers()?;
        tracing::info!(log = %log.id(), epoch = recovered.epoch.0, clean = recovered.clean, "log opened");
        Ok((log, recovered))
    }

    fn start_workers(&mut self) -> Result<()> {
        let engine = self.engine.clone();
        for (tail, node) in self.nodes.clone().into_iter().enumerate() {
            let per_tail = engine.media.geometry.lanes_per_tail();
            let lanes: Vec<Lane> = (0..per_tail).map(|lane| Lane(tail as u32 * per_tail + lane)).collect();
            let drainers = (engine.config.nvme.drainers.max(1) as usize).min(lanes.len());
            for part in lanes.chunks(lanes.len().div_ceil(drainers)) {
                self.start(format!("tierlog-drain-{tail}"), node, Drainer::new(engine.clone(), part))?;
            }
        }
        self.start("tierlog-keeper".into(), None, Keeper::new(engine.clone()))?;
        let config = &engine.config;
        if config.nvme.scrub_bytes_per_second > 0 || config.archive.scrub_bytes_per_second > 0 {
            self.start("tierlog-scrubber".into(), None, Scrubber::new(engine.clone()))?;
        }
        self.start("tierlog-reaper".into(), None, Reaper(engine.clone()))?;
        match &engine.archiver {
            Some(archiver) => {
                let worker = ArchiveWorker::new(engine.clone(), archiver.clone());
                self.start("tierlog-archiver".into(), None, worker)
            }
            None => Ok(()),
        }
    }

    fn start(&mut self, name: String, node: Option<Node>, worker: impl Worker + 'static) -> Result<()> {
        let guarded = Guarded { engine: self.engine.clone(), name: name.clone(), worker };
        let running = self.host.start(name, node, Box::new(guarded))?;
        self.workers.get_mut().unwrap_or_else(PoisonError::into_inner).push(running);
        Ok(())
    }

    /// The log's identity.
    pub fn id(&self) -> LogId {
        self.engine.media.log
    }

    /// A writer for the calling thread, with a lane of its own, on the thread's NUMA node if one is free there.
    ///
    /// # Errors
    /// [`Error::NoLane`] when every lane has its writer; [`Error::Closed`] in a forked child.
    pub fn writer(&self) -> Result<Writer<H::Tail>> {
        self.same_process()?;
        let core = self.engine.seats.take(self.lanes_from_here()).ok_or_else(|| self.no_lane())?;
        let writer = Writer::new(self.engine.clone(), core);
        // Rather here than in its first commit, which says what is wrong if this fails.
        while self.engine.visible_first() && self.engine.prepare_segment(Haste::Now).unwrap_or(false) {}
        Ok(writer)
    }

    /// A lane for threads that have none: they take turns, a batch or more each. The first call sets a free lane aside.
    ///
    /// # Errors
    /// As for [`writer`](Log::writer).
    pub fn shared(&self) -> Result<Shared<H::Tail>> {
        self.same_process()?;
        let lane = self.engine.seats.set_aside(self.lanes_from_here()).ok_or_else(|| self.no_lane())?;
        Ok(Shared::new(self.engine.clone(), lane))
    }

    /// All lanes, those of the calling thread's NUMA node first.
    fn lanes_from_here(&self) -> Vec<Lane> {
        let (here, per_tail) = (self.host.here(), self.engine.media.geometry.lanes_per_tail());
        let mut lanes: Vec<Lane> = self.engine.media.lanes().collect();
        lanes.sort_by_key(|lane| self.nodes[(lane.0 / per_tail) as usize].is_some_and(|node| node != here));
        lanes
    }

    fn no_lane(&self) -> Error {
        Error::NoLane { lanes: self.engine.media.geometry.lanes }
    }

    /// Reads all lanes in the order of their stamps, from a cut.
    ///
    /// # Errors
    /// [`Error::Trimmed`], [`Error::Lost`] for positions that are not there any more.
    pub fn reader(&self, from: &Cut) -> Result<Merged> {
        Merged::new(&self.engine.media, from)
    }

    /// The place behind the last batch, in each lane, that is stamped at or below `gsn`: from there on readers give what came
    /// later. A moment is its nanoseconds since 1970. What is trimmed here is looked for in the archive, by bisection.
    ///
    /// Cost: reads a segment, or an object, per lane.
    ///
    /// # Errors
    /// As for reading.
    pub fn seek(&self, gsn: Gsn) -> Result<Cut> {
        seek(&self.engine.media, gsn)
    }

    /// Reads one lane, from a position or from its oldest record.
    ///
    /// # Errors
    /// As for [`reader`](Log::reader).
    pub fn lane(&self, lane: Lane, from: Option<Position>) -> Result<LaneReader> {
        LaneReader::new(&self.engine.media, lane, from)
    }

    /// Every tier, what it really is, and how each level is kept.
    pub fn media(&self) -> Media {
        Media::of(&self.engine)
    }

    /// How far each lane is in each tier.
    pub fn watermarks(&self) -> Vec<LaneWatermarks> {
        crate::report::watermarks(&self.engine.media)
    }

    /// Counters since this open.
    pub fn metrics(&self) -> Metrics {
        let lanes =
            self.engine.media.lanes().map(|lane| LaneMetrics::of(lane, self.engine.lane(lane))).collect();
        Metrics::of(lanes, &self.engine)
    }

    /// The user's word that records before `cut` are not needed. Segments of NVMe that lie wholly below go as soon as no slot
    /// needs them, they are archived where an archive is configured, and `nvme.retain` does not keep them; older positions
    /// then answer [`Error::Trimmed`]. Objects of the archive go where `archive.retain` says so.
    ///
    /// # Errors
    /// [`Error::Config`] for a position beyond what is stable; I/O errors.
    pub fn checkpoint(&self, cut: &Cut) -> Result<()> {
        self.same_process()?;
        for position in cut.iter() {
            let (media, lane) = (&self.engine.media, position.lane);
            self.engine.check_stable(position, "a checkpoint")?;
            let at = batch_start(media, lane, position.lsn, media.oldest(lane))?;
            if at > self.engine.marks.of(lane).checkpoint {
                self.engine.marks.set(lane, |mark| mark.checkpoint = mark.checkpoint.max(at))?;
            }
        }
        self.engine.trim()
    }

    /// Gives a name to everything that has been committed so far, in a batch of its own, durable at `Power`: a log can be
    /// restored to it. Takes a free lane for as long as it lasts; [`Writer::mark`] is for those who have one.
    ///
    /// # Errors
    /// As for [`Writer::mark`] and [`Writer::commit`]; [`Error::NoLane`] when every lane has its writer;
    /// [`Error::NoRoomToMark`] rather than a mark that is written and not durable.
    pub fn mark(&self, name: &str) -> Result<Commit> {
        self.same_process()?;
        let pool = &self.engine.pool;
        if pool.free() == 0 {
            pool.prepare(1, Haste::Now).map_err(|error| match is_full(&error) {
                true => Error::NoRoomToMark { why: error.to_string() },
                false => Error::io("a segment of the NVMe tier")(error),
            })?;
        }
        let mut writer = self.writer()?;
        writer.mark(name)?;
        writer.commit(Durability::Power)
    }

    /// The marks that are still there, by stamp; [`seek`](Self::seek) tells where what one stands for ends. Reads the whole log.
    ///
    /// # Errors
    /// As for reading.
    pub fn marks(&self) -> Result<Vec<Mark>> {
        mark::marks(&self.engine.media)
    }

    /// Gives up what the archive holds that is stamped below `before`, object by object: a restore begins behind it from
    /// then on. Claims stay. Returns how many objects were deleted.
    ///
    /// Cost: a request or two per object deleted; safe to interrupt, what is then left behind is never read.
    ///
    /// # Errors
    /// [`Error::Config`] without an archive, or where the store cannot replace an object; [`Error::Archive`].
    pub fn trim_archive(&self, before: Gsn) -> Result<u64> {
        self.same_process()?;
        let archiver = self.engine.archiver.as_ref();
        let archiver = archiver.ok_or_else(|| Error::Config("no archive is configured".into()))?;
        let alone = archiver.alone();
        let deleted = archiver.archive.trim_before(self.id(), before);
        drop(alone);
        self.engine.media.look_at_archive_again();
        deleted
    }

    /// Makes a slot: a name under which a consumer holds trimming back, from the oldest record there is on. It is durable,
    /// and outlives this open.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is taken or cannot be one, beyond 64 slots, and where it would be beyond its limit
    /// at once; I/O errors.
    pub fn create_slot(&self, name: &str, limit: SlotLimit) -> Result<Slot<H::Tail>> {
        self.same_process()?;
        Slot::create(&self.engine, name, limit)
    }

    /// A slot that was made before, by this open or another.
    ///
    /// # Errors
    /// [`Error::NoSlot`].
    pub fn slot(&self, name: &str) -> Result<Slot<H::Tail>> {
        Slot::existing(&self.engine, name)
    }

    /// All slots.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.engine.slots.all().iter().map(|slot| SlotInfo::of(slot, &self.engine.media)).collect()
    }

    /// Takes a slot away, broken or not: what only it needed may go.
    ///
    /// # Errors
    /// [`Error::NoSlot`]; I/O errors.
    pub fn drop_slot(&self, name: &str) -> Result<()> {
        self.same_process()?;
        self.engine.slots.change(|slots| {
            let at = slots.iter().position(|slot| slot.name == name);
            slots.remove(at.ok_or_else(|| Error::NoSlot { name: name.into() })?);
            Ok(())
        })?;
        self.engine.trim()
    }

    /// Ends the log: no commit is taken any more, everything published becomes Power-durable on NVMe and, where an archive
    /// is configured, is archived; each lane's end is written. Writers still about get [`Error::Closed`]; writers and readers
    /// that are still held keep the tail locked until they are dropped.
    ///
    /// # Errors
    /// The first thing that could not be done; the next open then recovers as after a crash.
    pub fn close(mut self) -> Result<()> {
        self.closed = true;
        self.end()
    }

    fn end(&self) -> Result<()> {
        self.same_process()?;
        let engine = &self.engine;
        for core in engine.seats.take_free() {
            // Lanes that nobody has: what was committed as Buffered there was stamped when their writers were dropped.
            drop(Writer::new(engine.clone(), core));
        }
        let gsn = engine.order.shut(&engine.media.board);
        engine.stop.signal();
        engine.errands.end();
        if let Some(archiver) = &engine.archiver {
            archiver.wanted.ring();
        }
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        workers.into_iter().for_each(|worker| worker.join());
        self.finish(gsn)
    }

    fn finish(&self, gsn: Gsn) -> Result<()> {
        let engine = &self.engine;
        let mut first = Ok(());
        for lane in engine.media.lanes() {
            let done = engine.lane(lane).check(lane).and_then(|()| engine.finish_lane(lane));
            first = first.and(done);
        }
        if first.is_ok() {
            let newest = engine.media.lanes().map(|lane| engine.lock_runs(lane).durable_batch().1).max();
            first = open::write_closed(engine, newest.map_or(gsn, |newest| newest.max(gsn)));
        }
        if first.is_ok() {
            first = engine.pool.remove_all_surplus().map_err(Error::io("free segment files"));
        }
        self.host.drop_board(&engine.config, self.id(), engine.incarnation);
        self.host.leave(&engine.config);
        let archive = engine.archiver.as_ref().and_then(|archiver| archiver.report().1);
        first.and(archive.map_or(Ok(()), |cause| Err(Error::Archive(cause))))
    }

    /// Nothing is drained while the answer is held, as beside committing threads that never end. For benchmarks.
    #[cfg(feature = "cli")]
    pub(crate) fn hold_drains(&self) -> Vec<tierlog_tiers::sync::MutexGuard<'_, crate::runs::LaneRuns>> {
        self.engine.media.lanes().map(|lane| self.engine.lock_runs(lane)).collect()
    }

    fn same_process(&self) -> Result<()> {
        if self.engine.process == std::process::id() { Ok(()) } else { Err(Error::Closed) }
    }
}

impl<H: Host> Drop for Log<H> {
    /// Closes as well as it can; [`close`](Log::close) tells how that went.
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the log was dropped and could not be closed: the next open recovers it");
        }
    }
}

/// A worker whose panic poisons every lane at every level.
struct Guarded<T: Tail, W> {
    engine: Arc<Engine<T>>,
    name: String,
    worker: W,
}

impl<T: Tail, W: Worker> Worker for Guarded<T, W> {
    fn turn(&mut self) -> Option<Duration> {
        let turn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.worker.turn()));
        turn.unwrap_or_else(|_| {
            let cause = format!("background work {} panicked", self.name);
            self.engine.poison_all(&cause);
            if let Some(archiver) = &self.engine.archiver {
                archiver.end(Error::Poisoned { lane: Lane(0), cause: cause.into() });
            }
            None
        })
    }

    fn bell(&self) -> Arc<Bell> {
        self.worker.bell()
    }
}
