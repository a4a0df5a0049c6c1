//! Another owner's claim that comes at any moment of an open: who is refused for it is refused without the archive, too.
#![cfg(feature = "sim")]

use tierlog::host::Simulation;
use tierlog::sim::{NvmeOptions, ObjectFault, ObjectOperation, Plan, TailOptions, World, WorldOptions};
use tierlog::{Config, Error, Log, Refusal, restore_on};

fn config(address: &str) -> Config {
    let mut config = Config::new("sim");
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(4 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(16 << 10);
    config.nvme.spare_segments = 1;
    config.archive.address = address.into();
    config
}

fn open(world: &World, host: u32, seed: u64, address: &str) -> Result<Log<Simulation>, Error> {
    Log::open_on(Simulation::new(world, host, seed), config(address)).map(|(log, _)| log)
}

fn is_superseded(opened: &Result<Log<Simulation>, Error>) -> bool {
    matches!(opened, Err(Error::Refused(Refusal::Superseded { .. })))
}

/// Whether an open is refused whose owner's rival has asked for its claim, which takes so many requests to arrive.
fn refused(late: u64) -> bool {
    let world = World::new(&WorldOptions {
        tails: vec![TailOptions::default(); 2],
        nvme: vec![NvmeOptions::default(); 2],
        ..WorldOptions::default()
    });
    open(&world, 0, 1, "memory:rivals").unwrap().close().unwrap();
    restore_on(&Simulation::new(&world, 1, 2), &config("memory:rivals")).unwrap();
    let away = Plan::none()
        .object_fault(ObjectOperation::Create, 1, 1, ObjectFault::Late(late))
        .object_fault(ObjectOperation::Create, 2, u64::MAX, ObjectFault::ErrorBefore);
    world.fail(away);
    let rival = open(&world, 1, 3, "memory:rivals");
    assert!(matches!(rival, Err(Error::Archive(_))), "{:?}", rival.err());
    world.fail(Plan::none());
    let opened = open(&world, 0, 4, "memory:rivals");
    let refused = is_superseded(&opened);
    assert!(refused || opened.is_ok(), "{late}: {:?}", opened.err());
    drop(opened);
    let again = open(&world, 0, 5, "");
    assert_eq!(is_superseded(&again), refused, "{late}: {:?}", again.err());
    refused
}

#[test]
fn a_rival_that_was_found_is_not_forgotten_without_the_archive() {
    // From one that is seen at first sight to one that loses the race: between them lies the claim itself.
    let refused: Vec<bool> = (1..60).map(refused).collect();
    let seen = refused.iter().take_while(|refused| **refused).count();
    assert!((3..50).contains(&seen), "{refused:?}");
    assert!(refused[seen..].iter().all(|refused| !refused), "{refused:?}");
}
