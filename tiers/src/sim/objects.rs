//! A simulated object store.

use std::fmt;
use std::sync::Arc;

use super::event::{Change, Event};
use super::fault::{ObjectFault, ObjectOperation};
use super::live::{Frozen, Live, Shared};
use super::mutant::Mutant;
use crate::object::{Counter, Counts, Created, DataName, Name, OBJECT_BYTES_MAX, ObjectError, Objects};

const STORE: &str = "sim/objects";

/// A simulated object store: [`World::objects`](super::World::objects).
pub struct SimObjects {
    pub(super) world: Arc<Shared>,
    pub(super) counter: Counter,
}

fn unavailable(cause: impl fmt::Display) -> ObjectError {
    ObjectError::Unavailable { store: STORE.into(), cause: cause.to_string() }
}

fn refused(cause: &str) -> ObjectError {
    ObjectError::Refused { store: STORE.into(), cause: cause.into() }
}

/// What the store answered to a change: whether it took, and what stood there before.
struct Answer {
    took: bool,
    before: Option<Arc<[u8]>>,
}

/// What comes before every operation: requests that are due are applied, a fault is drawn.
fn enter(live: &mut Live, operation: ObjectOperation) -> Result<Option<ObjectFault>, ObjectError> {
    apply_due(live).map_err(unavailable)?;
    live.check().map_err(unavailable)?;
    match live.plan.object(operation) {
        Some(ObjectFault::Refused) => Err(refused("not allowed")),
        Some(ObjectFault::ErrorBefore | ObjectFault::Away(_)) => {
            Err(unavailable("an error before anything was done"))
        }
        fault => Ok(fault),
    }
}

fn apply_due(live: &mut Live) -> Result<(), Frozen> {
    loop {
        let objects = &live.model.objects;
        let is_due = |due: u64| due <= objects.operations + 1;
        let due = objects.requests.iter().find(|(_, request)| request.due.is_some_and(is_due));
        let Some(request) = due.map(|(request, _)| *request) else { return Ok(()) };
        live.emit(Event::ObjectApply { request, blindly: false })?;
    }
}

impl SimObjects {
    /// Makes a change, as its fault says.
    fn change(&self, operation: ObjectOperation, name: Name, change: Change) -> Result<Answer, ObjectError> {
        let live = &mut *self.world.lock();
        let fault = enter(live, operation)?;
        if let Some(reads) = &mut live.reads {
            reads.object(name);
        }
        let before = live.model.objects.body(name);
        let blindly = match change {
            Change::Create(_) => live.is(Mutant::CreateOverwrites),
            Change::Replace { .. } => live.is(Mutant::ReplaceBlind),
            Change::Put(_) | Change::Delete => false,
        };
        let early = matches!(change, Change::Create(_) | Change::Put(_)) && live.is(Mutant::CreateEarly);
        let took = blindly || change.takes(before.as_deref());
        let request = live.emit(Event::ObjectBegin { name, change: change.clone() }).map_err(unavailable)?;
        let later = |live: &Live, operations| Some(live.model.objects.operations + operations);
        if let Some(ObjectFault::Late(operations)) = fault {
            let late = later(live, operations);
            end(live, request, "no answer, applied later", late)?;
            return Err(unavailable("no answer in time"));
        }
        if early {
            let late = later(live, 2);
            end(live, request, "done, applied later", late)?;
            return Ok(Answer { took, before });
        }
        live.emit(Event::ObjectApply { request, blindly }).map_err(unavailable)?;
        if fault == Some(ObjectFault::LostAnswer) {
            end(live, request, "answer lost", None)?;
            return Err(unavailable("the answer was lost"));
        }
        let mut answer = Answer { took, before };
        if fault == Some(ObjectFault::Duplicate) {
            let before = live.model.objects.body(name);
            answer = Answer { took: change.takes(before.as_deref()), before };
            live.emit(Event::ObjectApply { request, blindly }).map_err(unavailable)?;
        }
        end(live, request, if answer.took { "done" } else { "not done: a conflict" }, None)?;
        Ok(answer)
    }

