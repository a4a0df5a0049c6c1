//! The lab at its smallest: enough to notice that a promise is broken; `scripts/crash-lab` is the lab.

use tierlog::sim::Mutant;
use tierlog_lab::enumerate::{Depth, enumerate};
use tierlog_lab::mutants::{Catch, hunt};
use tierlog_lab::random::live;
use tierlog_lab::script::scripts;

#[test]
fn every_crash_of_short_scripts_keeps_every_promise() {
    let depth = Depth { states_max: 8, go_on_one_in: 32, nested_one_in: 256, nested_states_max: 4, seed: 1 };
    for script in scripts().iter().filter(|script| ["commits", "depends", "archived"].contains(&script.name))
    {
        let counts = enumerate(script, None, &depth).unwrap_or_else(|caught| panic!("{caught:#?}"));
        assert!(counts.points > 50 && counts.images > 50, "{script}: {counts}");
    }
}

#[test]
fn random_lives_keep_every_promise() {
    for seed in 0..200 {
        if let Err(found) = live(seed, None, false) {
            panic!("{}{}\nreplay: scripts/crash-lab --replay {seed}", found.story, found.violation);
        }
    }
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in [3, 9, 27] {
        let story = || match live(seed, None, true) {
            Ok(lived) => lived.story,
            Err(found) => found.story,
        };
        assert_eq!(story(), story());
    }
}

#[test]
fn a_fence_that_does_nothing_is_caught() {
    let catch = hunt(Mutant::FenceDoesNothing, 1);
    assert!(matches!(catch, Catch::Caught(_)), "{catch:?}");
}
