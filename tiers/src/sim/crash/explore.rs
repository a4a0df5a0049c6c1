//! Every state that a recovery can tell apart, and each of those once.

use std::collections::HashMap;

use super::point::Point;
use super::state::State;
use crate::sim::World;
use crate::sim::reads::Place;

/// Worlds that differ in something that was read in an earlier one: enough to see everything that a recovery can do after
/// this crash, though the states may be many more (the idea of Jaaru, Gorjiara, Xu and Demsky, ASPLOS 2021).
///
/// Whoever works in a world must read in an order that follows from what it has read so far: it is deterministic, on one
/// thread. A world's reads count until the next one is asked for.
///
/// It is a walk through a tree: a node is the unit read next, given what was read before it.
pub struct Explore<'p> {
    point: &'p Point,
    units: HashMap<Place, Vec<u32>>,
    /// The options of the present world, in the order in which they were read; all others are 0.
    path: Vec<(u32, u128)>,
    present: Option<World>,
    over: bool,
}

impl<'p> Explore<'p> {
    pub(super) fn new(point: &'p Point) -> Explore<'p> {
        let mut units: HashMap<Place, Vec<u32>> = HashMap::new();
        for (at, unit) in point.units().iter().enumerate() {
            unit.places().into_iter().for_each(|place| units.entry(place).or_default().push(at as u32));
        }
        Explore { point, units, path: Vec::new(), present: None, over: false }
    }

    /// Notes what was read, and goes on to the next branch; `false` at the end.
    fn advance(&mut self, world: &World) -> bool {
        let before: HashMap<u32, u128> = self.path.drain(..).collect();
        for unit in world.reads().iter().filter_map(|place| self.units.get(place)).flatten() {
            if self.path.iter().any(|(known, _)| known == unit) {
                continue;
            }
            self.path.push((*unit, before.get(unit).copied().unwrap_or(0)));
        }
        while let Some((unit, option)) = self.path.pop() {
            if option + 1 < self.point.units()[unit as usize].count() {
                self.path.push((unit, option + 1));
                return true;
            }
        }
        false
    }
}

impl Iterator for Explore<'_> {
    type Item = (State, World);

    fn next(&mut self) -> Option<(State, World)> {
        if self.over {
            return None;
        }
        if let Some(world) = self.present.take()
            && !self.advance(&world)
        {
            self.over = true;
            return None;
        }
        let mut choice: Vec<(u32, u128)> =
            self.path.iter().copied().filter(|(_, option)| *option > 0).collect();
        choice.sort_unstable();
        let state = self.point.make(choice);
        let world = state.world();
        world.record_reads();
        self.present = Some(world.clone());
        Some((state, world))
    }
}