    /// A request that changes nothing; `look` finds its answer.
    fn look<T>(
        &self,
        operation: ObjectOperation,
        text: impl fmt::Display,
        look: impl FnOnce(&mut Live, Option<ObjectFault>) -> T,
    ) -> Result<T, ObjectError> {
        let live = &mut *self.world.lock();
        let fault = enter(live, operation)?;
        let text = text.to_string().into();
        live.emit(Event::ObjectLook { text }).map_err(unavailable)?;
        let found = look(live, fault);
        match fault {
            Some(ObjectFault::LostAnswer | ObjectFault::Late(_)) => Err(unavailable("the answer was lost")),
            _ => Ok(found),
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.world.lock().is(mutant)
    }
}

fn end(live: &mut Live, request: u64, answer: &'static str, late: Option<u64>) -> Result<(), ObjectError> {
    live.emit(Event::ObjectEnd { request, answer, late }).map(drop).map_err(unavailable)
}

fn checked(body: &[u8]) -> Result<Arc<[u8]>, ObjectError> {
    if body.len() > OBJECT_BYTES_MAX { Err(refused("an object too large")) } else { Ok(body.into()) }
}

impl Objects for SimObjects {
    fn create(&self, name: Name, body: &[u8]) -> Result<Created, ObjectError> {
        self.counter.put(body.len());
        let change = Change::Create(checked(body)?);
        let Answer { took, before } = self.change(ObjectOperation::Create, name, change)?;
        // A conflict is settled as a client does: by reading back.
        match before.filter(|_| !took) {
            Some(before) if *before == *body && self.is(Mutant::LostAnswerRefused) => {
                Err(refused("there is such an object"))
            }
            Some(before) if *before != *body && !self.is(Mutant::ConflictIsOurs) => {
                Ok(Created::Taken(before.to_vec()))
            }
            _ => Ok(Created::Ours),
        }
    }

    fn put(&self, name: Name, body: Arc<[u8]>) -> Result<(), ObjectError> {
        self.counter.put(body.len());
        checked(&body)?;
        self.change(ObjectOperation::Put, name, Change::Put(body)).map(drop)
    }

    fn replace(&self, name: Name, old: Option<&[u8]>, new: &[u8]) -> Result<bool, ObjectError> {
        self.counter.get();
        self.counter.put(new.len());
        let Some(old) = old else { return Ok(self.create(name, new)? == Created::Ours) };
        let change = Change::Replace { old: old.into(), new: checked(new)? };
        self.change(ObjectOperation::Replace, name, change).map(|answer| answer.took)
    }

    fn read(&self, name: Name, bytes_max: Option<usize>) -> Result<Option<Vec<u8>>, ObjectError> {
        self.counter.get();
        let found = self.look(ObjectOperation::Read, format_args!("read {name}"), |live, _| {
            if let Some(reads) = &mut live.reads {
                reads.object(name);
            }
            let newest = live.model.objects.objects.range(..=Name::Number(u64::MAX)).next_back();
            let stale = live.is(Mutant::ObjectStale) && newest.is_some_and(|(newest, _)| *newest == name);
            live.model.objects.body(name).filter(|_| !stale)
        })?;
        let bytes = found.map(|body| body[..body.len().min(bytes_max.unwrap_or(usize::MAX))].to_vec());
        self.counter.received(bytes.as_ref().map_or(0, Vec::len));
        Ok(bytes)
    }

    fn delete(&self, name: Name) -> Result<(), ObjectError> {
        self.counter.delete();
        self.change(ObjectOperation::Delete, name, Change::Delete).map(drop)
    }

    fn list(&self, epoch: u32, incarnation: u64, from: u64) -> Result<Vec<DataName>, ObjectError> {
        self.counter.list();
        let text = format!("list {epoch}-{incarnation:x} from {from}");
        self.look(ObjectOperation::List, text, |live, fault| {
            if let Some(reads) = &mut live.reads {
                reads.object_list();
            }
            let lag = if let Some(ObjectFault::Lagging(operations)) = fault { operations } else { 0 };
            let objects = &live.model.objects;
            let old = objects.objects.iter().filter(|(_, it)| it.made + lag <= objects.operations);
            let data =
                old.filter_map(|(name, _)| if let Name::Data(data) = name { Some(*data) } else { None });
            data.filter(|data| (data.epoch, data.incarnation) == (epoch, incarnation) && data.number >= from)
                .collect()
        })
    }

    fn probe(&self, racers: u32) -> Result<bool, ObjectError> {
        (0..racers).for_each(|_| self.counter.put(4));
        self.look(ObjectOperation::Probe, "probe", |live, _| live.model.options.objects.fences)
    }

    fn counts(&self) -> Counts {
        self.counter.counts()
    }

    fn describe(&self) -> String {
        let survives = if self.machine_safe() { "survives the machine" } else { "of this machine" };
        format!("SIMULATED {STORE}: {survives}")
    }

    fn machine_safe(&self) -> bool {
        self.world.lock().model.options.objects.machine_safe
    }
}

impl fmt::Debug for SimObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimObjects")
    }
}
