//! The writing side of the API: one thread, one lane, one batch at a time.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::sync::atomic::Ordering;
use tierlog_tiers::tail::{Fault, Mapped, Tail};

use crate::config::WhenFull;
use crate::durability::{Commit, Durability};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::Dep;
use crate::lane::{Core, LaneState, Room, bump};
use crate::mark;
use crate::number::{Gsn, Lane, Lsn, Position, Stamp};
use crate::ticket::Ticket;

/// Between two looks for room in a full ring.
const LOOK_FOR_ROOM: Duration = Duration::from_micros(50);

/// Appends to one lane. Stays on its thread: one thread's fence does not wait for another's flushes.
///
/// Appends build a batch; a commit closes it. A batch is recovered and read whole or not at all. Dropping the writer takes
/// an open batch back.
///
/// On a power-safe or emulated tail, `append` and `commit` up to `Power` make no system call, take no lock and allocate
/// nothing, except once a tail segment where the ring is full.
#[derive(Debug)]
pub struct Writer<T: Tail = Mapped> {
    engine: Arc<Engine<T>>,
    core: Option<Box<Core<T::Lane>>>,
    deps: Vec<Dep>,
    /// Neither `Send` nor `Sync`.
    thread: PhantomData<*const ()>,
}

impl<T: Tail> Writer<T> {
    pub(crate) fn new(engine: Arc<Engine<T>>, core: Box<Core<T::Lane>>) -> Self {
        Writer { engine, core: Some(core), deps: Vec::new(), thread: PhantomData }
    }

    #[inline]
    fn core(&mut self) -> &mut Core<T::Lane> {
        self.core.as_mut().expect("a writer has its lane until it is dropped")
    }

    /// The lane that this writer appends to.
    pub fn lane(&self) -> Lane {
        self.core.as_ref().map_or_else(Lane::default, |core| core.lane())
    }

    /// Appends a record to the open batch, tagged with `stream`. It is not durable, and nobody sees it, before a commit.
    ///
    /// Cost: one copy and one checksum. Waits when the ring is full, as configured.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a record above the limit or a batch that would not fit the ring, [`Error::Full`]; in both
    /// cases nothing was appended and the batch is as it was. [`Error::Poisoned`], [`Error::Closed`].
    #[inline(always)]
    pub fn append(&mut self, stream: u32, payload: &[u8]) -> Result<Lsn> {
        self.make_room(payload.len())?;
        let engine = &*self.engine;
        let core = self.core.as_mut().expect("a writer has its lane until it is dropped");
        let lsn = core.append(&engine.media.board, stream, payload);
        let counters = &engine.lane(core.lane()).writer;
        bump(&counters.appends, 1);
        bump(&counters.payload_bytes, payload.len() as u64);
        Ok(lsn)
    }

