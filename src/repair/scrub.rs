//! The scrubber: reads what NVMe and the archive hold, over and over, at a bounded rate, and mends what it can.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_tiers::sync::atomic::{AtomicU64, Ordering};
use tierlog_tiers::tail::Tail;

use super::object::ObjectMender;
use super::source::Source;
use super::{Damage, look_over, mend, quarantine};
use crate::archive::Archiver;
use crate::board::Water;
use crate::catalogue::Entry;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::host::{Bell, Worker};
use crate::number::Lane;
use crate::restore::{check_objects, is_harmed};

/// Bytes read at the given rate before it rests.
const PIECE_BYTES: u64 = 256 << 10;
/// After an open.
const FIRST_REST: Duration = Duration::from_secs(60);

/// What scrubbing came to since the open.
#[derive(Debug, Default)]
pub(crate) struct ScrubCounters {
    pub(crate) passes: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) mended: AtomicU64,
}

/// The scrubber of one open.
pub(crate) struct Scrubber<T: Tail> {
    engine: Arc<Engine<T>>,
    begun: bool,
}

impl<T: Tail> Scrubber<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>) -> Self {
        Scrubber { engine, begun: false }
    }

    fn pass(&self) -> Result<()> {
        let engine = &self.engine;
        let lanes = engine.media.lanes().take_while(|_| engine.config.nvme.scrub_bytes_per_second > 0);
        for lane in lanes {
            let found = self.look(lane)?;
            for damage in found.iter().take_while(|_| !engine.stop.is_signalled()) {
                self.mend(damage)?;
            }
        }
        if let Some(archiver) = &engine.archiver
            && engine.config.archive.scrub_bytes_per_second > 0
        {
            self.objects(archiver)?;
        }
        engine.scrub.passes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn look(&self, lane: Lane) -> Result<Vec<Damage>> {
        let engine = &self.engine;
        let mut read = self.paced(engine.config.nvme.scrub_bytes_per_second);
        let drained = engine.media.board.water(lane, Water::Drained);
        look_over(&engine.media, lane, drained, &mut read)
    }

    /// Rests after what was read, so that it keeps to `rate`; false when the log ends.
    fn paced(&self, rate: u64) -> impl FnMut(u64) -> bool {
        let (engine, mut piece) = (&self.engine, 0);
        move |bytes| {
            engine.scrub.bytes.fetch_add(bytes, Ordering::Relaxed);
            piece += bytes;
            if piece >= PIECE_BYTES {
                let bell = &engine.stop.bell;
                engine.env.listen(bell, bell.rung(), Duration::from_secs_f64(piece as f64 / rate as f64));
                piece = 0;
            }
            !engine.stop.is_signalled()
        }
    }

    fn objects(&self, archiver: &Archiver) -> Result<()> {
        let (engine, archive) = (&self.engine, &archiver.archive);
        let mut read = self.paced(engine.config.archive.scrub_bytes_per_second);
        let found = check_objects(archive, engine.media.log, &mut read)?;
        let newest = (engine.epoch, engine.incarnation);
        let config = &engine.config.archive;
        let mender = ObjectMender { media: &engine.media, archive, config, newest };
        for harm in found.harms.iter().take_while(|_| !engine.stop.is_signalled()) {
            let planned = mender.plan(harm)?;
            let _alone = archiver.alone();
            if !is_harmed(archive, engine.media.log, harm)? {
                continue;
            }
            engine.scrub.damaged.fetch_add(1, Ordering::Relaxed);
            match planned {
                Ok(rebuilt) => {
                    mender.carry_out(&rebuilt, &quarantine::of(&engine.config))?;
                    engine.scrub.mended.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(what = %harm.what, from = ?rebuilt.from, "an object was mended");
                }
                Err(why) => tracing::error!(what = %harm.what, why, "an object that no tier can mend"),
            }
        }
        Ok(())
    }

    fn mend(&self, damage: &Damage) -> Result<()> {
        let engine = &self.engine;
        let lane = damage.range.lane;
        let mut source = Source::new(&engine.media, lane, damage.first);
        let plan = mend::plan(&engine.media, damage, &mut source)?;
        // Under this lock nothing is trimmed: what was trimmed meanwhile only looked like damage.
        let _alone = engine.trimming.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_there(damage) {
            return Ok(());
        }
        engine.scrub.damaged.fetch_add(1, Ordering::Relaxed);
        match plan {
            Ok(plan) => {
                let file = mend::carry_out(&engine.media, &engine.pool, &plan)?;
                engine.scrub.mended.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(lane = lane.0, from = ?source.from, file, what = damage.what, "damage mended");
            }
            Err(lsn) => {
                tracing::error!(lane = lane.0, %lsn, what = damage.what, "damage that no tier can mend");
            }
        }
        Ok(())
    }

    /// Whether it is damage of the log as it is now, and not in the segment that is being written.
    fn is_there(&self, damage: &Damage) -> bool {
        let media = &self.engine.media;
        let catalogue = media.catalogue();
        let entries = catalogue.of_lane(damage.range.lane);
        let open = entries.last().filter(|last| last.header.epoch == self.engine.epoch);
        let there = |entry: Entry| {
            entries.iter().any(|other| other.file == entry.file && other.header == entry.header)
                && open.is_none_or(|open| open.file != entry.file)
        };
        damage.end > media.oldest(damage.range.lane) && damage.entry.is_none_or(there)
    }
}

impl<T: Tail> Worker for Scrubber<T> {
    fn turn(&mut self) -> Option<Duration> {
        let engine = &self.engine;
        if engine.stop.is_signalled() {
            return None;
        }
        let every = Duration::from_millis(engine.config.nvme.scrub_every_ms);
        if !std::mem::replace(&mut self.begun, true) {
            return Some(every.min(FIRST_REST));
        }
        match self.pass() {
            Ok(()) => {}
            Err(error @ Error::Archive(_)) => tracing::warn!(%error, "scrubbing waits for the archive"),
            Err(error) => tracing::error!(%error, "a scrub ended early"),
        }
        Some(every)
    }

    fn bell(&self) -> Arc<Bell> {
        self.engine.stop.bell.clone()
    }
}
