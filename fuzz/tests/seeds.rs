//! The first inputs of every target reach what they are made for.

use tierlog_fuzz::TARGETS;

#[test]
fn every_seed_is_read() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty());
        for (number, seed) in seeds.iter().enumerate() {
            assert!((target.run)(seed), "{} {number}", target.name);
        }
    }
}
