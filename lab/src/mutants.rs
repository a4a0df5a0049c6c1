//! Seeded bugs: each has to be caught, or the lab is worth little.

use std::ops::Range;

use tierlog::sim::Mutant;

use crate::duel::duel;
use crate::enumerate::{Depth, enumerate};
use crate::random::live;
use crate::script::scripts;

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

/// Seeds tried before the scripts.
const FIRST_SEEDS: u64 = 200;

/// Looks for a seeded bug until it is caught: by scripts, and by `seeds` seeds.
pub fn hunt(mutant: Mutant, seeds: u64) -> Catch {
    if let Some(why) = elsewhere(mutant) {
        return Catch::Elsewhere(why);
    }
    let first = seeds.min(FIRST_SEEDS);
    let caught = by_seeds(mutant, 0..first).or_else(|| by_scripts(mutant));
    caught.or_else(|| by_seeds(mutant, first..seeds)).map_or(Catch::Missed, Catch::Caught)
}

fn by_seeds(mutant: Mutant, seeds: Range<u64>) -> Option<String> {
    seeds.into_iter().find_map(|seed| {
        let of_duel = duel(seed, Some(mutant)).err().map(|found| format!("duel {seed}: {}", found.violation));
        let of_seed = || live(seed, Some(mutant), false).err();
        of_duel.or_else(|| of_seed().map(|found| format!("seed {seed}: {}", found.violation)))
    })
}

fn by_scripts(mutant: Mutant) -> Option<String> {
    let depth = Depth { states_max: 24, go_on_one_in: 4, nested_one_in: 16, nested_states_max: 8, seed: 7 };
    let all = scripts();
    let mut short = all.iter().filter(|script| script.steps.len() < 64);
    short.find_map(|script| {
        let caught = enumerate(script, Some(mutant), &depth).err()?;
        Some(format!("{script} after event {}: {}", caught.event, caught.violation))
    })
}

fn elsewhere(mutant: Mutant) -> Option<&'static str> {
    match mutant {
        Mutant::RangeTwice => Some("one writer a lane is held by the engine's seats as well"),
        Mutant::FaultSilent => Some("poison is met in tests/lost_memory.rs"),
        Mutant::ClockTrusted => Some("trust is reported, nothing is decided by it"),
        Mutant::ClockBackwards => {
            Some("stamps only rise, whatever the clock says: the model `floor` (tests/loom)")
        }
        Mutant::WordTorn | Mutant::WordFirst => {
            Some("recovery verifies whole frames; live readers: the model `first word last` (tests/loom)")
        }
        Mutant::PersistDoesNothing => Some("an open moves to NVMe what it accepts (decision 0004)"),
        Mutant::OpenWithoutLock => Some("a second owner is refused at the tail's lock already"),
        Mutant::LockEndsEarly | Mutant::ReplaceBlind => Some("conformance of the tiers (tiers/tests)"),
        _ => None,
    }
}