    /// Reserves room for a record of `len` bytes, to be built in the tail itself. Dropping the claim costs nothing.
    ///
    /// # Errors
    /// As for [`append`](Writer::append).
    pub fn claim(&mut self, stream: u32, len: usize) -> Result<Claim<'_, T>> {
        self.make_room(len)?;
        Ok(Claim { writer: self, stream, len })
    }

    /// Appends a mark to the open batch: once that is committed, `name` stands for all that had been committed, by any
    /// writer, when this was called, and for the batch itself. The newest of a name counts.
    ///
    /// # Errors
    /// As for [`append`](Writer::append); [`Error::Config`] for a name that is empty or above 255 bytes.
    pub fn mark(&mut self, name: &str) -> Result<Lsn> {
        mark::check(name)?;
        self.make_room(name.len())?;
        let engine = self.engine.clone();
        // Whatever is published already has a lower stamp than the batch will have.
        engine.media.closed();
        Ok(self.core().append_mark(&engine.media.board, name))
    }

    #[inline(always)]
    fn make_room(&mut self, len: usize) -> Result<()> {
        let fits = len as u64 <= self.engine.media.geometry.record_bytes_max();
        if fits && self.core().room(len) == Room::Yes { Ok(()) } else { self.wait_for_room(len) }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_room(&mut self, len: usize) -> Result<()> {
        let engine = self.engine.clone();
        let since = engine.env.now();
        let result = self.room_since(&engine, since, len);
        let waited_ns = (engine.env.now() - since).as_nanos() as u64;
        bump(&engine.lane(self.lane()).writer.room_wait_ns, waited_ns);
        result
    }

    fn room_since(&mut self, engine: &Engine<T>, since: Duration, len: usize) -> Result<()> {
        let bytes_max = engine.media.geometry.record_bytes_max();
        if len as u64 > bytes_max {
            return Err(Error::TooLarge { what: "record", bytes: len as u64, bytes_max });
        }
        let mut room = self.core().room(len);
        let (lane, board) = (self.lane(), &engine.media.board);
        let drained_bytes = || engine.lane(lane).drain.run_bytes.load(Ordering::Relaxed);
        let (mut waited, mut throttled, drained_before) = (false, false, drained_bytes());
        loop {
            engine.lane(lane).check(lane)?;
            match room {
                Room::Yes => return Ok(()),
                Room::Next => {
                    if self.throttle() && !std::mem::replace(&mut throttled, true) {
                        bump(&engine.lane(lane).writer.throttled, 1);
                    }
                    room = self.core().next_segment(board);
                    continue;
                }
                Room::TooLarge if self.core().has_unstamped() && !self.core().has_open_batch() => {
                    self.stamp()?
                }
                Room::TooLarge => {
                    let bytes_max = engine.media.geometry.batch_bytes_max();
                    return Err(Error::TooLarge { what: "batch", bytes: bytes_max + 1, bytes_max });
                }
                Room::Full => {
                    if !std::mem::replace(&mut waited, true) {
                        bump(&engine.lane(lane).writer.waits_for_room, 1);
                    }
                    if !engine.waits_for_room(since) {
                        let closed = engine.stop.is_signalled();
                        let (took, moved) = (engine.env.now() - since, drained_bytes() - drained_before);
                        return Err(if closed { Error::Closed } else { engine.full(lane, took, moved) });
                    }
                    engine.env.sleep(LOOK_FOR_ROOM);
                }
            }
            room = self.core().room(len);
        }
    }

    /// Before another segment is begun, where that is configured: the fuller the ring, the longer the pause; a segment that
    /// is given back meanwhile shortens it. Whether there was one.
    fn throttle(&mut self) -> bool {
        let engine = self.engine.clone();
        if engine.config.tail.when_full != WhenFull::Throttle {
            return false;
        }
        let (lane, board, began) = (self.lane(), &engine.media.board, engine.env.now());
        let (half, mut paused) = (board.slots() / 2, false);
        loop {
            let taken = (0..board.slots()).filter(|slot| board.slot_first(lane, *slot).is_some()).count();
            let share = taken.saturating_sub(half) as f64 / half as f64;
            let pause = Duration::from_millis(engine.config.tail.full_wait_ms_max).mul_f64(share / 8.0);
            if engine.env.now() - began >= pause || engine.stop.is_signalled() {
                return paused;
            }
            paused = true;
            engine.env.sleep(LOOK_FOR_ROOM);
        }
    }

    /// Closes the batch, and covers every earlier frame of the lane, at `durability`. Returns when that is reached. With
    /// no batch open it does the same for what was committed before at a lower level.
    ///
    /// # Errors
    /// [`Error::Poisoned`]: whether the batch survives is known after the next open. [`Error::Closed`]: it does not.
    /// [`Error::NotKept`] for a level that this log cannot keep.
    #[inline(always)]
    pub fn commit(&mut self, durability: Durability) -> Result<Commit> {
        self.publish(durability)?;
        // Made where it is returned: a copy loads wider than what was stored, and that waits until the fence is over.
        if durability <= self.reached() {
            return Ok(self.committed());
        }
        self.engine.reach(self.committed(), durability)
    }

    /// Closes the batch for `durability`: what is left to be reached is not waited for.
    #[inline(always)]
    pub(crate) fn publish(&mut self, durability: Durability) -> Result<()> {
        if durability == Durability::Buffered {
            return self.commit_buffered();
        }
        self.engine.require(durability)?;
        self.stamp()
    }

    /// As [`commit`](Writer::commit), without waiting: the batch is closed and published, the ticket tells when
    /// `durability` is reached.
    ///
    /// # Errors
    /// As for [`commit`](Writer::commit), as far as they are known now.
    pub fn submit(&mut self, durability: Durability) -> Result<Ticket> {
        self.publish(durability)?;
        let commit = self.committed();
        if durability <= commit.reached {
            return Ok(Ticket::ready(&self.engine.env, commit));
        }
        self.engine.errands.put(&self.engine.env, commit, durability)
    }

    /// Takes the open batch back: none of its records will ever be read.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    pub fn abort(&mut self) -> Result<()> {
        let engine = self.engine.clone();
        let board = &engine.media.board;
        if !self.core().has_open_batch() {
            return Ok(());
        }
        engine.takes_commits(self.lane())?;
        if engine.visible_first() && self.core().has_unstamped() {
            // The stamp will cover the batches before this one too: what they depend on is stored before the abort.
            self.depend();
        }
        if self.core().abandon(board) { self.close_stamped() } else { Ok(()) }
    }

    /// Takes in an order that came about outside the log: whatever this writer commits from now on comes after `stamp`.
    ///
    /// # Errors
    /// [`Error::FarAhead`] beyond the configured lead, [`Error::Lost`] for a stamp that did not survive a crash.
    pub fn observe(&mut self, stamp: Stamp) -> Result<()> {
        let now = self.engine.order.clock().now_ns();
        let (lead_ms, lead_ms_max) =
            (stamp.gsn.0.saturating_sub(now) / 1_000_000, self.engine.config.lead_ms_max);
        if lead_ms > lead_ms_max || stamp.gsn > Gsn::MAX {
            return Err(Error::FarAhead { lead_ms, lead_ms_max });
        }
        self.engine.survived(stamp.end)?;
        self.core().observe(stamp.gsn);
        if stamp.end.epoch == self.engine.epoch {
            self.engine.media.hand_out(stamp.end.lane, stamp.end.lsn, stamp.gsn);
        } else {
            self.engine.order.saw(&self.engine.media.board, stamp.gsn);
        }
        Ok(())
    }

    fn commit_buffered(&mut self) -> Result<()> {
        let engine = self.engine.clone();
        let half = engine.media.geometry.batch_bytes_max() / 2;
        let core = self.core();
        if core.has_open_batch() {
            core.close_unstamped(&engine.media.board);
        }
        if core.unstamped_bytes() > half {
            return self.publish(Durability::Process);
        }
        engine.lane(self.lane()).check(self.lane())
    }

    /// Stamps and publishes whatever is not. In one function with its caller: each call saves registers, which are stores
    /// behind the fence.
    #[inline(always)]
    fn stamp(&mut self) -> Result<()> {
        let core = self.core.as_ref().expect("a writer has its lane until it is dropped");
        let nothing = !core.has_open_batch() && !core.has_unstamped();
        let visible_first = self.engine.visible_first();
        if visible_first || !core.has_pending() || self.engine.lane(core.lane()).is_poisoned() {
            self.engine.takes_commits(core.lane())?;
        }
        if nothing {
            return Ok(());
        }
        if visible_first {
            self.depend();
        }
        self.close_stamped()
    }

    /// Stores what the batch depends on, if anything, before it is visible.
    fn depend(&mut self) {
        let engine = self.engine.clone();
        let lane = self.lane();
        let mut deps = std::mem::take(&mut self.deps);
        engine.media.dependencies(lane, &mut deps);
        if !deps.is_empty() {
            let start = self.core().group_start();
            self.core().append_deps(&engine.media.board, &deps);
            engine.stability.depends(lane, start, &deps);
        }
        self.deps = deps;
    }

    #[inline(always)]
    fn close_stamped(&mut self) -> Result<()> {
        let engine = &*self.engine;
        let core = self.core.as_mut().expect("a writer has its lane until it is dropped");
        let state = engine.lane(core.lane());
        if !core.has_pending() {
            core.append_deps(&engine.media.board, &[]);
        }
        match core.close_stamped(&engine.media.board, &engine.order) {
            Ok(Some(_)) => {
                bump(&state.writer.commits, 1);
                state.check(core.lane())
            }
            Ok(None) => Err(engine.no_stamp()),
            Err(fault) => Err(faulted(state, core.lane(), &fault)),
        }
    }

    /// What the last batch survives without anybody's waiting.
    #[inline]
    fn reached(&self) -> Durability {
        let core = self.core.as_ref().expect("a writer has its lane until it is dropped");
        if core.has_unstamped() { Durability::Buffered } else { self.engine.kept_at_once() }
    }

    /// What was done last.
    #[inline]
    pub(crate) fn committed(&self) -> Commit {
        let core = self.core.as_ref().expect("a writer has its lane until it is dropped");
        let at = core.closed();
        let end = Position { epoch: self.engine.epoch, lane: core.lane(), lsn: at };
        Commit { at, stamp: Stamp { gsn: core.gsn(), end }, reached: self.reached() }
    }
}

