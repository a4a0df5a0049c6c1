//! The archiver: one thread that cuts the log under its order and writes the cut as the next object, one at a time.
//!
//! Invariants: an object holds, over all lanes, exactly the groups between two stamps; `archived` of a lane never passes
//! its `stable`; a number that somebody else took ends every promise of this open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::object::Created;
use tierlog_tiers::tail::Tail;

use super::archiver::Archiver;
use super::object::{Body, Object, Run};
use super::sequence::archive_error;
use crate::board::Water;
use crate::engine::Engine;
use crate::error::{Error, Refusal, Result};
use crate::host::{Bell, Worker};
use crate::number::{Gsn, Lane};
use crate::read::{Group, GroupReader, LaneCursor, Stop};

const LOOK_EVERY: Duration = Duration::from_millis(2);
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// Works until the engine stops and everything stable is archived, or a foreign owner took the sequence.
pub(crate) struct ArchiveWorker<T: Tail> {
    engine: Arc<Engine<T>>,
    archiver: Arc<Archiver>,
    cutter: Option<Cutter>,
    cut_at: Duration,
    pause: Duration,
}

impl<T: Tail> ArchiveWorker<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, archiver: Arc<Archiver>) -> Self {
        let cut_at = engine.env.now();
        ArchiveWorker { engine, archiver, cutter: None, cut_at, pause: RETRY_AFTER }
    }

    fn cut(&mut self) -> Result<bool> {
        let cutter = match self.cutter.as_mut() {
            Some(cutter) => cutter,
            None => self.cutter.insert(Cutter::new(&self.engine, &self.archiver)?),
        };
        cutter.cut(&self.engine, &self.archiver)
    }

    /// How long to rest after a cut, or what was one.
    fn after(&mut self, cut: Result<bool>, stopping: bool) -> Result<Duration> {
        match cut {
            Ok(true) => {
                self.pause = RETRY_AFTER;
                Ok(Duration::ZERO)
            }
            Ok(false) if stopping => Err(Error::Closed),
            Ok(false) => {
                self.cut_at = self.engine.env.now();
                Ok(LOOK_EVERY)
            }
            Err(Error::Archive(cause)) => {
                tracing::warn!(cause, "the object store does not answer");
                self.archiver.state().trouble = Some(cause.clone());
                if stopping {
                    return Err(Error::Archive(cause));
                }
                let pause = self.pause;
                self.pause = (pause * 2).min(RETRY_AFTER_MAX);
                Ok(pause)
            }
            Err(error) => {
                // A foreign owner ends every promise of this open; anything else, what waits for the archive.
                if let Error::Refused(Refusal::Superseded { .. }) = error {
                    self.engine.poison_all(&error.to_string());
                }
                tracing::error!(%error, "archiving ended");
                Err(error)
            }
        }
    }
}

impl<T: Tail> Worker for ArchiveWorker<T> {
    fn turn(&mut self) -> Option<Duration> {
        let engine = &self.engine;
        let stopping = engine.stop.is_signalled();
        let linger = Duration::from_millis(engine.config.archive.linger_ms());
        if !stopping && !self.archiver.is_wanted() && engine.env.now() - self.cut_at < linger {
            return Some(LOOK_EVERY);
        }
        let cut = self.cut();
        match self.after(cut, stopping) {
            Ok(rest) => Some(rest),
            Err(error) => {
                self.archiver.end(error);
                None
            }
        }
    }

    fn bell(&self) -> Arc<Bell> {
        self.archiver.wanted.clone()
    }
}

/// Where the archiver stands in each lane, and the object that is being written.
struct Cutter {
    readers: Vec<GroupReader>,
    next: u64,
    /// Encoded, and perhaps written already: the answer may have been lost.
    under_way: Option<(Vec<Run>, Vec<u8>)>,
    bytes_max: usize,
}

