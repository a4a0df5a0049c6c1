//! Each mutant breaks its promise, and without it the promise is kept.

use super::*;
use crate::clock::Clock;
use crate::nvme::{Block, FileName, Nvme};
use crate::object::{Created, Name};
use crate::sim::{FileFault, FileOperation, Mutant, NvmeOptions, ObjectFault, ObjectOperation, Plan};
use crate::tail::TailLane;

const SEGMENT: FileName = FileName::Segment(1);

#[test]
fn every_mutant_breaks_one_promise() {
    for mutant in Mutant::ALL {
        assert!(keeps(*mutant, None), "{mutant:?}: kept without it");
        assert!(!keeps(*mutant, Some(*mutant)), "{mutant:?}: broken with it");
    }
}

/// Whether a world with this mutant keeps the promise that `promise` breaks.
fn keeps(promise: Mutant, mutant: Option<Mutant>) -> bool {
    let late = NvmeOptions { late_ms: 1_000, ..NvmeOptions::default() };
    let world = World::new(&WorldOptions { mutant, nvme: vec![late], ..WorldOptions::default() });
    match promise {
        Mutant::FenceDoesNothing
        | Mutant::FenceSkipsLane
        | Mutant::FlushSkipsFirstLine
        | Mutant::FlushSkipsLastLine
        | Mutant::FlushAfterFence
        | Mutant::StreamNotFenced
        | Mutant::WordTorn
        | Mutant::WordFirst
        | Mutant::PersistDoesNothing
        | Mutant::ColdWriteNotPersisted
        | Mutant::FaultSilent
        | Mutant::RangeTwice => tail_keeps(promise, &world),
        Mutant::CreateOverwrites
        | Mutant::ConflictIsOurs
        | Mutant::LostAnswerRefused
        | Mutant::ReplaceBlind
        | Mutant::CreateEarly
        | Mutant::ObjectStale => objects_keep(promise, &world),
        Mutant::ClockBackwards => {
            let clock = world.clock(0);
            let times: Vec<u64> = (0..20).map(|_| clock.now_ns()).collect();
            times.is_sorted()
        }
        Mutant::ClockTrusted => {
            world.trust(0, false);
            !world.clock(0).trusted()
        }
        _ => files_keep(promise, &world),
    }
}

fn tail_keeps(promise: Mutant, world: &World) -> bool {
    let tail = world.create_tail(0, 16384).unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    let durable = |world: &World| world.crash(Crash::Power).combinations() == 1;
    match promise {
        Mutant::StreamNotFenced => {
            lane.stream(0, &[1; 256]);
            lane.fence().unwrap();
            return durable(world);
        }
        Mutant::PersistDoesNothing => {
            lane.store(0, &[1; 256]);
            tail.persist(0, 256).unwrap();
            return durable(world);
        }
        Mutant::ColdWriteNotPersisted => {
            tail.write(4096, &[1; 256]).unwrap();
            return durable(world);
        }
        Mutant::WordTorn => {
            lane.store_word(0, u64::MAX);
            return survivors(world, Crash::Power, [0]) == set(&[[0], [u64::MAX]]);
        }
        Mutant::WordFirst => {
            lane.store_word(8, 1);
            lane.store_word(0, 1);
            return !survivors(world, Crash::Power, [0, 8]).contains(&[1, 0]);
        }
        Mutant::FaultSilent => {
            world.poison(0, 0..64);
            lane.store_word(0, 1);
            return lane.fence().is_err();
        }
        Mutant::RangeTwice => return tail.lane(64, 64).is_err(),
        _ => lane.store(0, &[1; 256]),
    }
    lane.flush(0, 256);
    lane.fence().unwrap();
    durable(world)
}

fn ones() -> Block {
    let mut block = Block::zeroed(4096);
    block.fill(1);
    block
}

fn files_keep(promise: Mutant, world: &World) -> bool {
    let nvme = world.nvme(0);
    let file = nvme.create(SEGMENT, 8192).unwrap();
    let durable = |world: &World| world.crash(Crash::Power).combinations() == 1;
    let mut queue = nvme.queue().unwrap();
    match promise {
        Mutant::WriteNotFlushed => {
            file.write_durable(0, &ones()).unwrap();
            durable(world)
        }
        Mutant::FlushErrorSwallowed | Mutant::FlushRetried => {
            world.fail(Plan::none().file_fault(FileOperation::Flush, 1, 1, FileFault::ErrorBefore));
            file.write_durable(0, &ones()).is_err() || durable(world)
        }
        Mutant::WriteNextBlock => {
            file.write_durable(0, &ones()).unwrap();
            let mut back = Block::zeroed(4096);
            file.read(0, &mut back).unwrap();
            back[..] == ones()[..]
        }
        Mutant::SettleEarly | Mutant::SettleNotFlushed => {
            queue.write(&file, 0, ones()).unwrap();
            queue.settle().unwrap();
            durable(world)
        }
        Mutant::SettleForgetsError => {
            world.fail(Plan::none().file_fault(FileOperation::Write, 1, 1, FileFault::Short));
            queue.write(&file, 0, Block::zeroed(8192)).is_err() || queue.settle().is_err()
        }
        Mutant::CreateNotDurable => durable(world),
        Mutant::RemoveNotDurable => {
            nvme.remove(SEGMENT).unwrap();
            durable(world)
        }
        Mutant::OpenWithoutLock => nvme.open(SEGMENT, true).is_err(),
        Mutant::LockEndsEarly => {
            queue.write(&file, 0, ones()).unwrap();
            let killed = world.crash(Crash::Kill).state(true).world();
            let file = killed.nvme(0).open(SEGMENT, true).unwrap();
            file.write_durable(0, &Block::zeroed(4096)).unwrap();
            killed.step(10_000_000_000);
            let mut back = Block::zeroed(4096);
            file.read(0, &mut back).unwrap();
            back[..] == Block::zeroed(4096)[..]
        }
        _ => unreachable!("{promise:?} is not of files"),
    }
}

fn objects_keep(promise: Mutant, world: &World) -> bool {
    let objects = world.objects();
    match promise {
        Mutant::CreateOverwrites | Mutant::ConflictIsOurs => {
            world.set_object(Name::Number(1), Some(b"theirs"));
            objects.create(Name::Number(1), b"mine").unwrap() == Created::Taken(b"theirs".to_vec())
                && objects.read(Name::Number(1), None).unwrap().as_deref() == Some(b"theirs")
        }
        Mutant::LostAnswerRefused => {
            world.fail(Plan::none().object_fault(ObjectOperation::Create, 1, 1, ObjectFault::LostAnswer));
            objects.create(Name::Number(1), b"mine").unwrap_err();
            objects.create(Name::Number(1), b"mine").is_ok()
        }
        Mutant::ReplaceBlind => {
            world.set_object(Name::Base, Some(b"3"));
            !objects.replace(Name::Base, Some(b"1"), b"2").unwrap()
        }
        Mutant::CreateEarly => {
            objects.create(Name::Number(1), b"mine").unwrap();
            world.crash(Crash::Machine).combinations() == 1
        }
        Mutant::ObjectStale => {
            objects.create(Name::Number(1), b"mine").unwrap();
            objects.read(Name::Number(1), None).unwrap().is_some()
        }
        _ => unreachable!("{promise:?} is not of objects"),
    }
}
