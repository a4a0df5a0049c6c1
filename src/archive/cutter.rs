//! The archiver: cuts the log under its order and writes each cut as the next object, one at a time.
//!
//! Invariants: an object holds, over all lanes, exactly the groups between two stamps; `archived` of a lane never passes
//! its `stable`; data objects are in the store before the object that names them; a number that somebody else took ends
//! every promise of this open. A cut is made when enough is there, when it has waited long enough, and soon after
//! somebody waits for it: those who come meanwhile share it.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::object::{Created, Name};
use tierlog_tiers::tail::Tail;

use super::archiver::Archiver;
use super::object::{Body, Cut, Object};
use super::plan::{Frames, Plan, Planner};
use super::retire::{Retirer, held_bytes};
use super::retry::Backoff;
use super::sequence::archive_error;
use super::upload::Upload;
use crate::board::Water;
use crate::engine::Engine;
use crate::error::{Error, Refusal, Result};
use crate::host::{Bell, Worker};
use crate::number::Lsn;

const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a store that fails is asked again when the log closes; as for an open, a request under way is waited for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// Works until the engine stops and everything stable is archived, or a foreign owner took the sequence.
pub(crate) struct ArchiveWorker<T: Tail> {
    engine: Arc<Engine<T>>,
    archiver: Arc<Archiver>,
    cutter: Option<Cutter>,
    retirer: Retirer,
    cut_at: Duration,
    stopping_since: Option<Duration>,
    backoff: Backoff,
}

impl<T: Tail> ArchiveWorker<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, archiver: Arc<Archiver>) -> Self {
        let cut_at = engine.env.now();
        let (cutter, stopping_since, backoff) = (None, None, Backoff::default());
        ArchiveWorker {
            engine,
            archiver,
            cutter,
            retirer: Retirer::default(),
            cut_at,
            stopping_since,
            backoff,
        }
    }

    fn cut(&mut self) -> Result<bool> {
        let cutter = match self.cutter.as_mut() {
            Some(cutter) => cutter,
            None => {
                self.archiver.collect_orphans();
                self.retirer.sweep(&self.archiver);
                self.cutter.insert(Cutter::new(&self.engine, &self.archiver)?)
            }
        };
        let cut = cutter.cut(&self.engine, &self.archiver);
        if cutter.full {
            self.retirer.hurry();
        }
        if (cutter.under_way.is_none() || cutter.full) && !self.engine.stop.is_signalled() {
            self.retirer.look(&self.engine, &self.archiver, cutter.next, &cutter.ends);
        }
        cut
    }

    /// How long until a cut is due; zero if it is.
    fn due_in(&self) -> Duration {
        let (engine, now) = (&self.engine, self.engine.env.now());
        let config = &engine.config.archive;
        if self.cutter.as_ref().is_some_and(|cutter| cutter.under_way.is_some()) {
            return Duration::ZERO;
        }
        let linger = Duration::from_millis(config.linger_ms());
        let aged = (self.cut_at + linger).saturating_sub(now);
        let asked = self.archiver.asked_at().map(|at| (at + config.gather()).saturating_sub(now));
        if aged.is_zero() || self.archiver.behind(&engine.media) >= config.object_bytes() as u64 {
            return Duration::ZERO;
        }
        asked.unwrap_or(aged).min(aged)
    }

    /// How long to rest after a cut, or what was one.
    fn after(&mut self, cut: Result<bool>, stopping: bool) -> Result<Duration> {
        match cut {
            Ok(true) => {
                self.backoff = Backoff::default();
                Ok(Duration::ZERO)
            }
            Ok(false) if stopping => Err(Error::Closed),
            Ok(false) => Ok(LOOK_EVERY),
            // Without room on NVMe nothing more is stable, and so nothing to be archived.
            Err(Error::Archive(cause) | Error::NoRoom { why: cause, .. }) => {
                self.archiver.failed(&cause);
                let now = self.engine.env.now();
                let since = self.stopping_since.filter(|_| stopping);
                if since.is_some_and(|since| now - since >= CLOSE_PATIENCE) {
                    return Err(Error::Archive(cause));
                }
                Ok(self.backoff.next(&*self.engine.env))
            }
            Err(error) => {
                // A foreign owner ends every promise of this open; anything else, what waits for the archive.
                if let Error::Refused(Refusal::Superseded { .. }) = error {
                    self.engine.poison_all(&error.to_string());
                    if let Err(error) = crate::open::write_superseded(&self.engine) {
                        tracing::warn!(%error, "could not be written down; the archive says it all the same");
                    }
                }
                tracing::error!(%error, "archiving ended");
                Err(error)
            }
        }
    }
}

