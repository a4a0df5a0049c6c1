//! What is left of files.

use std::io::ErrorKind;

use super::*;
use crate::nvme::{Block, FileName, Nvme};
use crate::sim::{FileFault, FileOperation, NvmeOptions, Plan};

const SEGMENT: FileName = FileName::Segment(7);

fn with_nvme(change: impl FnOnce(&mut NvmeOptions)) -> World {
    let mut options = WorldOptions::default();
    change(&mut options.nvme[0]);
    World::new(&options)
}

fn filled(len: usize, byte: u8) -> Block {
    let mut block = Block::zeroed(len);
    block.fill(byte);
    block
}

/// The first byte of each sector of the first block.
fn sectors(world: &World) -> [u8; 8] {
    let mut block = Block::zeroed(4096);
    world.nvme(0).open(SEGMENT, false).unwrap().read(0, &mut block).unwrap();
    std::array::from_fn(|sector| block[sector * 512])
}

fn left(world: &World, crash: Crash) -> BTreeSet<[u8; 8]> {
    let point = world.crash(crash);
    let states: Vec<_> = point.states(EXHAUSTIVE).collect();
    assert_eq!(states.len() as u128, point.combinations());
    let left: BTreeSet<_> = states.iter().map(|state| sectors(&state.world())).collect();
    assert_eq!(left.len(), states.len(), "each state once");
    left
}

fn kind<T>(outcome: std::io::Result<T>) -> ErrorKind {
    outcome.map(drop).unwrap_err().kind()
}

#[test]
fn a_durable_write_is_whole_and_its_middle_any_subset() {
    for volatile_cache in [true, false] {
        let world = with_nvme(|options| options.volatile_cache = volatile_cache);
        let file = world.nvme(0).create(SEGMENT, 8192).unwrap();
        file.write_durable(0, &filled(4096, 1)).unwrap();
        assert_eq!(world.crash(Crash::Power).combinations(), 1);
        let counts: Vec<u128> =
            world.trace().points(Crash::Power).map(|point| point.combinations()).collect();
        // Before; creation begun and ended; write begun and ended, flushed.
        let expected: &[u128] = if volatile_cache { &[1, 4, 1, 256, 256, 1] } else { &[1, 4, 1, 256, 1] };
        assert_eq!(counts, expected);
        let killed: Vec<u128> = world.trace().points(Crash::Kill).map(|point| point.combinations()).collect();
        assert_eq!(killed[3], 9, "a write under way lands up to some sector");
        assert_eq!(killed[4..], vec![1; killed.len() - 4]);
    }
}

#[test]
fn a_sector_of_4096_is_whole_or_not_there() {
    let world = with_nvme(|options| options.sector_bytes = 4096);
    let file = world.nvme(0).create(SEGMENT, 8192).unwrap();
    let mut queue = world.nvme(0).queue().unwrap();
    queue.write(&file, 0, filled(8192, 1)).unwrap();
    assert_eq!(world.crash(Crash::Power).combinations(), 4);
}

#[test]
fn a_queue_is_durable_once_settled() {
    let world = with_nvme(|options| options.queue_depth = 2);
    let file = world.nvme(0).create(SEGMENT, 16384).unwrap();
    let mut queue = world.nvme(0).queue().unwrap();
    for run in 0..3u8 {
        queue.write(&file, u64::from(run) * 4096, filled(4096, run + 1)).unwrap();
    }
    assert_eq!(world.crash(Crash::Power).combinations(), 1 << 24);
    assert_eq!(world.crash(Crash::Kill).combinations(), 81, "two are under way");
    queue.settle().unwrap();
    assert_eq!(world.crash(Crash::Power).combinations(), 1);
    assert_eq!(sectors(&world.crash(Crash::Power).state(false).world()), [1; 8]);
}

#[test]
fn a_sector_written_twice_holds_the_old_the_first_or_the_second() {
    let world = with_nvme(|options| options.sector_bytes = 4096);
    let file = world.nvme(0).create(SEGMENT, 4096).unwrap();
    let mut queue = world.nvme(0).queue().unwrap();
    for byte in [1, 2] {
        queue.write(&file, 0, filled(4096, byte)).unwrap();
    }
    assert_eq!(left(&world, Crash::Power), [[0; 8], [1; 8], [2; 8]].into());
    assert_eq!(sectors(&world.crash(Crash::Power).state(true).world()), [2; 8]);
    queue.write(&file, 0, filled(4096, 0)).unwrap();
    assert_eq!(world.crash(Crash::Power).combinations(), 3);
    assert_eq!(sectors(&world.crash(Crash::Power).state(true).world()), [0; 8], "the newest");
}

