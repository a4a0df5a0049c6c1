//! A simulated tail.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::event::{Event, Stored};
use super::lane::SimLane;
use super::live::{Frozen, Live, Shared};
use super::model::Made;
use super::mutant::Mutant;
use super::options::Tearing;
use super::view::{PAGE_BYTES, SimTailView, length};
use crate::tail::{Fault, MapError, RangeTaken, Tail, TailMedium, TailRead};

/// A simulated tail, mapped and locked by its owner: [`World::open_tail`](super::World::open_tail).
pub struct SimTail {
    pub(super) view: SimTailView,
    pub(super) medium: TailMedium,
    /// How a plain store is torn.
    pub(super) plain: Stored,
    crossover: usize,
    mutant: Option<Mutant>,
}

pub(super) fn path(number: u32) -> String {
    format!("sim/tail{number}")
}

impl SimTail {
    pub(super) fn create(world: &Arc<Shared>, number: u32, len: u64) -> Result<Arc<SimTail>, MapError> {
        let mut live = world.lock();
        if len == 0 || !len.is_multiple_of(PAGE_BYTES) {
            let why = "a simulated tail's length is a multiple of 4,096, and not 0";
            return Err(MapError::Foreign { path: path(number), why });
        }
        if live.model.tails[number as usize].made != Made::No {
            return Err(MapError::Exists { path: path(number) });
        }
        let frozen = |_| frozen_map(number, "create");
        live.emit(Event::TailCreate { tail: number, len }).map_err(frozen)?;
        live.emit(Event::TailCreated { tail: number }).map_err(frozen)?;
        Ok(SimTail::hold(world, &mut live, number, len))
    }

    pub(super) fn open(world: &Arc<Shared>, number: u32) -> Result<Arc<SimTail>, MapError> {
        let mut live = world.lock();
        if live.is_frozen() {
            return Err(frozen_map(number, "open"));
        }
        let len = length(&mut live, number)?;
        if live.tails[number as usize].held && !live.is(Mutant::OpenWithoutLock) {
            return Err(MapError::Held { path: path(number), waited_ms: 0 });
        }
        Ok(SimTail::hold(world, &mut live, number, len))
    }

    fn hold(world: &Arc<Shared>, live: &mut Live, number: u32, len: u64) -> Arc<SimTail> {
        let tail = &mut live.tails[number as usize];
        tail.held = true;
        tail.faulted.clear();
        tail.refused = None;
        let options = &live.model.options.tails[number as usize];
        let plain = match options.tearing {
            Tearing::Words => Stored::Words,
            Tearing::Shuffled => Stored::Shuffled,
            Tearing::Bytes => Stored::Bytes,
        };
        Arc::new(SimTail {
            view: SimTailView { world: world.clone(), number, len },
            medium: options.medium,
            plain,
            crossover: options.crossover,
            mutant: live.model.options.mutant,
        })
    }

    /// Stores by the calling thread, where there is memory.
    pub(super) fn store(&self, at: u64, bytes: &[u8], how: Stored) {
        let live = &mut *self.view.world.lock();
        let thread = live.thread();
        for (at, part) in self.view.parts_there(live, at, bytes.len()) {
            let bytes: Arc<[u8]> = bytes[part].into();
            if let Some(reads) = &mut live.reads {
                reads.tail_stored(self.view.number, at, bytes.len() as u64);
            }
            let store = Event::Store { thread, tail: self.view.number, at, bytes, how };
            // A frozen world takes nothing in, quietly: the fence will say so.
            let _frozen = live.emit(store);
        }
    }

    /// The bytes as they stand, faults aside.
    pub(super) fn peek(&self, at: u64, out: &mut [u8]) {
        self.view.world.lock().model.tails[self.view.number as usize].visible.read(at, out);
    }

    /// Notes that the range is read through a slice.
    pub(super) fn load(&self, at: u64, len: u64) {
        let live = &mut *self.view.world.lock();
        if let Some(reads) = &mut live.reads {
            reads.tail(self.view.number, at, len);
        }
        self.view.touch(live, at, len);
    }

    /// Whether durability goes by cache line and fence.
    pub(super) fn by_line(&self) -> bool {
        matches!(self.medium, TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated)
    }

    pub(super) fn flush(&self, at: u64, len: u64) {
        let mut live = self.view.world.lock();
        let thread = live.thread();
        let _frozen = live.emit(Event::Flush { thread, tail: self.view.number, at, len });
    }

