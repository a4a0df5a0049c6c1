//! Seats: a lane's writing side goes from thread to thread, one holder at a time.

use std::sync::Arc;

use loom::cell::Cell;
use tierlog_tiers::sync::thread;

use super::explore_plain;
use crate::lane::Seats;
use crate::number::Lane;

const LANES: [Lane; 2] = [Lane(0), Lane(1)];

/// What a holder does with its lane: nobody else is at it, and it sees what the last one left.
fn use_lane(core: &Cell<u64>) {
    core.set(core.get() + 1);
}

/// Threads that share a lane, one of which sets it aside, against one that wants a lane of its own.
#[test]
fn a_shared_lane_goes_round() {
    explore_plain("seats: two in turns, one for itself", || {
        let seats = Arc::new(Seats::new([Cell::new(0), Cell::new(100)]));
        let (other, own) = (seats.clone(), seats.clone());
        let turn = |seats: &Seats<Cell<u64>>| {
            let lane = seats.set_aside(LANES)?;
            let core = seats.take_in_turn(lane);
            use_lane(&core);
            seats.give_back(lane, core);
            Some(lane)
        };
        let other = thread::spawn(move || turn(&other));
        let own = thread::spawn(move || {
            let core = own.take(LANES).expect("two lanes, one of them shared");
            use_lane(&core);
            core
        });
        let lane = turn(&seats).expect("a lane is free");
        assert_eq!(other.join().unwrap(), Some(lane), "one lane is shared");
        let own = own.join().unwrap();
        assert_eq!(own.get() % 100, 1, "the shared lane was given to a writer");
        let shared = seats.take_in_turn(lane);
        assert_eq!(shared.get() % 100, 2, "a turn was lost");
    });
}

/// A writer that is dropped gives its lane to the next one.
#[test]
fn a_lane_goes_from_thread_to_thread() {
    explore_plain("seats: handed over", || {
        let seats = Arc::new(Seats::new([Cell::new(0)]));
        let others = [0, 1].map(|_| {
            let seats = seats.clone();
            thread::spawn(move || {
                let core = seats.take([Lane(0)])?;
                use_lane(&core);
                seats.give_back(Lane(0), core);
                Some(())
            })
        });
        let had = others.map(|other| other.join().unwrap()).iter().flatten().count() as u64;
        assert!(had > 0, "the lane was free");
        assert_eq!(seats.take_free().map(|core| core.get()).sum::<u64>(), had);
    });
}
