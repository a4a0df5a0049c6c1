//! The floor against commits: whoever raises it and then waits for the marks knows what is published below.
//!
//! Both sides fence here, as on a kernel without `membarrier`. With it the writer's fence is the compiler's alone, and
//! `membarrier` makes every running thread fence while the floor is raised: at that moment or before it, so no outcome is
//! new. That the kernel keeps this is tried in `tiers/src/membarrier.rs`.

use std::sync::Arc;

use tierlog_tiers::sync::thread;

use super::world::{Stamps, append, board, core, geometry, order};
use super::{explore, explore_plain};
use crate::board::Board;
use crate::lane::Core;
use crate::number::{Gsn, Lane, Lsn};

/// One that is read, and one that reads it: the latter comes first where stamps are equal.
const READ: Lane = Lane(1);
const READER: Lane = Lane(0);

/// A board, and a lane with a batch that is to be committed.
fn open(lane: Lane, stamps: &Stamps) -> (Arc<Board>, Core<Stamps>) {
    let board = Arc::new(board(&geometry(2, 8)));
    let core = ready(lane, stamps, &board);
    (board, core)
}

fn ready(lane: Lane, stamps: &Stamps, board: &Board) -> Core<Stamps> {
    let mut core = core(stamps.clone(), lane, &geometry(2, 8));
    assert!(append(&mut core, board, 1));
    core
}

fn commit(mut core: Core<Stamps>, board: &Board, now_ns: u64) -> Gsn {
    core.close_stamped(board, &order(now_ns)).unwrap().unwrap()
}

/// Commits after it has read what is published in the other lane. The stamp that was read, if any, and the new one.
fn read_and_commit(core: Core<Stamps>, board: &Board, stamps: &Stamps, now_ns: u64) -> (Option<Gsn>, Gsn) {
    let read = (board.published(READ) > Lsn(0)).then(|| stamps.newest());
    if let Some(gsn) = read {
        order(now_ns).saw(board, gsn);
    }
    let gsn = commit(core, board, now_ns);
    assert!(read < Some(gsn), "stamped below what was read");
    (read, gsn)
}

#[test]
fn what_is_closed_is_published() {
    for [writer_ns, closer_ns] in [[5, 5], [1, 9], [9, 1]] {
        explore(&format!("floor: commit at {writer_ns}, close at {closer_ns}"), move || {
            let (board, core) = open(READ, &Stamps::default());
            let boards = board.clone();
            let writer = thread::spawn(move || commit(core, &boards, writer_ns));
            let closed = order(closer_ns).close(&board);
            let there = board.published(READ) > Lsn(0);
            assert!(writer.join().unwrap() > closed || there, "closed, and published later");
            let late = commit(ready(READER, &Stamps::default(), &board), &board, 0);
            assert!(late > closed, "begun after it was closed, and below");
        });
    }
}

#[test]
fn what_was_read_comes_before() {
    for [writer_ns, reader_ns] in [[5, 5], [1, 9], [9, 1]] {
        explore(&format!("floor: commit at {writer_ns}, read and commit at {reader_ns}"), move || {
            let stamps = Stamps::default();
            let (board, core) = open(READ, &stamps);
            let boards = board.clone();
            let writer = thread::spawn(move || commit(core, &boards, writer_ns));
            let core = ready(READER, &Stamps::default(), &board);
            read_and_commit(core, &board, &stamps, reader_ns);
            writer.join().unwrap();
        });
    }
}

/// All three at once.
#[test]
#[ignore = "minutes: ./scripts/models --all"]
fn a_cut_holds_what_was_read() {
    explore_plain("floor: commit, read and commit, close", || {
        let stamps = Stamps::default();
        let (board, core) = open(READ, &stamps);
        let boards = board.clone();
        let writer = thread::spawn(move || commit(core, &boards, 9));
        let (boards, core) = (board.clone(), ready(READER, &Stamps::default(), &board));
        let reader = thread::spawn(move || read_and_commit(core, &boards, &stamps, 1));
        let closed = order(5).close(&board);
        let [read_there, reader_there] = [READ, READER].map(|lane| board.published(lane) > Lsn(0));
        let (gsn, (read, after)) = (writer.join().unwrap(), reader.join().unwrap());
        assert!(gsn > closed || read_there, "closed, and published later");
        assert!(after > closed || reader_there, "closed, and published later");
        assert!(read.is_none() || after > closed || read_there, "closed, without what it had read");
    });
}
