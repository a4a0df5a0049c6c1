//! The object store: what is there, and the requests under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sim::event::Event;

#[derive(Debug, Clone)]
pub(in crate::sim) struct Request {
    pub(in crate::sim) number: u64,
    pub(in crate::sim) body: Arc<[u8]>,
    /// Given up by its caller; applied before the operation of that number.
    pub(in crate::sim) due: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct ObjectModel {
    pub(in crate::sim) objects: BTreeMap<u64, Arc<[u8]>>,
    /// By the event that began them.
    pub(in crate::sim) requests: BTreeMap<u64, Request>,
    /// How many there were.
    pub(in crate::sim) operations: u64,
}

impl ObjectModel {
    pub(super) fn apply(&mut self, event: u64, what: &Event) {
        match what {
            Event::ObjectCreate { number, body } => {
                self.operations += 1;
                self.requests.insert(event, Request { number: *number, body: body.clone(), due: None });
            }
            Event::ObjectRead { .. } => self.operations += 1,
            Event::ObjectApply { create } => {
                if let Some(request) = self.requests.get_mut(create) {
                    let late = request.due.is_some();
                    self.objects.entry(request.number).or_insert_with(|| request.body.clone());
                    if late {
                        self.requests.remove(create);
                    }
                }
            }
            Event::ObjectCreated { create, late, .. } => match (late, self.requests.get_mut(create)) {
                (Some(due), Some(request)) => request.due = Some(*due),
                _ => drop(self.requests.remove(create)),
            },
            Event::ObjectPut { number, body } => match body {
                Some(body) => drop(self.objects.insert(*number, body.clone())),
                None => drop(self.objects.remove(number)),
            },
            _ => unreachable!("not an event of objects: {what:?}"),
        }
    }
}
