//! What the log's threads share with the archive: how far each lane is in it, and who waits for that.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tierlog_tiers::object::Objects;
use tierlog_tiers::sync::{Mutex, MutexGuard};

use super::object::{Author, Run};
use super::sequence::{Archive, Claimed};
use crate::config::{Config, WhenFull};
use crate::durability::Commit;
use crate::error::{Error, Result};
use crate::host::Bell;
use crate::media::Media;
use crate::number::{Lane, Lsn};
use crate::ticket::Completer;

/// Between two looks; the bell comes sooner.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the log's threads share with the archiver.
#[derive(Debug)]
pub(crate) struct Archiver {
    pub(crate) archive: Archive,
    pub(super) author: Author,
    pub(super) claimed: Claimed,
    state: Mutex<State>,
    /// Upload rate: bytes per second, 0 for any.
    rate: u64,
    /// How long a commit waits for `Machine`; zero for ever.
    wait_max: Duration,
    /// The same while the archive is full.
    full_wait_max: Duration,
    /// Held by whoever deletes objects, or makes one anew.
    alone: Mutex<()>,
    /// Rings when something is archived, or nothing will be any more.
    changed: Bell,
    /// Rings when somebody waits, or the log ends.
    pub(crate) wanted: Arc<Bell>,
}

#[derive(Debug, Default)]
struct State {
    archived: Vec<Lsn>,
    /// How many wait for `Machine` now.
    waiting: usize,
    /// Since when somebody waits for the cut after the one under way.
    asked_at: Option<Duration>,
    /// The longest wait first.
    tickets: Vec<Waiting>,
    /// No further object will be written.
    ended: Option<Error>,
    /// The last error of the store, while it lasts.
    trouble: Option<String>,
    /// The quota leaves no room for what is to be written next.
    full: bool,
    counts: ArchiveCounts,
    /// When the next bytes may be sent.
    send_at: Duration,
}

/// A ticket to be completed once `lane` is archived up to its commit.
#[derive(Debug)]
struct Waiting {
    lane: Lane,
    commit: Commit,
    completer: Completer,
    since: Duration,
}

impl State {
    fn is_archived(&self, lane: Lane, end: Lsn) -> bool {
        self.archived[lane.0 as usize] >= end
    }

    /// What somebody gets who has waited for as long as is configured.
    fn late(&self, waited: Duration) -> Error {
        let (ms, why) = (waited.as_millis(), self.trouble.clone().unwrap_or_default());
        Error::Archive(format!(
            "not acknowledged by the archive within {ms} ms, and durable at Power: it will be archived when that goes \
             on; commit again to wait longer. {why}"
        ))
    }
}

impl Archiver {
    pub(crate) fn new(
        archive: Archive,
        author: Author,
        claimed: Claimed,
        archived: Vec<Lsn>,
        config: &Config,
    ) -> Self {
        let full_wait_max = match config.tail.when_full {
            WhenFull::Block => Duration::ZERO,
            WhenFull::Refuse | WhenFull::Throttle => {
                Duration::from_millis(config.tail.full_wait_ms_max.max(1))
            }
        };
        let config = &config.archive;
        let state = Mutex::new(State { archived, ..State::default() });
        let (changed, wanted) = (Bell::default(), Arc::default());
        let (rate, wait_max) =
            (config.bytes_per_second_max, Duration::from_millis(config.machine_wait_ms_max));
        let alone = Mutex::default();
        Archiver { archive, author, claimed, state, rate, wait_max, full_wait_max, alone, changed, wanted }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody else deletes objects, or makes one anew, as long as this is held.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the quota leaves room for what is to be written next.
    pub(super) fn has_room(&self, has_room: bool) {
        self.state().full = !has_room;
    }

    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.archive.objects
    }

    /// What was written, and what the store suffers from.
    pub(crate) fn report(&self) -> (ArchiveCounts, Option<String>) {
        let state = self.state();
        (state.counts, state.trouble.clone())
    }

    pub(super) fn archived(&self) -> Vec<Lsn> {
        self.state().archived.clone()
    }

    /// LSNs that are published and not archived.
    pub(super) fn behind(&self, media: &Media) -> u64 {
        let state = self.state();
        let behind =
            |lane: Lane| media.board.published(lane).0.saturating_sub(state.archived[lane.0 as usize].0);
        media.lanes().map(behind).sum()
    }

    /// Waits until `lane` is archived up to `end`, as long as is configured.
    pub(crate) fn wait(&self, lane: Lane, end: Lsn) -> Result<()> {
        let env = &self.archive.env;
        let since = env.now();
        self.ask(|state| state.waiting += 1);
        let result = loop {
            let heard = self.changed.rung();
            let state = self.state();
            if state.is_archived(lane, end) {
                break Ok(());
            }
            if let Some(error) = &state.ended {
                break Err(error.clone());
            }
            let waited = env.now() - since;
            let wait_max = self.wait_max(&state);
            if wait_max.is_some_and(|wait_max| waited >= wait_max) {
                break Err(state.late(waited));
            }
            drop(state);
            let left = wait_max.map_or(LOOK_EVERY, |wait_max| wait_max - waited);
            env.listen(&self.changed, heard, LOOK_EVERY.min(left));
        };
        self.state().waiting -= 1;
        result
    }

