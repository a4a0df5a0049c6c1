//! Which of the states that a crash may leave are looked at.

use super::point::Point;
use super::state::State;
use super::unit::Unit;
use crate::sim::random::Random;

/// Which of the states that a crash may leave are looked at. A unit is a line, a sector, a request: what persists
/// independently of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choose {
    /// Nothing of what was under way persisted.
    None,
    /// All of it did.
    All,
    /// One unit did, alone; each in turn.
    Alone,
    /// All but one did; each in turn.
    Missing,
    /// One unit in each of its states but the first and the full one, with all others as in `None`, and as in `All`.
    Parts,
    /// Every state, if there are no more than so many, otherwise none of them.
    Exhaustive(u128),
    /// So many states at random by a seed: each unit has nothing, all, or any of its states, with a chance of a third.
    Samples {
        /// The same seed, the same states.
        seed: u64,
        /// How many.
        count: u64,
    },
    /// `Exhaustive(most)`; where that has none, some of all the others and samples, `most` in all.
    Thorough {
        /// The seed of the samples.
        seed: u64,
        /// The bound of states.
        most: u64,
    },
}

/// States of a [`Point`], by a [`Choose`].
pub struct States<'p> {
    point: &'p Point,
    /// What is yet to come, the next one last; of each step every `n`th state.
    steps: Vec<(Choose, u128)>,
    /// How many came of the present step.
    done: u128,
    random: Random,
}

impl<'p> States<'p> {
    pub(super) fn new(point: &'p Point, choose: Choose) -> States<'p> {
        let (seed, mut steps) = match choose {
            Choose::Thorough { seed, most } => (seed, thorough(point, seed, most)),
            Choose::Samples { seed, .. } => (seed, vec![(choose, 1)]),
            other => (0, vec![(other, 1)]),
        };
        steps.reverse();
        States { point, steps, done: 0, random: Random::new(seed ^ point.event().rotate_left(32)) }
    }

    /// The next choice of a step, by its number in the step.
    fn choice(&mut self, step: Choose, number: u128) -> Option<Vec<(u32, u128)>> {
        let units = self.point.units();
        let full = |at: usize, unit: &Unit| (at as u32, unit.full());
        let nonzero =
            |choice: Vec<(u32, u128)>| choice.into_iter().filter(|(_, option)| *option > 0).collect();
        let all = || units.iter().enumerate().map(|(at, unit)| full(at, unit)).collect::<Vec<_>>();
        match step {
            Choose::None => (number == 0).then(Vec::new),
            Choose::All => (number == 0).then(|| nonzero(all())),
            Choose::Alone => {
                let unit = units.get(usize::try_from(number).ok()?)?;
                Some(nonzero(vec![full(number as usize, unit)]))
            }
            Choose::Missing => {
                let mut choice = all();
                choice.get_mut(usize::try_from(number).ok()?)?.1 = 0;
                Some(nonzero(choice))
            }
            Choose::Parts => {
                let (unit, option) = part(units, number / 2)?;
                let mut choice = if number.is_multiple_of(2) { Vec::new() } else { all() };
                choice.retain(|(other, _)| *other != unit);
                choice.push((unit, option));
                choice.sort_unstable();
                Some(nonzero(choice))
            }
            Choose::Exhaustive(most) => {
                let combinations = self.point.combinations();
                (combinations <= most && number < combinations).then(|| nonzero(digits(units, number)))
            }
            Choose::Samples { count, .. } => {
                (number < u128::from(count)).then(|| nonzero(sample(units, &mut self.random)))
            }
            Choose::Thorough { .. } => None,
        }
    }
}

impl Iterator for States<'_> {
    type Item = State;

    fn next(&mut self) -> Option<State> {
        while let Some((step, stride)) = self.steps.last().copied() {
            if let Some(choice) = self.choice(step, self.done * stride) {
                self.done += 1;
                return Some(self.point.make(choice));
            }
            self.done = 0;
            self.steps.pop();
        }
        None
    }
}

/// All states if they are few; otherwise up to a quarter of the bound each of those where one unit differs, evenly
/// spread, and samples.
fn thorough(point: &Point, seed: u64, most: u64) -> Vec<(Choose, u128)> {
    let bound = u128::from(most);
    if point.combinations() <= bound {
        return vec![(Choose::Exhaustive(bound), 1)];
    }
    let units = point.units();
    let parts: u128 = units.iter().map(inner).sum();
    let both = [(Choose::None, 1), (Choose::All, 1)];
    let mut steps: Vec<_> = both.into_iter().take(most as usize).collect();
    let mut left = most.saturating_sub(2);
    let quarter = u128::from(left / 4);
    for (step, count) in [
        (Choose::Alone, units.len() as u128),
        (Choose::Missing, units.len() as u128),
        (Choose::Parts, 2 * parts),
    ] {
        if quarter > 0 && count > 0 {
            // Odd, so that parts come beside nothing and beside all.
            let stride = count.div_ceil(quarter) | 1;
            left -= count.div_ceil(stride) as u64;
            steps.push((step, stride));
        }
    }
    steps.push((Choose::Samples { seed, count: left }, 1));
    steps
}

/// How many options a unit has that are neither 0 nor full.
fn inner(unit: &Unit) -> u128 {
    unit.count() - if unit.full() == 0 { 1 } else { 2 }
}

/// The `number`th option of a unit that is neither 0 nor full.
fn part(units: &[Unit], mut number: u128) -> Option<(u32, u128)> {
    for (at, unit) in units.iter().enumerate() {
        let (full, inner) = (unit.full(), inner(unit));
        if number < inner {
            let option = number + 1;
            return Some((at as u32, if full > 0 && option >= full { option + 1 } else { option }));
        }
        number -= inner;
    }
    None
}

/// A number as one option for each unit.
fn digits(units: &[Unit], mut number: u128) -> Vec<(u32, u128)> {
    let digit = |(at, unit): (usize, &Unit)| {
        let option = number % unit.count();
        number /= unit.count();
        (at as u32, option)
    };
    units.iter().enumerate().map(digit).collect()
}

fn sample(units: &[Unit], random: &mut Random) -> Vec<(u32, u128)> {
    let option = |unit: &Unit, random: &mut Random| match random.below(3) {
        0 => 0,
        1 => unit.full(),
        _ => random.below_wide(unit.count()),
    };
    units.iter().enumerate().map(|(at, unit)| (at as u32, option(unit, random))).collect()
}
