//! Where the lanes' writing sides wait while no writer has them.
//!
//! Invariants: one holder a lane at a time; the lane that threads share is taken in turns, and by no writer of its own.
//! Whoever finds it free may pass those who wait, who still have to wake up, but not for ever.

use std::collections::VecDeque;
use std::sync::PoisonError;

use tierlog_tiers::sync::{Condvar, Mutex, MutexGuard};

use crate::number::Lane;

/// So many may pass the thread that has waited longest.
const PASSES_MAX: u32 = 16;

/// The seats of all lanes, by lane.
#[derive(Debug)]
pub(crate) struct Seats<C> {
    seats: Vec<Seat<C>>,
    shared: Mutex<Option<Lane>>,
}

#[derive(Debug)]
struct Seat<C> {
    state: Mutex<State<C>>,
    back: Condvar,
}

#[derive(Debug)]
struct State<C> {
    core: Option<Box<C>>,
    /// Whose turn comes next.
    waiting: VecDeque<u64>,
    /// The next number to be waited with.
    next: u64,
    /// Threads that had the seat since the first of those who wait came.
    passed: u32,
}

impl<C> Seat<C> {
    fn new(core: C) -> Self {
        let state = State { core: Some(Box::new(core)), waiting: VecDeque::new(), next: 0, passed: 0 };
        Seat { state: Mutex::new(state), back: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    /// The seat, if it is free and its turn is not another's; `number` is the caller's, if it waits.
    fn take(&mut self, number: Option<u64>) -> Option<Box<C>> {
        let first = self.waiting.front().copied();
        if first != number && self.passed >= PASSES_MAX {
            return None;
        }
        let core = self.core.take()?;
        self.passed = if first == number { 0 } else { self.passed + 1 };
        self.waiting.retain(|other| Some(*other) != number);
        Some(core)
    }
}

impl<C> Seats<C> {
    pub(crate) fn new(cores: impl IntoIterator<Item = C>) -> Self {
        Seats { seats: cores.into_iter().map(Seat::new).collect(), shared: Mutex::new(None) }
    }

    fn seat(&self, lane: Lane) -> &Seat<C> {
        &self.seats[lane.0 as usize]
    }

    fn shared(&self) -> MutexGuard<'_, Option<Lane>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of these lanes that is free and not shared.
    pub(crate) fn take(&self, lanes: impl IntoIterator<Item = Lane>) -> Option<Box<C>> {
        // Held all the while: a lane that is being set aside is free for a moment.
        let shared = self.shared();
        lanes
            .into_iter()
            .filter(|lane| Some(*lane) != *shared)
            .find_map(|lane| self.seat(lane).state().core.take())
    }

    /// The lane that threads share. The first call sets a free one of these aside, if there is any.
    pub(crate) fn set_aside(&self, lanes: impl IntoIterator<Item = Lane>) -> Option<Lane> {
        let mut shared = self.shared();
        if shared.is_none() {
            *shared = lanes.into_iter().find(|lane| self.seat(*lane).state().core.is_some());
        }
        *shared
    }

    /// Waits for the present holder; threads that share a lane take turns.
    pub(crate) fn take_in_turn(&self, lane: Lane) -> Box<C> {
        let seat = self.seat(lane);
        let mut state = seat.state();
        if let Some(core) = state.take(None) {
            return core;
        }
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(number);
        loop {
            state = seat.back.wait(state).unwrap_or_else(PoisonError::into_inner);
            if let Some(core) = state.take(Some(number)) {
                return core;
            }
        }
    }

    pub(crate) fn give_back(&self, lane: Lane, core: Box<C>) {
        let seat = self.seat(lane);
        let mut state = seat.state();
        state.core = Some(core);
        let (all, some) = (state.passed >= PASSES_MAX, !state.waiting.is_empty());
        // Whoever is woken takes the lock first.
        drop(state);
        if all {
            seat.back.notify_all();
        } else if some {
            seat.back.notify_one();
        }
    }

    /// Lanes that are not free.
    pub(crate) fn taken(&self) -> usize {
        self.seats.iter().filter(|seat| seat.state().core.is_none()).count()
    }

    /// Whatever is free, shared or not.
    pub(crate) fn take_free(&self) -> impl Iterator<Item = Box<C>> {
        self.seats.iter().filter_map(|seat| seat.state().core.take())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn nobody_is_passed_for_ever() {
        let seats = Arc::new(Seats::new([AtomicU32::new(0)]));
        let core = seats.take_in_turn(Lane(0));
        let other = seats.clone();
        let other = std::thread::spawn(move || {
            let core = other.take_in_turn(Lane(0));
            let turns = core.load(Ordering::Relaxed);
            other.give_back(Lane(0), core);
            turns
        });
        while seats.seat(Lane(0)).state().waiting.is_empty() {
            std::thread::yield_now();
        }
        seats.give_back(Lane(0), core);
        for _ in 0..1_000 {
            let core = seats.take_in_turn(Lane(0));
            core.fetch_add(1, Ordering::Relaxed);
            seats.give_back(Lane(0), core);
        }
        let turns = other.join().unwrap();
        assert!(turns <= PASSES_MAX, "passed {turns} times");
    }
}
