//! Choosing among states, and exploring those that a recovery tells apart.

use super::*;
use crate::nvme::{Block, FileName, Nvme};
use crate::tail::TailLane;

/// Lines with 2, 3 and 2 states, the second one's durable content not 0.
fn three_lines() -> (World, Arc<SimTail>, SimLane) {
    let (world, tail, mut lane) = adr();
    tail.persist(0, 64).unwrap();
    lane.store_word(64, 5);
    lane.flush(64, 8);
    lane.fence().unwrap();
    for (at, value) in [(0, 1), (64, 6), (72, 7), (128, 1)] {
        lane.store_word(at, value);
    }
    (world, tail, lane)
}

fn chosen(world: &World, choose: Choose) -> Vec<[u64; 4]> {
    let point = world.crash(Crash::Power);
    point.states(choose).map(|state| words(&state.world(), [0, 64, 72, 128])).collect()
}

#[test]
fn each_way_to_choose() {
    let (world, _tail, _lane) = three_lines();
    let (none, all) = ([0, 5, 0, 0], [1, 6, 7, 1]);
    assert_eq!(chosen(&world, Choose::None), [none]);
    assert_eq!(chosen(&world, Choose::All), [all]);
    assert_eq!(chosen(&world, Choose::Alone), [[1, 5, 0, 0], [0, 6, 7, 0], [0, 5, 0, 1]]);
    assert_eq!(chosen(&world, Choose::Missing), [[0, 6, 7, 1], [1, 5, 0, 1], [1, 6, 7, 0]]);
    assert_eq!(chosen(&world, Choose::Parts), [[0, 6, 0, 0], [1, 6, 0, 1]]);
    let every = chosen(&world, Choose::Exhaustive(12));
    assert_eq!((every.len(), every.iter().collect::<BTreeSet<_>>().len()), (12, 12));
    assert_eq!(chosen(&world, Choose::Exhaustive(11)), [[0; 4]; 0]);
    let sampled = chosen(&world, Choose::Samples { seed: 1, count: 200 });
    assert_eq!(sampled, chosen(&world, Choose::Samples { seed: 1, count: 200 }));
    assert_ne!(sampled, chosen(&world, Choose::Samples { seed: 2, count: 200 }));
    assert_eq!(sampled.iter().collect::<BTreeSet<_>>(), every.iter().collect());
    assert_eq!(chosen(&world, Choose::Thorough { seed: 1, most: 12 }), every);
    for most in 1..12 {
        assert_eq!(chosen(&world, Choose::Thorough { seed: 1, most }).len() as u64, most);
    }
}

#[test]
fn a_state_says_what_it_is() {
    let (world, _tail, _lane) = three_lines();
    let point = world.crash(Crash::Power);
    let shown: Vec<String> = point.states(Choose::Alone).map(|state| state.to_string()).collect();
    assert_eq!(shown, ["tail0 line 0: 1 of 1", "tail0 line 1: 2 of 2", "tail0 line 2: 1 of 1"]);
    assert_eq!(point.state(false).to_string(), "nothing that was under way");
}

#[test]
fn counts_stop_at_the_largest_number() {
    let (world, _tail, mut lane) = adr();
    lane.stream(0, &[1; 1024]);
    assert_eq!(world.crash(Crash::Power).combinations(), u128::MAX);
    assert_eq!(world.crash(Crash::Power).states(Choose::Exhaustive(u128::MAX - 1)).count(), 0);
    let hashes: BTreeSet<u128> = world
        .crash(Crash::Power)
        .states(Choose::Thorough { seed: 1, most: 2_000 })
        .map(|state| state.hash())
        .collect();
    assert!(hashes.len() > 500, "{} different ones", hashes.len());
}

/// A recovery that reads a line, and another one only if the first holds something.
fn recover(world: &World) -> Vec<u64> {
    let mut found = words(world, [64]).to_vec();
    if found[0] == 6 {
        found.extend(words(world, [128]));
    }
    found
}

#[test]
fn exploring_finds_every_outcome_in_few_worlds() {
    let (world, _tail, _lane) = three_lines();
    let point = world.crash(Crash::Power);
    let explored: Vec<Vec<u64>> = point.explore().map(|(_, world)| recover(&world)).collect();
    assert_eq!(explored, [vec![5], vec![6, 0], vec![6, 1], vec![6, 0], vec![6, 1]]);
    let all: BTreeSet<_> = point.states(EXHAUSTIVE).map(|state| recover(&state.world())).collect();
    assert_eq!(explored.into_iter().collect::<BTreeSet<_>>(), all);
    assert_eq!(point.explore().count(), 1, "nothing is read: one world stands for all");
}

#[test]
fn what_is_overwritten_before_it_is_read_makes_no_difference() {
    let (world, _tail, _lane) = three_lines();
    let count = |rewritten: usize| {
        let mut worlds = 0;
        for (_, world) in world.crash(Crash::Power).explore() {
            let tail = world.open_tail(0).unwrap();
            tail.write(64, &vec![0; rewritten]).unwrap();
            words(
                &{
                    drop(tail);
                    world
                },
                [64],
            );
            worlds += 1;
        }
        worlds
    };
    assert_eq!((count(63), count(64)), (3, 1));
}

#[test]
fn names_sectors_and_objects_are_explored() {
    let world = World::new(&WorldOptions::default());
    let file = world.nvme(0).create(FileName::Segment(1), 8192).unwrap();
    let mut queue = world.nvme(0).queue().unwrap();
    let mut block = Block::zeroed(8192);
    block.fill(1);
    queue.write(&file, 0, block).unwrap();
    world.freeze_at(world.events() + 2);
    world.nvme(0).create(FileName::Segment(2), 4096).unwrap_err();
    let point = world.crash(Crash::Power);
    assert_eq!(point.combinations(), 3 << 16);
    let look = |world: &World, read: bool| {
        let nvme = world.nvme(0);
        let there = nvme.open(FileName::Segment(2), false).map(|file| file.len()).ok();
        let mut block = Block::zeroed(4096);
        if read && there == Some(4096) {
            nvme.open(FileName::Segment(1), false).unwrap().read(4096, &mut block).unwrap();
        }
        (there, block.iter().map(|byte| usize::from(*byte)).sum::<usize>() / 512)
    };
    let unread: Vec<_> = point.explore().map(|(_, world)| look(&world, false)).collect();
    assert_eq!(unread.len(), 3);
    let found: Vec<_> = point.explore().map(|(_, world)| look(&world, true)).collect();
    assert_eq!(found.len(), 2 + 256);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 2 + 9);
}

#[test]
fn a_recovery_crashes_in_its_turn() {
    let (world, _tail, _lane) = three_lines();
    let recover = |world: &World| {
        let tail = world.open_tail(0).unwrap();
        tail.write(192, &1u64.to_le_bytes()).unwrap();
        tail.persist(0, 192).unwrap();
    };
    let mut second = 0;
    for first in world.crash(Crash::Power).states(EXHAUSTIVE) {
        let again = first.world();
        recover(&again);
        for point in again.trace().points(Crash::Power) {
            for state in point.states(EXHAUSTIVE) {
                let (before, after) = (words(&first.world(), [0, 64, 72, 128]), state.world());
                assert_eq!(words(&after, [0, 64, 72, 128]), before, "what survived once is durable");
                recover(&after);
                second += 1;
            }
        }
    }
    assert!(second > 12 * 5, "{second}");
}
