//! The handle to a world.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::clock::SimClock;
use super::crash::{Crash, Point};
use super::event::Event;
use super::fault::Plan;
use super::image::hash_words;
use super::live::{Frozen, Shared};
use super::model::Model;
use super::nvme::SimNvme;
use super::objects::SimObjects;
use super::options::WorldOptions;
use super::reads::{Place, Reads};
use super::tail::SimTail;
use super::trace::Trace;
use super::view::SimTailView;
use crate::nvme::FileName;
use crate::object::{Counter, Name, Objects};
use crate::tail::MapError;

/// Everything that survives a crash, in one of the forms that it may: tails, directories, objects, clocks, a boot id.
///
/// A clone is another handle to the same world. Whatever happens in it is an event, and all events are in one order.
/// Several owners (processes, or hosts) may live in one world: they share its locks, and each takes its own tails and
/// directories or races for the same ones.
#[derive(Clone)]
pub struct World(pub(super) Arc<Shared>);

impl World {
    /// A world in which nothing has happened, no tail or file is there.
    pub fn new(options: &WorldOptions) -> World {
        World::of(Arc::new(Model::new(options)))
    }

    pub(super) fn of(model: Arc<Model>) -> World {
        World(Shared::new(model))
    }

    /// Creates a tail of `bytes` zeros, a multiple of 4,096, and holds it as its owner.
    ///
    /// # Errors
    /// [`MapError::Exists`], [`MapError::Foreign`] for a length that none has.
    ///
    /// # Panics
    /// As all functions here, if the world has no place of that number.
    pub fn create_tail(&self, number: u32, bytes: u64) -> Result<Arc<SimTail>, MapError> {
        SimTail::create(&self.0, number, bytes)
    }

    /// Opens a tail as its owner.
    ///
    /// # Errors
    /// [`MapError::Missing`]; [`MapError::Held`].
    pub fn open_tail(&self, number: u32) -> Result<Arc<SimTail>, MapError> {
        SimTail::open(&self.0, number)
    }

    /// Opens a tail for reading, whoever owns it.
    ///
    /// # Errors
    /// As for [`open_tail`](World::open_tail), never `Held`.
    pub fn view_tail(&self, number: u32) -> Result<Arc<SimTailView>, MapError> {
        SimTailView::open(&self.0, number)
    }

    /// Removes a tail, if it is there: durably.
    pub fn remove_tail(&self, number: u32) {
        self.happen(Event::TailRemove { tail: number });
    }

    /// A directory.
    pub fn nvme(&self, number: u32) -> Arc<SimNvme> {
        assert!((number as usize) < self.0.lock().model.gone.len(), "there is no directory {number}");
        Arc::new(SimNvme { world: self.0.clone(), number })
    }

    /// A client of the object store.
    pub fn objects(&self) -> Arc<dyn Objects> {
        Arc::new(SimObjects { world: self.0.clone(), counter: Counter::default() })
    }

    /// The clock of a host.
    pub fn clock(&self, host: u32) -> Arc<SimClock> {
        assert!((host as usize) < self.0.lock().model.clock.hosts.len(), "there is no host {host}");
        Arc::new(SimClock { world: self.0.clone(), host })
    }

    /// The boot id: another one after a power cut, the same after a kill.
    pub fn boot_id(&self) -> [u8; 16] {
        hash_words(&[self.0.lock().model.boot]).to_le_bytes()
    }

    /// Records what a test wants to find in the trace: an acknowledgement, say. `false` in a frozen world, where nothing
    /// is acknowledged any more.
    pub fn note(&self, text: impl Into<Arc<str>>) -> bool {
        self.happen(Event::Note { text: text.into() })
    }

    /// Lets time pass, for all hosts; what was due lands.
    pub fn step(&self, ns: u64) {
        let live = &mut *self.0.lock();
        let _frozen: Result<(), Frozen> = live.emit(Event::Step { ns }).and_then(|_| live.land_due());
    }

