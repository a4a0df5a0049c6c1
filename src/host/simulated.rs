//! A host in a simulated world: the engine runs on it unchanged, on one thread, and the same seed runs it in the same way.
//!
//! Background work is done a turn at a time, whenever somebody waits: which of those that are due goes first is drawn.
//! Nothing is interrupted in the middle of a call; what threads do to each other there is for models of another kind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tierlog_numa::Node;
use tierlog_tiers::clock::Clock;
use tierlog_tiers::nvme::{FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::sim::{SimTail, World, as_thread};
use tierlog_tiers::tail::{MapError, TailRead};

use super::{Bell, Env, Host, Running, Worker};
use crate::config::{ArchiveConfig, Config, TailPlace};
use crate::error::{Error, Result};
use crate::number::{Incarnation, LogId};
use crate::open::map_error;

/// What a look at the time adds to it.
const TICK_NS: u64 = 1_000;
/// Workers act as threads from this number on; those below are the caller's.
const FIRST_WORKER: u32 = 500;
/// Turns in which a worker that was told to end must have ended.
const LAST_TURNS: u32 = 100_000;

/// One process of one host in a [`World`].
#[derive(Debug)]
pub struct Simulation {
    host: u32,
    process: Arc<Process>,
}

/// What its workers share with it.
#[derive(Debug)]
struct Process {
    world: World,
    /// Since it began, in nanoseconds.
    now_ns: AtomicU64,
    schedule: Mutex<Schedule>,
}

#[derive(Debug)]
struct Schedule {
    random: u64,
    slots: Vec<Slot>,
}

/// A worker's place; empty while it is at work.
struct Slot {
    name: String,
    worker: Option<Box<dyn Worker>>,
    bell: Arc<Bell>,
    heard: u64,
    due_ns: u64,
    ended: bool,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("name", &self.name).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Slot {
    fn is_due(&self, now_ns: u64) -> bool {
        self.worker.is_some() && (self.due_ns <= now_ns || self.bell.rung() > self.heard)
    }
}

impl Simulation {
    /// A process on the world's host `host`, which has the directory of that number and one tail for each of the log's
    /// places, those of lower hosts left out; `seed` decides its schedule and its identities.
    pub fn new(world: &World, host: u32, seed: u64) -> Arc<Self> {
        let schedule = Mutex::new(Schedule { random: seed, slots: Vec::new() });
        let process = Process { world: world.clone(), now_ns: AtomicU64::new(0), schedule };
        Arc::new(Simulation { host, process: Arc::new(process) })
    }

    /// The world it lives in.
    pub fn world(&self) -> &World {
        &self.process.world
    }

    /// Lets background work that is due now have one turn; false if none is.
    pub fn turn(&self) -> bool {
        self.process.turn()
    }

    fn number(&self, config: &Config, place: &TailPlace) -> u32 {
        let places = config.tail_places();
        let at = places.iter().position(|other| other.path == place.path).unwrap_or(0);
        self.host * places.len() as u32 + at as u32
    }
}

impl Process {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) -> u64 {
        self.now_ns.fetch_add(TICK_NS, Ordering::Relaxed) + TICK_NS
    }

    /// Lets time pass.
    fn pass(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Ordering::Relaxed);
        self.world.step(ns);
    }

    fn turn(&self) -> bool {
        let now_ns = self.now_ns.load(Ordering::Relaxed);
        let next = {
            let mut schedule = self.schedule();
            let due: Vec<usize> =
                (0..schedule.slots.len()).filter(|at| schedule.slots[*at].is_due(now_ns)).collect();
            match due.len() {
                0 => None,
                count => Some(due[(schedule.draw() % count as u64) as usize]),
            }
        };
        next.is_some_and(|at| self.turn_of(at))
    }

    /// One turn of the worker in a slot, if it is not at work already; whether it had one.
    fn turn_of(&self, at: usize) -> bool {
        let (mut worker, heard) = {
            let slot = &mut self.schedule().slots[at];
            match slot.worker.take() {
                Some(worker) => (worker, slot.bell.rung()),
                None => return false,
            }
        };
        let rest = as_thread(FIRST_WORKER + at as u32, || worker.turn());
        let now_ns = self.now_ns.load(Ordering::Relaxed);
        let slot = &mut self.schedule().slots[at];
        slot.heard = heard;
        match rest {
            Some(rest) => {
                slot.due_ns = now_ns.saturating_add(rest.as_nanos() as u64);
                slot.worker = Some(worker);
            }
            None => slot.ended = true,
        }
        true
    }

    /// Until when nobody has anything to do.
    fn next_due_ns(&self) -> u64 {
        let schedule = self.schedule();
        let due = schedule.slots.iter().filter(|slot| slot.worker.is_some()).map(|slot| slot.due_ns);
        due.min().unwrap_or(u64::MAX)
    }

    fn wait(&self, how_long: Duration, is_over: impl Fn() -> bool) {
        let mut now_ns = self.tick();
        let until_ns = now_ns.saturating_add(how_long.as_nanos() as u64);
        while now_ns < until_ns && !is_over() {
            if !self.turn() {
                self.pass(self.next_due_ns().clamp(now_ns, until_ns) - now_ns);
            }
            now_ns = self.tick();
        }
    }

    /// When the worker in a slot goes on; `None` when it has ended.
    fn due_ns(&self, at: usize) -> Option<u64> {
        let slot = &self.schedule().slots[at];
        (!slot.ended).then_some(slot.due_ns)
    }
}