#[test]
fn a_failed_flush_may_have_lost_what_it_covered_whatever_the_next_one_says() {
    let world = with_nvme(|_| {});
    let file = world.nvme(0).create(SEGMENT, 4096).unwrap();
    world.fail(Plan::none().file_fault(FileOperation::Flush, 1, 1, FileFault::ErrorBefore));
    file.write_durable(0, &filled(4096, 1)).unwrap_err();
    file.flush().unwrap();
    assert_eq!(left(&world, Crash::Power).len(), 256);
    file.write_durable(0, &filled(4096, 2)).unwrap();
    assert_eq!(left(&world, Crash::Power), [[2; 8]].into(), "a new write is a new chance");
}

#[test]
fn a_creation_under_way_leaves_nothing_or_a_shorter_file() {
    let world = with_nvme(|_| {});
    let nvme = world.nvme(0);
    world.freeze_at(2);
    assert!(nvme.create(SEGMENT, 16384).is_err());
    for crash in [Crash::Power, Crash::Kill] {
        let point = world.crash(crash);
        let lens = point.states(EXHAUSTIVE).map(|state| {
            let nvme = state.world().nvme(0);
            let listed = nvme.files().unwrap();
            let opened = nvme.open(SEGMENT, true);
            assert_eq!(listed.is_empty(), opened.is_err());
            opened.ok().map(|file| file.len())
        });
        let expected: BTreeSet<_> = [None, Some(0), Some(4096), Some(8192), Some(12288), Some(16384)].into();
        assert_eq!(lens.collect::<BTreeSet<_>>(), expected);
        assert_eq!(point.combinations(), 6);
    }
    let empty = world.crash(Crash::Kill).states(EXHAUSTIVE).nth(1).unwrap().world();
    assert_eq!(empty.nvme(0).open(SEGMENT, false).unwrap().len(), 0);
    assert_eq!(empty.crash(Crash::Power).combinations(), 2);
    // Its name outlives a kill, but not yet the power.
    let killed = world.crash(Crash::Kill).state(true).world();
    assert_eq!(killed.crash(Crash::Power).combinations(), 6);
    killed.nvme(0).create(FileName::Superblock, 4096).unwrap();
    assert_eq!(killed.crash(Crash::Power).combinations(), 1, "another creation flushes the directory");
}

#[test]
fn a_file_whose_length_is_not_durable_may_lose_what_was_written_to_it() {
    let world = with_nvme(|options| options.sector_bytes = 4096);
    world.freeze_at(2);
    world.nvme(0).create(SEGMENT, 8192).unwrap_err();
    let killed = world.crash(Crash::Kill).state(true).world();
    let file = killed.nvme(0).open(SEGMENT, true).unwrap();
    let mut queue = killed.nvme(0).queue().unwrap();
    queue.write(&file, 4096, filled(4096, 1)).unwrap();
    let left: BTreeSet<_> = killed
        .crash(Crash::Power)
        .states(EXHAUSTIVE)
        .map(|state| {
            let file = state.world().nvme(0).open(SEGMENT, false).ok()?;
            let mut block = Block::zeroed(4096);
            Some((file.len(), file.read(4096, &mut block).ok().map(|()| block[0])))
        })
        .collect();
    let lens = [None, Some((0, None)), Some((4096, None)), Some((8192, Some(0))), Some((8192, Some(1)))];
    assert_eq!(left, lens.into());
    queue.settle().unwrap();
    assert_eq!(
        killed.crash(Crash::Power).combinations(),
        2,
        "a flush makes the length durable, not the name"
    );
}

#[test]
fn a_removal_under_way_has_happened_or_not() {
    let world = with_nvme(|_| {});
    drop(world.nvme(0).create(SEGMENT, 4096).unwrap());
    world.nvme(0).remove(SEGMENT).unwrap();
    assert_eq!(kind(world.nvme(0).open(SEGMENT, false)), ErrorKind::NotFound);
    let counts: Vec<u128> = world.trace().points(Crash::Power).map(|point| point.combinations()).collect();
    assert_eq!(counts, [1, 3, 1, 2, 1]);
}

#[test]
fn locks_exclude_writers_of_one_world_and_end_with_a_crash() {
    let world = with_nvme(|_| {});
    let file = world.nvme(0).create(SEGMENT, 4096).unwrap();
    let before = world.clock(0);
    assert_eq!(kind(world.nvme(0).open(SEGMENT, true)), ErrorKind::WouldBlock);
    drop(before);
    world.nvme(0).open(SEGMENT, false).unwrap();
    world.crash(Crash::Kill).state(false).world().nvme(0).open(SEGMENT, true).unwrap();
    drop(file);
    let second = world.nvme(0).open(SEGMENT, true).unwrap();
    assert_eq!(kind(world.nvme(0).open(SEGMENT, true)), ErrorKind::WouldBlock);
    drop(second);
    world.nvme(0).open(SEGMENT, true).unwrap();
}

