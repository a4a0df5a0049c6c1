//! The object store: what is there, and the requests under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::object::Name;
use crate::sim::event::{Change, Event};

#[derive(Debug, Clone)]
pub(in crate::sim) struct Request {
    pub(in crate::sim) name: Name,
    pub(in crate::sim) change: Change,
    /// Given up by its caller; applied before the operation of that number.
    pub(in crate::sim) due: Option<u64>,
}

#[derive(Debug, Clone)]
pub(in crate::sim) struct Object {
    pub(in crate::sim) body: Arc<[u8]>,
    /// The operation that made it.
    pub(in crate::sim) made: u64,
}

#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct ObjectModel {
    pub(in crate::sim) objects: BTreeMap<Name, Object>,
    /// By the event that began them.
    pub(in crate::sim) requests: BTreeMap<u64, Request>,
    /// How many there were.
    pub(in crate::sim) operations: u64,
}

impl ObjectModel {
    pub(in crate::sim) fn body(&self, name: Name) -> Option<Arc<[u8]>> {
        self.objects.get(&name).map(|object| object.body.clone())
    }

    pub(super) fn apply(&mut self, event: u64, what: &Event) {
        match what {
            Event::ObjectBegin { name, change } => {
                self.operations += 1;
                self.requests.insert(event, Request { name: *name, change: change.clone(), due: None });
            }
            Event::ObjectLook { .. } => self.operations += 1,
            Event::ObjectApply { request: at, blindly } => {
                let Some(request) = self.requests.get(at).cloned() else { return };
                let before = self.body(request.name);
                if *blindly || request.change.takes(before.as_deref()) {
                    self.set(request.name, request.change.after());
                }
                if request.due.is_some() {
                    self.requests.remove(at);
                }
            }
            Event::ObjectEnd { request, late, .. } => match (late, self.requests.get_mut(request)) {
                (Some(due), Some(request)) => request.due = Some(*due),
                _ => drop(self.requests.remove(request)),
            },
            Event::ObjectSet { name, body } => self.set(*name, body.clone()),
            _ => unreachable!("not an event of objects: {what:?}"),
        }
    }

    pub(in crate::sim) fn set(&mut self, name: Name, body: Option<Arc<[u8]>>) {
        match body {
            Some(body) => drop(self.objects.insert(name, Object { body, made: self.operations })),
            None => drop(self.objects.remove(&name)),
        }
    }
}
