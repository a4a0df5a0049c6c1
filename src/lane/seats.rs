//! Where the lanes' writing sides wait while no writer has them.
//!
//! Invariants: one holder a lane at a time; the lane that threads share is taken in turns, and by no writer of its own.

use std::sync::PoisonError;

use tierlog_tiers::sync::{Condvar, Mutex, MutexGuard};

use crate::number::Lane;

/// The seats of all lanes, by lane.
#[derive(Debug)]
pub(crate) struct Seats<C> {
    seats: Vec<Seat<C>>,
    shared: Mutex<Option<Lane>>,
}

#[derive(Debug)]
struct Seat<C> {
    core: Mutex<Option<Box<C>>>,
    back: Condvar,
}

impl<C> Seat<C> {
    fn core(&self) -> MutexGuard<'_, Option<Box<C>>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Seats<C> {
    pub(crate) fn new(cores: impl IntoIterator<Item = C>) -> Self {
        let seat = |core| Seat { core: Mutex::new(Some(Box::new(core))), back: Condvar::new() };
        Seats { seats: cores.into_iter().map(seat).collect(), shared: Mutex::new(None) }
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
        lanes.into_iter().filter(|lane| Some(*lane) != *shared).find_map(|lane| self.seat(lane).core().take())
    }

    /// The lane that threads share. The first call sets a free one of these aside, if there is any.
    pub(crate) fn set_aside(&self, lanes: impl IntoIterator<Item = Lane>) -> Option<Lane> {
        let mut shared = self.shared();
        if shared.is_none() {
            *shared = lanes.into_iter().find(|lane| self.seat(*lane).core().is_some());
        }
        *shared
    }

    /// Waits for the present holder; threads that share a lane take turns.
    pub(crate) fn take_in_turn(&self, lane: Lane) -> Box<C> {
        let seat = self.seat(lane);
        let mut core = seat.core();
        loop {
            match core.take() {
                Some(core) => return core,
                None => core = seat.back.wait(core).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    pub(crate) fn give_back(&self, lane: Lane, core: Box<C>) {
        let seat = self.seat(lane);
        *seat.core() = Some(core);
        seat.back.notify_one();
    }

    /// Whatever is free, shared or not.
    pub(crate) fn take_free(&self) -> impl Iterator<Item = Box<C>> {
        self.seats.iter().filter_map(|seat| seat.core().take())
    }
}