#[test]
fn late_writes_hold_the_lock_until_they_land() {
    for (late_ms, opens) in [(3_000, true), (8_000, false)] {
        let world = with_nvme(|options| options.late_ms = late_ms);
        let file = world.nvme(0).create(SEGMENT, 4096).unwrap();
        let mut queue = world.nvme(0).queue().unwrap();
        queue.write(&file, 0, filled(4096, 1)).unwrap();
        let killed = world.crash(Crash::Kill).state(true).world();
        assert_eq!(sectors(&killed), [0; 8], "a reader takes no lock");
        let opened = killed.nvme(0).open(SEGMENT, true);
        if opens {
            opened.unwrap();
        } else {
            assert_eq!(kind(opened), ErrorKind::WouldBlock);
            killed.step(3_000_000_000);
            killed.nvme(0).open(SEGMENT, true).unwrap();
        }
        assert_eq!(sectors(&killed), [1; 8]);
        assert_eq!(killed.crash(Crash::Power).combinations(), 256, "landed, not flushed");
    }
}

#[test]
fn each_fault_does_what_it_says() {
    let full = |error: std::io::Error| error.kind() == ErrorKind::StorageFull;
    let outcome = |on, fault| {
        let world = with_nvme(|options| options.volatile_cache = false);
        let file = world.nvme(0).create(SEGMENT, 16384).unwrap();
        file.write_durable(0, &filled(8192, 1)).unwrap();
        world.fail(Plan::none().file_fault(on, 1, 1, fault));
        let written = file.write_durable(0, &filled(8192, 2)).map_err(full);
        let mut block = Block::zeroed(16384);
        let read = file.read(0, &mut block).map_err(full);
        assert_eq!(world.faults().values().sum::<u64>(), 1);
        (written, read.map(|()| [0, 4096, 8192].map(|at| block[at])))
    };
    let failed = Err(false);
    let write = |fault| outcome(FileOperation::Write, fault);
    assert_eq!(write(FileFault::ErrorBefore), (failed, Ok([1, 1, 0])));
    assert_eq!(write(FileFault::ErrorAfter), (failed, Ok([2, 2, 0])));
    assert_eq!(write(FileFault::Full), (Err(true), Ok([1, 1, 0])));
    assert_eq!(write(FileFault::Short), (failed, Ok([2, 1, 0])));
    assert_eq!(write(FileFault::Lost), (Ok(()), Ok([1, 1, 0])));
    assert_eq!(write(FileFault::Misdirected(1)), (Ok(()), Ok([1, 2, 2])));
    assert!(matches!(write(FileFault::Gone), (Err(_), Err(_))));
    assert_eq!(outcome(FileOperation::Read, FileFault::Stale), (Ok(()), Ok([1, 1, 0])));
    assert!(outcome(FileOperation::Read, FileFault::ErrorBefore).1.is_err());
}

#[test]
fn rot_stays_and_a_device_comes_back() {
    let world = with_nvme(|_| {});
    let file = world.nvme(0).create(SEGMENT, 4096).unwrap();
    world.rot(0, SEGMENT, 8 * 512);
    assert_eq!(sectors(&world), [0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sectors(&world.crash(Crash::Power).state(false).world())[1], 1);
    world.fail(Plan::none().file_fault(FileOperation::Read, 1, 1, FileFault::Rot));
    let mut block = Block::zeroed(4096);
    file.read(0, &mut block).unwrap();
    assert_ne!(block[..], filled(4096, 0)[..]);
    world.take_away(0);
    assert!(world.nvme(0).files().is_err() && file.flush().is_err());
    world.come_back(0);
    assert_eq!(world.nvme(0).files().unwrap(), [SEGMENT]);
}

#[test]
fn a_quota_bounds_what_is_created() {
    let world = with_nvme(|_| {});
    world.quota(0, Some(12288));
    world.nvme(0).create(FileName::Segment(1), 8192).unwrap();
    assert_eq!(kind(world.nvme(0).create(FileName::Segment(2), 8192)), ErrorKind::StorageFull);
    assert_eq!(world.nvme(0).files().unwrap(), [FileName::Segment(1)]);
    world.nvme(0).remove(FileName::Segment(1)).unwrap();
    world.nvme(0).create(FileName::Segment(2), 8192).unwrap();
}