impl<T: Tail> Worker for ArchiveWorker<T> {
    fn turn(&mut self) -> Option<Duration> {
        let stopping = self.engine.stop.is_signalled();
        if stopping && self.stopping_since.is_none() {
            self.stopping_since = Some(self.engine.env.now());
        }
        let wait = if stopping { Duration::ZERO } else { self.due_in() };
        if !wait.is_zero() {
            return Some(wait.min(LOOK_EVERY));
        }
        if self.cutter.as_ref().is_none_or(|cutter| cutter.under_way.is_none()) {
            self.cut_at = self.engine.env.now();
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
    planner: Planner,
    frames: Frames,
    ends: Vec<Lsn>,
    next: u64,
    under_way: Option<UnderWay>,
    /// Where the archive begins in each lane, as far as it was asked.
    starts: Vec<Lsn>,
    /// What is under way waits for room.
    full: bool,
}

/// An object on its way.
struct UnderWay {
    plan: Plan,
    upload: Upload,
    /// The quota has room for it.
    admitted: bool,
    /// Encoded, and perhaps written already: the answer may have been lost.
    body: Option<Vec<u8>>,
}

impl Cutter {
    fn new<T: Tail>(engine: &Engine<T>, archiver: &Archiver) -> Result<Self> {
        let ends = archiver.archived();
        let planner = Planner::new(engine, &ends)?;
        let next = archiver.claimed.number + 1;
        let (frames, starts) = (Frames::default(), Vec::new());
        Ok(Cutter { planner, frames, ends, next, under_way: None, starts, full: false })
    }

    /// Goes on with the next object; false if there is nothing to write.
    fn cut<T: Tail>(&mut self, engine: &Engine<T>, archiver: &Archiver) -> Result<bool> {
        if self.under_way.is_none() {
            archiver.cutting();
            let plan = self.planner.plan(engine, engine.config.archive.cut_bytes())?;
            if plan.runs.is_empty() {
                return Ok(false);
            }
            self.frames.begin();
            let (upload, admitted) = (Upload::new(archiver.author, self.next), false);
            self.under_way = Some(UnderWay { plan, upload, admitted, body: None });
        }
        self.admit(engine, archiver)?;
        let Some(under_way) = self.under_way.as_mut() else { return Ok(false) };
        if under_way.body.is_none() {
            let UnderWay { plan, upload, .. } = under_way;
            if !upload.go_on(engine, archiver, plan, &mut self.frames)? {
                return Ok(true);
            }
            for run in &plan.runs {
                self.ends[run.lane.0 as usize] = run.end;
            }
            let chunks = std::mem::take(&mut upload.chunks);
            let cut = Cut { runs: plan.runs.clone(), chunks, marks: std::mem::take(&mut plan.marks) };
            let object = Object {
                author: archiver.author,
                number: self.next,
                tag: crate::open::random(&*engine.env),
                claim: archiver.claimed.number,
                gsn: plan.gsn,
                ends: self.ends.clone(),
                body: Body::Cut(cut),
            };
            let mut body = object.encode();
            body.append(&mut upload.inline);
            under_way.body = Some(body);
        }
        self.seal(engine, archiver)
    }

    /// Lets what is under way begin once the quota has room for it.
    fn admit<T: Tail>(&mut self, engine: &Engine<T>, archiver: &Archiver) -> Result<()> {
        let quota = engine.config.archive.quota_bytes;
        let Some(under_way) = self.under_way.as_mut().filter(|under_way| !under_way.admitted) else {
            return Ok(());
        };
        let more = under_way.plan.bytes;
        let fits = |starts: &[Lsn]| quota == 0 || held_bytes(starts, &self.ends) + more <= quota;
        let asks = quota > 0 && self.starts.is_empty();
        if asks || !fits(&self.starts) {
            // Something may have been given up.
            self.starts = archiver.archive.starts(archiver.author.log)?;
        }
        under_way.admitted = fits(&self.starts);
        self.full = !under_way.admitted;
        archiver.has_room(under_way.admitted);
        if under_way.admitted {
            return Ok(());
        }
        let held = held_bytes(&self.starts, &self.ends);
        let way_on = match more > quota {
            true => "one batch is larger than that: allow more",
            false => "trim the archive, or let archive.retain give up what nobody needs",
        };
        Err(Error::Archive(format!(
            "{}: {held} bytes of frames leave no room for {more} within archive.quota_bytes = {quota}: {way_on}",
            archiver.archive.address
        )))
    }

    /// Writes the object of the sequence itself.
    fn seal<T: Tail>(&mut self, engine: &Engine<T>, archiver: &Archiver) -> Result<bool> {
        let Some(UnderWay { plan, body: Some(body), .. }) = &self.under_way else { return Ok(false) };
        archiver.pace(body.len());
        let objects = &archiver.archive.objects;
        match objects.create(Name::Number(self.next), body).map_err(archive_error)? {
            Created::Taken(_) => {
                let archive = engine.config.archive.address.clone();
                Err(Refusal::Superseded { archive, number: self.next }.into())
            }
            Created::Ours => {
                for run in &plan.runs {
                    engine.media.board.raise_water(run.lane, Water::Archived, run.end);
                }
                archiver.advance(&plan.runs, plan.bytes, body.len());
                self.under_way = None;
                self.next += 1;
                engine.trim()?;
                Ok(true)
            }
        }
    }
}
