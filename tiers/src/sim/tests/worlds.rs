//! Traces, freezing, clocks.

use super::*;
use crate::clock::Clock;
use crate::nvme::{Block, FileName, Nvme};
use crate::object::Name;
use crate::sim::ClockOptions;
use crate::tail::{MapError, TailLane};

fn scripted() -> World {
    let world = World::new(&WorldOptions::default());
    let tail = world.create_tail(0, 4096).unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    let file = world.nvme(0).create(FileName::Segment(1), 4096).unwrap();
    for round in 0..3u64 {
        lane.store(64, &round.to_le_bytes());
        lane.flush(64, 8);
        lane.fence().unwrap();
        world.note(format!("committed {round}"));
        file.write_durable(0, &Block::zeroed(4096)).unwrap();
        world.objects().create(Name::Number(round), b"body").unwrap();
        world.clock(0).now_ns();
    }
    world
}

#[test]
fn the_same_calls_make_the_same_trace() {
    let [a, b] = [scripted(), scripted()].map(|world| world.trace().to_string());
    assert_eq!(a, b);
    let lines: Vec<&str> = a.lines().collect();
    assert_eq!(lines.len() as u64, scripted().events());
    assert_eq!(lines[0], "     1 tail0 create 4096 begins");
    assert_eq!(lines[4], "     5 tail0 store 64+8 by 1000: 0000000000000000");
    assert_eq!(lines[6..8], ["     7 fence by 1000", "     8 note committed 0"]);
    let trace = scripted().trace();
    let notes: Vec<_> = trace.notes().map(|(_, text)| text.to_string()).collect();
    assert_eq!(notes, ["committed 0", "committed 1", "committed 2"]);
}

#[test]
fn every_point_of_a_trace_is_that_of_a_frozen_world() {
    let trace = scripted().trace();
    for crash in [Crash::Kill, Crash::Power, Crash::Machine] {
        for point in trace.points(crash) {
            let mut model = trace.base.clone();
            for (at, event) in trace.events.iter().take(point.event() as usize).enumerate() {
                Arc::make_mut(&mut model).apply(at as u64 + 1, event);
            }
            let again = crate::sim::crash::Point::new(crash, model, trace.clone(), point.event() as usize);
            assert_eq!(again.combinations(), point.combinations());
            assert_eq!(again.state(true).hash(), point.state(true).hash());
            assert_eq!(again.notes().count(), point.notes().count());
        }
    }
    assert_eq!(trace.points(Crash::Power).count() as u64, trace.len() + 1 - 3, "looks at clocks aside");
}

#[test]
fn a_frozen_world_stands_still_and_says_so() {
    let world = World::new(&WorldOptions::default());
    let tail = world.create_tail(0, 4096).unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    let file = world.nvme(0).create(FileName::Segment(1), 4096).unwrap();
    lane.store_word(0, 1);
    let before = world.crash(Crash::Kill).state(true).hash();
    world.freeze();
    assert!(world.is_frozen());
    lane.store_word(0, 2);
    lane.stream(0, &[3; 64]);
    lane.flush(0, 64);
    assert!(lane.fence().unwrap_err().to_string().contains("frozen"));
    assert!(tail.persist(0, 64).is_err() && tail.write(0, &[]).is_err());
    assert!(file.write_durable(0, &Block::zeroed(4096)).is_err() && file.flush().is_err());
    assert!(world.nvme(0).create(FileName::Segment(2), 4096).is_err());
    assert!(world.objects().create(Name::Number(1), b"x").is_err());
    assert!(!world.note("acknowledged"));
    let mut out = [0; 8];
    tail.read(0, &mut out).unwrap();
    assert_eq!(out, 1u64.to_le_bytes());
    let clock = world.clock(0);
    assert!(clock.now_ns() < clock.now_ns(), "loops that wait for the time end");
    assert_eq!(world.crash(Crash::Kill).state(true).hash(), before);
    assert_eq!(world.trace().notes().count(), 0);
}

#[test]
fn a_write_is_frozen_in_its_middle() {
    let world = World::new(&WorldOptions::default());
    let file = world.nvme(0).create(FileName::Segment(1), 4096).unwrap();
    let mut ones = Block::zeroed(4096);
    ones.fill(1);
    world.freeze_at(world.events() + 2);
    assert!(file.write_durable(0, &ones).is_err());
    assert_eq!(world.crash(Crash::Power).combinations(), 256);
}

#[test]
fn what_is_forgotten_keeps_its_effects() {
    let world = scripted();
    let (events, before) = (world.events(), world.crash(Crash::Power).state(true).hash());
    let tail = world.open_tail(0);
    assert!(tail.is_ok(), "nobody holds it");
    world.forget();
    assert_eq!((world.events(), world.trace().len()), (events, 0));
    assert_eq!(world.crash(Crash::Power).state(true).hash(), before);
    world.note("again");
    assert_eq!(world.trace().to_string(), format!("{:>6} note again\n", events + 1));
    assert_eq!(world.trace().points(Crash::Kill).last().unwrap().event(), events + 1);
}

#[test]
fn one_owner_a_tail() {
    let (world, tail, lane) = adr();
    assert!(matches!(world.open_tail(0), Err(MapError::Held { .. })));
    assert!(matches!(world.create_tail(0, 4096), Err(MapError::Exists { .. })));
    assert!(tail.lane(64, 64).is_err() && tail.lane(4096, 64).is_ok());
    assert_eq!(world.view_tail(0).unwrap().len(), 16384);
    drop(tail);
    assert!(world.open_tail(0).is_err(), "its lane keeps it");
    drop(lane);
    world.open_tail(0).unwrap();
    world.remove_tail(0);
    assert!(matches!(world.view_tail(0), Err(MapError::Missing { .. })));
}

#[test]
fn a_creation_of_a_tail_is_cut_short() {
    let world = World::new(&WorldOptions::default());
    world.freeze_at(2);
    assert!(world.create_tail(0, 8192).is_err());
    let point = world.crash(Crash::Power);
    let made: Vec<_> = point.states(EXHAUSTIVE).map(|state| state.world().open_tail(0).map(drop)).collect();
    assert!(matches!(made[..], [Err(MapError::Missing { .. }), Ok(())]));
}

#[test]
fn clocks_of_hosts_jump_and_never_run_backwards() {
    let clock = ClockOptions { start_ns: 1_000_000, tick_ns: 10, skew_ns: vec![0, 500, -500] };
    let world = World::new(&WorldOptions { clock, ..WorldOptions::default() });
    let [a, b, c] = [0, 1, 2].map(|host| world.clock(host));
    assert_eq!([a.now_ns(), b.now_ns(), c.now_ns()], [1_000_000, 1_000_510, 999_520]);
    world.jump(1, -1_000);
    assert_eq!([b.now_ns(), b.now_ns()], [1_000_510; 2], "it stands until the time has caught up");
    world.step(2_000);
    assert_eq!(b.now_ns(), 1_000_050 + 2_000 - 500);
    assert!(a.trusted() && b.trusted());
    world.trust(1, false);
    assert!(a.trusted() && !b.trusted());
    let after = world.crash(Crash::Power).state(false).world();
    assert!(after.clock(0).now_ns() >= a.now_ns() - 10, "time goes on");
}
