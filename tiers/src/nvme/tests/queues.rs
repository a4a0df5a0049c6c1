//! Queues of runs, by io_uring and by plain writes.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use super::{SmallMount, kind, open_with, pattern, scratch};
use crate::nvme::{Block, FileName, Nvme, NvmeFile};

#[test]
fn many_runs_over_several_files_settle() {
    for (uring, memory) in [(true, false), (true, true), (false, false), (false, true)] {
        let at = scratch(memory);
        let dir = open_with(at.path(), |options| options.uring = uring);
        if let (true, Some(why)) = (uring, &dir.medium().uring_refused) {
            eprintln!("SKIPPED: no io_uring here, plain writes again: {why}");
        }
        let files: Vec<Arc<dyn NvmeFile>> =
            (0..3).map(|number| dir.create(FileName::Segment(number), 4 << 20).expect("a file")).collect();
        let mut queue = dir.queue().expect("a queue");
        let runs: Vec<(usize, u64, usize)> = (0..60)
            .map(|run: usize| (run % 3, (run / 3 * 163_840) as u64, [4096, 65536, 163_840][run % 7 % 3]))
            .collect();
        for lap in 1..=2 {
            for &(file, offset, len) in &runs {
                let mut block = queue.block(len);
                assert_eq!(block.len(), len);
                block.copy_from_slice(&pattern(len, offset + file as u64 * lap));
                queue.write(&files[file], offset, block).expect("queued");
            }
            queue.settle().expect("settled");
            for &(file, offset, len) in &runs {
                let mut back = Block::zeroed(len);
                files[file].read(offset, &mut back).expect("read");
                assert!(*back == *pattern(len, offset + file as u64 * lap), "{file} {offset} {len}");
            }
        }
    }
}

#[test]
fn a_dropped_queue_has_written_what_it_was_given() {
    let at = scratch(false);
    let dir = open_with(at.path(), |_| ());
    let file = dir.create(FileName::Segment(1), 8 << 20).expect("a file");
    let mut queue = dir.queue().expect("a queue");
    for run in 0..8 {
        queue.write(&file, run << 20, pattern(1 << 20, run)).expect("queued");
    }
    drop(queue);
    for run in 0..8 {
        let mut back = Block::zeroed(1 << 20);
        file.read(run << 20, &mut back).expect("read");
        assert!(*back == *pattern(1 << 20, run));
    }
}

#[test]
fn the_first_error_stays() {
    for uring in [true, false] {
        let Some(mount) = SmallMount::new("1m") else { return };
        let dir = open_with(mount.path(), |options| options.uring = uring);
        // A file with holes on a file system that cannot fill them.
        let sparse = fs::File::create(mount.path().join("00000001.seg")).expect("made");
        sparse.set_len(4 << 20).expect("longer");
        let file = dir.open(FileName::Segment(1), true).expect("opened");
        let mut queue = dir.queue().expect("a queue");
        let refused = (0..4).find_map(|run| queue.write(&file, run << 20, pattern(1 << 20, run)).err());
        assert!(uring || refused.is_some(), "a plain write fails at once");
        for _ in 0..2 {
            let error = queue.settle().expect_err("full");
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            assert!(error.to_string().contains("00000001.seg"), "{error}");
        }
        let block = queue.block(4096);
        assert_eq!(kind(queue.write(&file, 0, block)), ErrorKind::StorageFull, "poisoned");
        let mut fresh = dir.queue().expect("another queue");
        fresh.write(&file, 0, Block::zeroed(4096)).expect("a fresh queue goes on");
        fresh.settle().expect("settled");
    }
}

#[test]
fn a_run_beyond_the_end_is_refused_and_poisons_nothing() {
    for uring in [true, false] {
        let at = scratch(false);
        let dir = open_with(at.path(), |options| options.uring = uring);
        let file = dir.create(FileName::Segment(1), 65536).expect("a file");
        let mut queue = dir.queue().expect("a queue");
        assert_eq!(kind(queue.write(&file, 61440, Block::zeroed(8192))), ErrorKind::InvalidInput);
        assert_eq!(kind(queue.write(&file, 512, Block::zeroed(8192))), ErrorKind::InvalidInput);
        queue.write(&file, 0, pattern(65536, 3)).expect("queued");
        queue.settle().expect("settled");
        let reader = dir.open(FileName::Segment(1), false).expect("opened");
        let _ = queue.write(&reader, 0, Block::zeroed(4096));
        assert_eq!(kind(queue.settle()), ErrorKind::PermissionDenied, "opened for reading");
        let mut back = Block::zeroed(65536);
        file.read(0, &mut back).expect("read");
        assert!(*back == *pattern(65536, 3));
    }
}

#[test]
fn what_settled_is_read_back() {
    for uring in [true, false] {
        let at = scratch(false);
        let dir = open_with(at.path(), |options| options.uring = uring);
        let file = dir.create(FileName::Segment(1), 16 << 20).expect("a file");
        let mut queue = dir.queue().expect("a queue");
        queue.read_back();
        for turn in 0..4_u64 {
            for run in 0..16 {
                let mut block = queue.block(256 << 10);
                block.copy_from_slice(&pattern(256 << 10, run + turn));
                queue.write(&file, (turn * 16 + run) << 18, block).expect("queued");
            }
            queue.prove().expect("the turn before");
            queue.settle().expect("settled");
            if turn > 1 {
                queue.begin_proof();
            }
        }
        queue.begin_proof();
        queue.begin_proof();
        queue.prove().expect("all of it");
    }
}

#[test]
fn a_run_that_is_not_there_is_told() {
    let at = scratch(false);
    let dir = open_with(at.path(), |options| options.uring = false);
    let file = dir.create(FileName::Segment(1), 1 << 20).expect("a file");
    let mut queue = dir.queue().expect("a queue");
    queue.read_back();
    queue.write(&file, 0, pattern(65536, 1)).expect("queued");
    queue.write(&file, 65536, pattern(65536, 5)).expect("queued");
    queue.settle().expect("settled");
    file.write_durable(65536, &pattern(65536, 9)).expect("written over");
    queue.prove().expect("nothing is read back before it is asked for");
    queue.begin_proof();
    for _ in 0..2 {
        let error = queue.prove().expect_err("lost");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("00000001.seg"), "{error}");
    }
}