    /// The calling thread's fence; faults of `of` are told.
    pub(super) fn fence(&self, of: Range<u64>) -> Result<(), Fault> {
        let mut live = self.view.world.lock();
        let (thread, streams) = (live.thread(), !live.is(Mutant::StreamNotFenced));
        let done = live.emit(Event::Fence { thread, streams }).map(drop);
        self.answer(&live, of, done)
    }

    pub(super) fn sync(&self, of: Range<u64>, at: u64, len: u64) -> Result<(), Fault> {
        let live = &mut *self.view.world.lock();
        let tail = &mut live.tails[self.view.number as usize];
        if len > 0 && tail.refused.is_none() && live.plan.sync() {
            tail.refused = Some(at);
        }
        let done = match (len, tail.refused) {
            (0, _) | (_, Some(_)) => live.check(),
            _ => live.emit(Event::Sync { tail: self.view.number, at, len }).map(drop),
        };
        self.answer(live, of, done)
    }

    /// No event, and what there is to say of faults.
    pub(super) fn look(&self, of: Range<u64>) -> Result<(), Fault> {
        let live = self.view.world.lock();
        self.answer(&live, of, live.check())
    }

    fn answer(&self, live: &Live, of: Range<u64>, done: Result<(), Frozen>) -> Result<(), Fault> {
        if let Err(frozen) = done {
            return Err(Fault { path: format!("{}: {frozen}", path(self.view.number)), at: 0 });
        }
        let tail = &live.tails[self.view.number as usize];
        let pages = of.start / PAGE_BYTES..of.end.div_ceil(PAGE_BYTES);
        let faulted = tail.faulted.range(pages).next().map(|page| page * PAGE_BYTES);
        match tail.refused.or(faulted) {
            Some(at) if !live.is(Mutant::FaultSilent) => Err(self.view.fault(at)),
            _ => Ok(()),
        }
    }

    fn persist_range(&self, at: u64, len: u64) -> Result<(), Fault> {
        if self.by_line() {
            self.flush(at, len);
            self.fence(at..at + len)
        } else {
            self.sync(at..at + len, at, len)
        }
    }

    /// Gives a lane's range back.
    pub(super) fn give_back(&self, at: u64) {
        self.view.world.lock().tails[self.view.number as usize].ranges.give_back(at);
    }

    /// Whether the lane at `at` is the first of those that are out.
    pub(super) fn is_first_lane(&self, at: u64) -> bool {
        !self.view.world.lock().tails[self.view.number as usize].ranges.overlaps(0, at)
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn crossover(&self) -> usize {
        if self.by_line() { self.crossover } else { usize::MAX }
    }
}

fn frozen_map(number: u32, doing: &'static str) -> MapError {
    MapError::Io { path: path(number), doing, source: std::io::Error::other(Frozen) }
}

impl TailRead for SimTail {
    fn len(&self) -> u64 {
        self.view.len
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.view.read(at, out)
    }
}

impl Tail for SimTail {
    type Lane = SimLane;

    fn medium(&self) -> TailMedium {
        self.medium
    }

    fn describe(&self) -> String {
        format!("SIMULATED {}: {:?}", path(self.view.number), self.medium)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.view.check(at, bytes.len() as u64);
        let len = bytes.len() as u64;
        let taken = self.view.world.lock().tails[self.view.number as usize].ranges.overlaps(at, at + len);
        assert!(!taken, "write into a live lane at {at}");
        self.store(at, bytes, self.plain);
        if self.is(Mutant::ColdWriteNotPersisted) {
            self.look(at..at + len)
        } else {
            self.persist_range(at, len)
        }
    }

    fn persist(&self, at: u64, len: u64) -> Result<(), Fault> {
        self.view.check(at, len);
        if self.is(Mutant::PersistDoesNothing) {
            self.look(at..at + len)
        } else {
            self.persist_range(at, len)
        }
    }

    fn lane(self: &Arc<Self>, at: u64, len: u64) -> Result<SimLane, RangeTaken> {
        let mut live = self.view.world.lock();
        let twice = live.is(Mutant::RangeTwice);
        let taken = live.tails[self.view.number as usize].ranges.take(at, len, self.view.len);
        if !twice {
            taken?;
        }
        drop(live);
        Ok(SimLane::new(self.clone(), at, len as usize))
    }
}

impl Drop for SimTail {
    fn drop(&mut self) {
        self.view.world.lock().tails[self.view.number as usize].held = false;
    }
}

impl fmt::Debug for SimTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimTail").field(&self.describe()).finish()
    }
}
