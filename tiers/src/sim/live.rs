//! What is under a world's lock: the model, the trace, and what no crash survives (locks, ranges, counters).
//!
//! Invariant: the model is the base with all events applied.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::event::Event;
use super::fault::Plan;
use super::model::Model;
use super::mutant::Mutant;
use super::reads::Reads;
use crate::nvme::FileName;
use crate::tail::ranges::Ranges;

/// A world, shared by its handles.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Live>);

impl Shared {
    pub(super) fn new(model: Arc<Model>) -> Arc<Shared> {
        Arc::new(Shared(Mutex::new(Live::new(model))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        // A test that panicked while it held the lock has failed already.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The world is frozen: nothing takes effect.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the simulated world is frozen")]
pub(super) struct Frozen;

#[derive(Debug)]
pub(super) struct Live {
    pub(super) base: Arc<Model>,
    pub(super) model: Arc<Model>,
    pub(super) events: Arc<Vec<Event>>,
    /// How many events there were before these.
    pub(super) forgotten: u64,
    pub(super) freeze_at: Option<u64>,
    /// What looks at a clock have added to the time since the world froze.
    pub(super) drift_ns: u64,
    threads: HashMap<ThreadId, u32>,
    pub(super) tails: Vec<TailLive>,
    /// Files open for writing.
    pub(super) locks: BTreeSet<u32>,
    /// Files by the address of their handle.
    pub(super) handles: HashMap<usize, u32>,
    pub(super) quotas: Vec<Option<u64>>,
    pub(super) plan: Plan,
    pub(super) reads: Option<Reads>,
}

/// A tail as the process that has it mapped sees it.
#[derive(Debug, Default)]
pub(super) struct TailLive {
    pub(super) held: bool,
    pub(super) ranges: Ranges,
    /// Pages that faulted: their memory is gone until the tail is opened again.
    pub(super) faulted: BTreeSet<u64>,
    /// Where an msync was refused: nothing of the tail is durable any more.
    pub(super) refused: Option<u64>,
}

impl Live {
    fn new(model: Arc<Model>) -> Live {
        Live {
            base: model.clone(),
            events: Arc::default(),
            forgotten: 0,
            freeze_at: None,
            drift_ns: 0,
            threads: HashMap::new(),
            tails: model.tails.iter().map(|_| TailLive::default()).collect(),
            locks: BTreeSet::new(),
            handles: HashMap::new(),
            quotas: vec![None; model.gone.len()],
            plan: Plan::none(),
            reads: None,
            model,
        }
    }

    /// Number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.forgotten + self.events.len() as u64 + 1
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.freeze_at.is_some_and(|at| self.next() >= at)
    }

    pub(super) fn check(&self) -> Result<(), Frozen> {
        if self.is_frozen() { Err(Frozen) } else { Ok(()) }
    }

    /// Makes something happen; its number.
    pub(super) fn emit(&mut self, event: Event) -> Result<u64, Frozen> {
        self.check()?;
        let number = self.next();
        self.model_mut().apply(number, &event);
        Arc::make_mut(&mut self.events).push(event);
        Ok(number)
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.model.options.mutant == Some(mutant)
    }

    /// The calling thread's number.
    pub(super) fn thread(&mut self) -> u32 {
        super::thread::given().unwrap_or_else(|| {
            let next = super::thread::FIRST_FREE + self.threads.len() as u32;
            *self.threads.entry(std::thread::current().id()).or_insert(next)
        })
    }

    /// Starts the trace anew.
    pub(super) fn forget(&mut self) {
        self.forgotten += self.events.len() as u64;
        self.base = self.model.clone();
        self.events = Arc::default();
    }

    fn model_mut(&mut self) -> &mut Model {
        Arc::make_mut(&mut self.model)
    }

    /// Lands what a killed process left under way, as far as it is due.
    pub(super) fn land_due(&mut self) -> Result<(), Frozen> {
        loop {
            let now_ns = self.model.clock.now_ns;
            let Some(write) = self.model.late.iter().find(|late| late.due_ns <= now_ns).map(|it| it.write)
            else {
                return Ok(());
            };
            self.emit(Event::Landed { write })?;
        }
    }

    /// The file that a name stands for, noted as looked at.
    pub(super) fn look_up(&mut self, nvme: u32, name: FileName) -> Option<u32> {
        if let Some(reads) = &mut self.reads {
            reads.names(&self.model, nvme, Some(name));
        }
        self.model.named(nvme, name)
    }
}
