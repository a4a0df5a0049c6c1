//! What happened in a world.

use std::fmt;
use std::sync::Arc;

use super::crash::{Crash, Point};
use super::event::Event;
use super::model::Model;

/// What happened in a world, from its beginning. Shown, it is one line an event.
#[derive(Clone)]
pub struct Trace {
    pub(super) base: Arc<Model>,
    pub(super) events: Arc<Vec<Event>>,
    /// The number of the first.
    pub(super) first: u64,
}

impl Trace {
    /// How many events there are.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The notes, each with the number of its event.
    pub fn notes(&self) -> impl Iterator<Item = (u64, &str)> {
        self.notes_of_first(self.events.len())
    }

    /// The notes among the first so many events.
    pub(super) fn notes_of_first(&self, events: usize) -> impl Iterator<Item = (u64, &str)> {
        (self.first..).zip(&self.events[..events]).filter_map(|(at, event)| match event {
            Event::Note { text } => Some((at, &**text)),
            _ => None,
        })
    }

    /// Every moment at which a crash may come, in order: before the first event, and after each event that changes what
    /// may be left of the world or what is known of it. A write is two events, so that its middle is among them; a part
    /// of a store is left by a crash right after it.
    pub fn points(&self, crash: Crash) -> Points {
        Points { crash, model: self.base.clone(), trace: self.clone(), next: None }
    }
}

/// The moments of a trace at which a crash may come: [`Trace::points`].
///
/// Cheap as long as each [`Point`] is dropped before the next one is asked for.
#[derive(Clone)]
pub struct Points {
    crash: Crash,
    model: Arc<Model>,
    trace: Trace,
    /// How many events the model has taken in; none before the first point.
    next: Option<usize>,
}

impl Iterator for Points {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        let at = match self.next {
            None => 0,
            Some(mut at) => loop {
                let event = self.trace.events.get(at)?;
                at += 1;
                Arc::make_mut(&mut self.model).apply(self.trace.first - 1 + at as u64, event);
                if event.matters() {
                    break at;
                }
            },
        };
        self.next = Some(at);
        Some(Point::new(self.crash, self.model.clone(), self.trace.clone(), at))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.first..).zip(&*self.events).try_for_each(|(at, event)| writeln!(f, "{at:>6} {event}"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("events", &self.len()).finish_non_exhaustive()
    }
}