    /// Sets a host's clock forward or back.
    pub fn jump(&self, host: u32, ns: i64) {
        self.happen(Event::Jump { host, ns });
    }

    /// Sets whether a host's clock is close to UTC by its own account.
    pub fn trust(&self, host: u32, trusted: bool) {
        self.happen(Event::Trust { host, trusted });
    }

    /// Poisons a range of a tail: who touches it faults, in this and every later life of the world.
    pub fn poison(&self, tail: u32, range: Range<u64>) {
        self.happen(Event::Poison { tail, at: range.start, len: range.end - range.start });
    }

    /// Flips a bit of a file, on the medium.
    ///
    /// # Panics
    /// If there is no such file, or no such bit.
    pub fn rot(&self, nvme: u32, name: FileName, bit: u64) {
        let file = self.0.lock().model.named(nvme, name).expect("a file to rot");
        self.happen(Event::Rot { file, bit });
    }

    /// Takes a directory's device away: every operation is an I/O error.
    pub fn take_away(&self, nvme: u32) {
        self.happen(Event::Gone { nvme, gone: true });
    }

    /// Gives a directory's device back, with everything that was on it.
    pub fn come_back(&self, nvme: u32) {
        self.happen(Event::Gone { nvme, gone: false });
    }

    /// Bounds the bytes of all files of a directory: creations beyond are `StorageFull`.
    pub fn quota(&self, nvme: u32, bytes: Option<u64>) {
        self.0.lock().quotas[nvme as usize] = bytes;
    }

    /// Puts an object into the store, or takes it out, past all rules: what somebody else did.
    pub fn set_object(&self, name: Name, body: Option<&[u8]>) {
        self.happen(Event::ObjectSet { name, body: body.map(Into::into) });
    }

    /// Which operations fail from now on.
    pub fn fail(&self, plan: Plan) {
        self.0.lock().plan = plan;
    }

    /// How many faults the plan has injected so far, by operation and kind.
    pub fn faults(&self) -> BTreeMap<String, u64> {
        self.0.lock().plan.injected().clone()
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.0.lock().next() - 1
    }

    /// Event number `event`, and whatever comes after it, does not happen: stores go nowhere and everything that could
    /// fail fails, so that whoever is at work comes to an end. Reads and clocks go on. Then [`crash`](World::crash).
    pub fn freeze_at(&self, event: u64) {
        self.0.lock().freeze_at = Some(event);
    }

    /// [`freeze_at`](World::freeze_at) the next event.
    pub fn freeze(&self) {
        let live = &mut *self.0.lock();
        live.freeze_at = Some(live.next());
    }

    /// Whether anything can happen no more.
    pub fn is_frozen(&self) -> bool {
        self.0.lock().is_frozen()
    }

    /// What a crash at this moment may leave.
    pub fn crash(&self, crash: Crash) -> Point {
        let trace = self.trace();
        let (model, at) = (self.0.lock().model.clone(), trace.events.len());
        Point::new(crash, model, trace, at)
    }

    /// Everything that happened so far.
    pub fn trace(&self) -> Trace {
        let live = self.0.lock();
        Trace { base: live.base.clone(), first: live.forgotten + 1, events: live.events.clone() }
    }

    /// Forgets what happened so far, and keeps what it led to: the trace begins anew, its numbers go on. For long runs.
    pub fn forget(&self) {
        self.0.lock().forget();
    }

    /// Notes from now on what is read of what came over from before the crash.
    pub(super) fn record_reads(&self) {
        self.0.lock().reads = Some(Reads::default());
    }

    pub(super) fn reads(&self) -> Vec<Place> {
        self.0.lock().reads.as_ref().map(|reads| reads.order.clone()).unwrap_or_default()
    }

    fn happen(&self, event: Event) -> bool {
        self.0.lock().emit(event).is_ok()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("events", &self.events()).finish_non_exhaustive()
    }
}
