//! Tests of the simulator itself: what may survive, what may not, and how many states that are.

mod enumerate;
mod files;
mod litmus;
mod mutants;
mod objects;
mod reference;
mod worlds;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Choose, Crash, SimLane, SimTail, TailOptions, World, WorldOptions};
use crate::tail::{Tail, TailMedium, TailRead};

const EXHAUSTIVE: Choose = Choose::Exhaustive(1 << 20);

fn with_tail(change: impl FnOnce(&mut TailOptions)) -> (World, Arc<SimTail>, SimLane) {
    let mut options = WorldOptions::default();
    change(&mut options.tails[0]);
    let world = World::new(&options);
    let tail = world.create_tail(0, 16384).unwrap();
    let lane = tail.lane(0, 4096).unwrap();
    (world, tail, lane)
}

fn with_medium(medium: TailMedium) -> (World, Arc<SimTail>, SimLane) {
    with_tail(|options| options.medium = medium)
}

fn adr() -> (World, Arc<SimTail>, SimLane) {
    with_tail(|_| {})
}

/// The words at `at` of tail 0 in a world after a crash.
fn words<const N: usize>(world: &World, at: [u64; N]) -> [u64; N] {
    let tail = world.open_tail(0).unwrap();
    at.map(|at| {
        let mut word = [0; 8];
        tail.read(at, &mut word).unwrap();
        u64::from_le_bytes(word)
    })
}

/// All that these words may be after a crash now; there must be as many states as said, and no two alike.
fn survivors<const N: usize>(world: &World, crash: Crash, at: [u64; N]) -> BTreeSet<[u64; N]> {
    let point = world.crash(crash);
    let states: Vec<_> = point.states(EXHAUSTIVE).collect();
    assert_eq!(states.len() as u128, point.combinations());
    let hashes: BTreeSet<u128> = states.iter().map(super::State::hash).collect();
    assert_eq!(hashes.len(), states.len(), "each state once");
    states.iter().map(|state| words(&state.world(), at)).collect()
}

fn set<const N: usize>(all: &[[u64; N]]) -> BTreeSet<[u64; N]> {
    all.iter().copied().collect()
}
