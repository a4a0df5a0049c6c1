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
    /// `Exhaustive(most)`; where that has none, all of the others, and samples until there were `most`.
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
    steps: Vec<Choose>,
    /// How many came of the present step, and of all.
    done: u128,
    total: u64,
    random: Random,
}

impl<'p> States<'p> {
    pub(super) fn new(point: &'p Point, choose: Choose) -> States<'p> {
        let seed = match choose {
            Choose::Samples { seed, .. } | Choose::Thorough { seed, .. } => seed,
            _ => 0,
        };
        let mut steps = match choose {
            Choose::Thorough { most, .. } if point.combinations() <= u128::from(most) => {
                vec![Choose::Exhaustive(u128::from(most))]
            }
            Choose::Thorough { seed, most } => {
                let samples = Choose::Samples { seed, count: most };
                vec![Choose::None, Choose::All, Choose::Alone, Choose::Missing, Choose::Parts, samples]
            }
            other => vec![other],
        };
        if let (Choose::Thorough { most, .. }, Some(Choose::Samples { count, .. })) =
            (choose, steps.last_mut())
        {
            let single: u128 = point.units().iter().map(|unit| 2 * unit.count()).sum();
            *count = u128::from(most).saturating_sub(single) as u64;
        }
        steps.reverse();
        States { point, steps, done: 0, total: 0, random: Random::new(seed ^ point.event().rotate_left(32)) }
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
        while let Some(step) = self.steps.last().copied() {
            if let Some(choice) = self.choice(step, self.done) {
                self.done += 1;
                self.total += 1;
                return Some(self.point.make(choice));
            }
            self.done = 0;
            self.steps.pop();
        }
        None
    }
}

/// The `number`th option of a unit that is neither 0 nor full.
fn part(units: &[Unit], mut number: u128) -> Option<(u32, u128)> {
    for (at, unit) in units.iter().enumerate() {
        let full = unit.full();
        let inner = unit.count() - if full == 0 { 1 } else { 2 };
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
