//! Seeded bugs: each has to be caught, or the lab is worth little.

use tierlog::sim::Mutant;

use crate::enumerate::{Depth, enumerate};
use crate::random::live;
use crate::script::scripts;

/// Seeds tried where no script catches a bug.
const SEEDS: u64 = 400;

/// What became of a seeded bug.
#[derive(Debug, Clone)]
pub enum Catch {
    /// By which script or seed, and how it was noticed.
    Caught(String),
    /// Nothing that the engine does rests on that promise alone, or another test holds it.
    Elsewhere(&'static str),
    /// Nobody noticed.
    Missed,
}

/// Looks for a seeded bug until it is caught.
pub fn hunt(mutant: Mutant) -> Catch {
    if let Some(why) = elsewhere(mutant) {
        return Catch::Elsewhere(why);
    }
    let depth = Depth { states_max: 24, go_on_one_in: 4, nested_one_in: 16, nested_states_max: 8, seed: 7 };
    for script in scripts().iter().filter(|script| script.steps.len() < 64) {
        if let Err(caught) = enumerate(script, Some(mutant), &depth) {
            return Catch::Caught(format!("{script} after event {}: {}", caught.event, caught.violation));
        }
    }
    for seed in 0..SEEDS {
        if let Err(found) = live(seed, Some(mutant), false) {
            return Catch::Caught(format!("seed {seed}: {}", found.violation));
        }
    }
    Catch::Missed
}

fn elsewhere(mutant: Mutant) -> Option<&'static str> {
    match mutant {
        Mutant::RangeTwice => Some("one writer a lane is held by the engine's seats as well"),
        Mutant::FaultSilent => Some("poison is met in tests/lost_memory.rs"),
        Mutant::ClockTrusted => Some("trust is reported, nothing is decided by it"),
        _ => None,
    }
}
