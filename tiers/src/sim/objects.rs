//! A simulated object store.

use std::fmt;
use std::sync::Arc;

use super::event::Event;
use super::fault::{ObjectFault, ObjectOperation};
use super::live::{Frozen, Live, Shared};
use super::mutant::Mutant;
use crate::object::{Counts, Created, DataName, Name, OBJECT_BYTES_MAX, ObjectError, Objects};

const STORE: &str = "sim/objects";
/// The simulation knows objects of the sequence; nothing is large or old enough there for others.
const NUMBERS_ONLY: &str = "only objects of the sequence are simulated";

/// A simulated object store: [`World::objects`](super::World::objects).
#[derive(Clone)]
pub struct SimObjects {
    pub(super) world: Arc<Shared>,
}

fn unavailable(cause: impl fmt::Display) -> ObjectError {
    ObjectError::Unavailable { store: STORE.into(), cause: cause.to_string() }
}

fn refused(cause: &str) -> ObjectError {
    ObjectError::Refused { store: STORE.into(), cause: cause.into() }
}

/// Applies what is due before the operation that comes now.
pub(super) fn apply_due(live: &mut Live) -> Result<(), Frozen> {
    loop {
        let objects = &live.model.objects;
        let is_due = |due: u64| due <= objects.operations + 1;
        let due = objects.requests.iter().find(|(_, request)| request.due.is_some_and(is_due));
        let Some(create) = due.map(|(create, _)| *create) else { return Ok(()) };
        live.emit(Event::ObjectApply { create })?;
    }
}

impl SimObjects {
    fn answered(
        live: &mut Live,
        create: u64,
        answer: &'static str,
        late: Option<u64>,
    ) -> Result<(), ObjectError> {
        live.emit(Event::ObjectCreated { create, answer, late }).map(drop).map_err(unavailable)
    }

    /// Applies a request; the answer the store would give, settled by reading back as a client does.
    fn apply(
        live: &mut Live,
        create: u64,
        number: u64,
        body: &Arc<[u8]>,
        twice: bool,
    ) -> Result<Created, ObjectError> {
        let other = live.model.objects.objects.get(&number).cloned();
        if other.is_some() && live.is(Mutant::CreateOverwrites) {
            let body = Some(body.clone());
            live.emit(Event::ObjectPut { number, body }).map_err(unavailable)?;
            return Ok(Created::Ours);
        }
        live.emit(Event::ObjectApply { create }).map_err(unavailable)?;
        if twice {
            live.emit(Event::ObjectApply { create }).map_err(unavailable)?;
        }
        Ok(match other {
            Some(other) if other != *body && !live.is(Mutant::ConflictIsOurs) => {
                Created::Taken(other.to_vec())
            }
            _ => Created::Ours,
        })
    }
}

impl Objects for SimObjects {
    fn create(&self, name: Name, body: &[u8]) -> Result<Created, ObjectError> {
        let Name::Number(number) = name else { return Err(refused(NUMBERS_ONLY)) };
        if body.len() > OBJECT_BYTES_MAX {
            return Err(refused("an object too large"));
        }
        let live = &mut *self.world.lock();
        apply_due(live).map_err(unavailable)?;
        let fault = live.plan.object(ObjectOperation::Create);
        if let Some(reads) = &mut live.reads {
            reads.object(number);
        }
        let body: Arc<[u8]> = body.into();
        let own = live.model.objects.objects.get(&number) == Some(&body);
        if own && live.is(Mutant::LostAnswerRefused) {
            return Err(refused("there is such an object"));
        }
        let create = live.emit(Event::ObjectCreate { number, body: body.clone() }).map_err(unavailable)?;
        match fault {
            Some(ObjectFault::ErrorBefore | ObjectFault::Away(_)) => {
                Self::answered(live, create, "error, not applied", None)?;
                Err(unavailable("an error before anything was done"))
            }
            Some(ObjectFault::Refused) => {
                Self::answered(live, create, "refused", None)?;
                Err(refused("not allowed"))
            }
            Some(ObjectFault::Late(operations)) => {
                let due = live.model.objects.operations + operations;
                Self::answered(live, create, "no answer, applied later", Some(due))?;
                Err(unavailable("no answer in time"))
            }
            Some(ObjectFault::LostAnswer) => {
                Self::apply(live, create, number, &body, false)?;
                Self::answered(live, create, "applied, answer lost", None)?;
                Err(unavailable("the answer was lost"))
            }
            None if live.is(Mutant::CreateEarly) => {
                let due = live.model.objects.operations + 2;
                Self::answered(live, create, "ours, applied later", Some(due))?;
                Ok(Created::Ours)
            }
            None | Some(ObjectFault::Duplicate) => {
                let answer = Self::apply(live, create, number, &body, fault.is_some())?;
                let text = if answer == Created::Ours { "ours" } else { "taken" };
                Self::answered(live, create, text, None)?;
                Ok(answer)
            }
        }
    }

    fn read(&self, name: Name, bytes_max: Option<usize>) -> Result<Option<Vec<u8>>, ObjectError> {
        let Name::Number(number) = name else { return Ok(None) };
        let live = &mut *self.world.lock();
        apply_due(live).map_err(unavailable)?;
        let fault = live.plan.object(ObjectOperation::Read);
        if let Some(reads) = &mut live.reads {
            reads.object(number);
        }
        let newest = live.model.objects.objects.last_key_value().map(|(newest, _)| *newest);
        let stale = live.is(Mutant::ObjectStale) && newest == Some(number);
        let found = live.model.objects.objects.get(&number).filter(|_| !stale).map(|body| body.to_vec());
        live.emit(Event::ObjectRead { number, found: found.as_ref().map(Vec::len) }).map_err(unavailable)?;
        match fault {
            None | Some(ObjectFault::Duplicate) => Ok(found.map(|mut body| {
                body.truncate(bytes_max.unwrap_or(usize::MAX));
                body
            })),
            Some(ObjectFault::Refused) => Err(refused("not allowed")),
            Some(_) => Err(unavailable("an error")),
        }
    }

    fn put(&self, _: Name, _: Arc<[u8]>) -> Result<(), ObjectError> {
        Err(refused(NUMBERS_ONLY))
    }

    fn replace(&self, _: Name, _: Option<&[u8]>, _: &[u8]) -> Result<bool, ObjectError> {
        Err(refused(NUMBERS_ONLY))
    }

    fn delete(&self, _: Name) -> Result<(), ObjectError> {
        Err(refused(NUMBERS_ONLY))
    }

    fn list(&self, _: u32, _: u64, _: u64) -> Result<Vec<DataName>, ObjectError> {
        Ok(Vec::new())
    }

    fn probe(&self, _: u32) -> Result<bool, ObjectError> {
        Ok(!self.world.lock().is(Mutant::CreateOverwrites))
    }

    fn counts(&self) -> Counts {
        Counts::default()
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