#[cold]
#[inline(never)]
fn faulted(state: &LaneState, lane: Lane, fault: &Fault) -> Error {
    state.poison(&fault.to_string());
    state.error(lane)
}

impl<T: Tail> Drop for Writer<T> {
    /// Takes an open batch back and publishes what was committed as `Buffered`; then the lane is free.
    fn drop(&mut self) {
        let lane = self.lane();
        if let Err(error) = self.abort().and_then(|()| self.stamp()) {
            tracing::warn!(lane = lane.0, %error, "a writer was dropped and could not close its batch");
        }
        if let Some(mut core) = self.core.take() {
            if let Err(fault) = core.hand_over() {
                self.engine.lane(lane).poison(&fault.to_string());
            }
            self.engine.seats.give_back(lane, core);
        }
    }
}

/// Room for one record in the tail; its bytes are what was there before until they are written.
#[derive(Debug)]
pub struct Claim<'a, T: Tail = Mapped> {
    writer: &'a mut Writer<T>,
    stream: u32,
    len: usize,
}

impl<T: Tail> Claim<'_, T> {
    /// Appends the record as it stands.
    pub fn append(self) -> Lsn {
        let Claim { writer, stream, len } = self;
        let engine = writer.engine.clone();
        let core = writer.core();
        let lsn = core.append_claimed(&engine.media.board, stream, len);
        let counters = &engine.lane(core.lane()).writer;
        bump(&counters.appends, 1);
        bump(&counters.payload_bytes, len as u64);
        lsn
    }
}

impl<T: Tail> Deref for Claim<'_, T> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.writer.core.as_ref().map_or(&[], |core| core.claimed(self.len))
    }
}

impl<T: Tail> DerefMut for Claim<'_, T> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.writer.core().claim(len)
    }
}