impl Cutter {
    fn new<T: Tail>(engine: &Engine<T>, archiver: &Archiver) -> Result<Self> {
        let archived = archiver.state().archived.clone();
        let reader = |lane: Lane| {
            let at = archived[lane.0 as usize];
            let oldest = engine.media.oldest(lane);
            if at < oldest {
                let what = format!("was trimmed before it was archived (archive ends at {at})");
                return Err(Error::Corrupt { lane, lsn: oldest, what });
            }
            Ok(GroupReader::new(LaneCursor::new(engine.media.clone(), lane, at)))
        };
        let readers = engine.media.lanes().map(reader).collect::<Result<_>>()?;
        let bytes_max = engine.config.archive.object_bytes();
        Ok(Cutter { readers, next: archiver.claimed.number + 1, under_way: None, bytes_max })
    }

    /// Writes one object; false if there was nothing to write.
    fn cut<T: Tail>(&mut self, engine: &Engine<T>, archiver: &Archiver) -> Result<bool> {
        if self.under_way.is_none() {
            let runs = self.collect(engine)?;
            if runs.is_empty() {
                return Ok(false);
            }
            let tag = crate::open::random(&*engine.env);
            let body = Body::Runs(runs.clone());
            let bytes = Object { author: archiver.author, number: self.next, tag, body }.encode();
            self.under_way = Some((runs, bytes));
        }
        let Some((_, bytes)) = &self.under_way else { return Ok(false) };
        match archiver.objects.create(self.next, bytes).map_err(archive_error)? {
            Created::Taken(_) => {
                let archive = engine.config.archive.address.clone();
                Err(Refusal::Superseded { archive, number: self.next }.into())
            }
            Created::Ours => {
                if let Some((runs, bytes)) = self.under_way.take() {
                    for run in &runs {
                        engine.media.board.raise_water(run.lane, Water::Archived, run.end);
                    }
                    archiver.advance(&runs, bytes.len());
                    engine.trim_to_checkpoints()?;
                }
                self.next += 1;
                Ok(true)
            }
        }
    }

    /// The groups up to a stamp below which everything is published, in order, as many as an object takes.
    fn collect<T: Tail>(&mut self, engine: &Engine<T>) -> Result<Vec<Run>> {
        let closed = engine.media.closed();
        let mut runs: BTreeMap<Lane, Run> = BTreeMap::new();
        let mut heads: Vec<Option<Group>> = self.readers.iter().map(|_| None).collect();
        let mut bytes = 0;
        loop {
            for (head, reader) in heads.iter_mut().zip(&mut self.readers) {
                if head.is_none() {
                    *head = peek(engine, reader)?;
                }
            }
            let ready =
                heads.iter().enumerate().filter_map(|(i, head)| head.as_ref().map(|group| (group, i)));
            let oldest =
                ready.filter(|(group, _)| group.gsn <= closed).min_by_key(|(group, i)| (group.gsn, *i));
            let Some(index) = oldest.map(|(_, i)| i) else { break };
            let Some(group) =
                heads[index].take_if(|group| bytes == 0 || bytes + group.raw.len() <= self.bytes_max)
            else {
                break;
            };
            if runs.get(&group.lane).is_some_and(|run| run.epoch != group.epoch) {
                heads[index] = Some(group);
                break;
            }
            engine.make_group_stable(&group)?;
            bytes += group.raw.len();
            take(&mut runs, group);
        }
        // What was only looked at is read again next time.
        for (head, reader) in heads.iter().zip(&mut self.readers) {
            if let Some(group) = head {
                reader.cursor.rewind(group.start);
            }
        }
        Ok(runs.into_values().collect())
    }
}

fn peek<T: Tail>(engine: &Engine<T>, reader: &mut GroupReader) -> Result<Option<Group>> {
    let (lane, at) = (reader.cursor.lane, reader.cursor.at);
    let limit = engine.media.board.published(lane);
    let mut group = Group::default();
    match reader.next(limit, &mut group) {
        Ok(()) => Ok(Some(group)),
        Err(Stop::Limit) => Ok(None),
        Err(stop) => Err(stop.into_error(lane, at)),
    }
}

fn take(runs: &mut BTreeMap<Lane, Run>, group: Group) {
    let run = runs.entry(group.lane).or_insert_with(|| Run {
        lane: group.lane,
        epoch: group.epoch,
        incarnation: group.incarnation,
        first: group.start,
        end: group.start,
        gsn: Gsn(0),
        frames: Vec::new(),
    });
    run.frames.extend_from_slice(&group.raw);
    (run.end, run.gsn) = (group.end, group.gsn);
}