impl Schedule {
    /// splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut drawn = self.random;
        drawn = (drawn ^ drawn >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ drawn >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^ drawn >> 31
    }
}

/// A worker in a schedule.
struct Scheduled {
    process: Arc<Process>,
    at: usize,
}

impl Running for Scheduled {
    fn join(self: Box<Self>) {
        for _ in 0..LAST_TURNS {
            self.process.turn_of(self.at);
            let Some(due_ns) = self.process.due_ns(self.at) else { return };
            self.process.pass(due_ns.saturating_sub(self.process.tick()));
        }
        panic!("{:?} does not end", self.process.schedule().slots[self.at]);
    }
}

impl Env for Simulation {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.process.tick())
    }

    fn sleep(&self, how_long: Duration) {
        self.process.wait(how_long, || false);
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        self.process.wait(how_long, || bell.rung() > heard);
    }

    fn random(&self, into: &mut [u8]) {
        let mut schedule = self.process.schedule();
        into.chunks_mut(8)
            .for_each(|part| part.copy_from_slice(&schedule.draw().to_le_bytes()[..part.len()]));
    }

    fn threads(&self) -> usize {
        1
    }
}

impl Host for Simulation {
    type Tail = SimTail;

    fn boot_id(&self) -> Result<[u8; 16]> {
        Ok(self.world().boot_id())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.world().clock(self.host)
    }

    fn nvme_files(&self, _: &Config) -> Result<Vec<FileName>> {
        self.world().nvme(self.host).files().map_err(Error::io("the simulated directory"))
    }

    fn nvme(&self, _: &Config) -> Result<Arc<dyn Nvme>> {
        Ok(self.world().nvme(self.host))
    }

    fn view_tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<dyn TailRead>>> {
        match self.world().view_tail(self.number(config, place)) {
            Ok(tail) => Ok(Some(tail)),
            Err(MapError::Missing { .. }) => Ok(None),
            Err(error) => Err(map_error(config, error)),
        }
    }

    fn tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<SimTail>>> {
        match self.world().open_tail(self.number(config, place)) {
            Ok(tail) => Ok(Some(tail)),
            Err(MapError::Missing { .. }) => Ok(None),
            Err(error) => Err(map_error(config, error)),
        }
    }

    fn new_tail(&self, config: &Config, place: &TailPlace, bytes: u64) -> Result<Arc<SimTail>> {
        let number = self.number(config, place);
        self.world().remove_tail(number);
        self.world().create_tail(number, bytes).map_err(|error| map_error(config, error))
    }

    fn objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        Ok((!config.address.is_empty()).then(|| self.world().objects()))
    }

    fn sign(&self, _: &Config, _: &dyn Nvme) -> Result<()> {
        Ok(())
    }

    fn owner(&self, _: &Config) -> String {
        "a simulated process".into()
    }

    fn board(&self, config: &Config, _: LogId, _: Incarnation, words: usize) -> Result<Page> {
        Page::heap(words).map_err(|error| map_error(config, error))
    }

    fn drop_board(&self, _: &Config, _: LogId, _: Incarnation) {}

    fn leave(&self, _: &Config) {}

    fn node_of(&self, _: &TailPlace) -> Option<Node> {
        None
    }

    fn here(&self) -> Node {
        Node(0)
    }

    fn start(&self, name: String, _: Option<Node>, worker: Box<dyn Worker>) -> Result<Box<dyn Running>> {
        let mut schedule = self.process.schedule();
        let (bell, at) = (worker.bell(), schedule.slots.len());
        schedule.slots.push(Slot { name, worker: Some(worker), bell, heard: 0, due_ns: 0, ended: false });
        Ok(Box::new(Scheduled { process: self.process.clone(), at }))
    }
}