    /// How long one waits as things stand; `None` for as long as it takes.
    fn wait_max(&self, state: &State) -> Option<Duration> {
        let bounds = [Some(self.wait_max), state.full.then_some(self.full_wait_max)];
        bounds.into_iter().flatten().filter(|bound| !bound.is_zero()).min()
    }

    /// Notes that somebody waits, and rings if the archiver does not know yet.
    fn ask(&self, note: impl FnOnce(&mut State)) {
        let mut state = self.state();
        note(&mut state);
        let first = state.asked_at.is_none();
        if first {
            state.asked_at = Some(self.archive.env.now());
        }
        drop(state);
        if first {
            self.wanted.ring();
        }
    }

    pub(super) fn asked_at(&self) -> Option<Duration> {
        self.state().asked_at
    }

    /// A cut begins: whoever asked so far is served by it.
    pub(super) fn cutting(&self) {
        self.state().asked_at = None;
    }

    /// Completes a ticket once `lane` is archived up to its commit.
    pub(crate) fn complete_later(&self, lane: Lane, commit: Commit, completer: Completer) {
        let env = &self.archive.env;
        self.ask(|state| state.tickets.push(Waiting { lane, commit, completer, since: env.now() }));
        self.complete_tickets();
    }

    fn complete_tickets(&self) {
        let mut state = self.state();
        let ended = state.ended.clone();
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for ticket in std::mem::take(&mut state.tickets) {
            match &ended {
                _ if state.is_archived(ticket.lane, ticket.commit.at) => ready.push((ticket, None)),
                Some(error) => ready.push((ticket, Some(error.clone()))),
                None => waiting.push(ticket),
            }
        }
        state.tickets = waiting;
        drop(state);
        for (Waiting { commit, completer, .. }, error) in ready {
            completer.complete(error.map_or(Ok(commit), Err));
        }
    }

    /// Completes the tickets that have waited for as long as is configured; how long until the next one has.
    pub(crate) fn expire_tickets(&self) -> Option<Duration> {
        let mut state = self.state();
        let (wait_max, now) = (self.wait_max(&state)?, self.archive.env.now());
        let waited = |ticket: &Waiting| now.saturating_sub(ticket.since);
        let late = state.tickets.partition_point(|ticket| waited(ticket) >= wait_max);
        let late: Vec<Waiting> = state.tickets.drain(..late).collect();
        let errors: Vec<Error> = late.iter().map(|ticket| state.late(waited(ticket))).collect();
        let next = state.tickets.first().map(|ticket| wait_max - waited(ticket));
        drop(state);
        late.into_iter().zip(errors).for_each(|(ticket, error)| ticket.completer.complete(Err(error)));
        next
    }

    /// The store failed, or there is no room, in the quota or on NVMe: it is tried again.
    pub(super) fn failed(&self, cause: &str) {
        let mut state = self.state();
        state.counts.failures += 1;
        if state.trouble.is_none() {
            tracing::warn!(cause, "archiving waits; trying again");
        }
        state.trouble = Some(cause.to_owned());
    }

    /// A data object is in the store.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = self.state();
        state.counts.objects += 1;
        state.counts.object_bytes += bytes as u64;
        state.trouble = None;
    }

    /// Waits until `bytes` more may be sent.
    pub(super) fn pace(&self, bytes: usize) {
        if self.rate == 0 {
            return;
        }
        let env = &self.archive.env;
        let mut state = self.state();
        let now = env.now();
        let at = state.send_at.max(now);
        state.send_at = at + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        drop(state);
        if at > now {
            env.sleep(at - now);
        }
    }

    /// Deletes what earlier opens left unnamed. Garbage that stays costs money and nothing else.
    pub(super) fn collect_orphans(&self) {
        match self.archive.collect_orphans(self.author.log, self.claimed.number) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "data objects of an earlier open deleted: nothing names them"),
            Err(error) => tracing::warn!(%error, "data objects that nothing names may be left behind"),
        }
    }

    /// Everything that waits gets `error`.
    pub(crate) fn end(&self, error: Error) {
        self.state().ended.get_or_insert(error);
        self.changed.ring();
        self.complete_tickets();
    }

    /// An object of the sequence holds `runs`.
    pub(super) fn advance(&self, runs: &[Run], frame_bytes: u64, bytes: usize) {
        let mut state = self.state();
        for run in runs {
            let end = &mut state.archived[run.lane.0 as usize];
            *end = run.end.max(*end);
        }
        state.counts.objects += 1;
        state.counts.object_bytes += bytes as u64;
        state.counts.frame_bytes += frame_bytes;
        state.trouble = None;
        drop(state);
        self.changed.ring();
        self.complete_tickets();
        let state = &mut *self.state();
        if state.waiting > 0 || !state.tickets.is_empty() {
            let now = self.archive.env.now();
            state.asked_at.get_or_insert(now);
        }
    }
}

/// What was written to the archive since the open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ArchiveCounts {
    pub(crate) objects: u64,
    pub(crate) object_bytes: u64,
    /// Before they were packed.
    pub(crate) frame_bytes: u64,
    /// Turns that ended in trouble and were tried again: of the store, of the quota, of room on NVMe.
    pub(crate) failures: u64,
}
