//! Shutting down: commits on their way, workers at rest, errands in the queue.

use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::sync::thread;

use super::world::{Stamps, append, board, core, env, geometry, order};
use super::{explore, explore_plain};
use crate::board::Board;
use crate::durability::{Commit, Durability};
use crate::engine::Stop;
use crate::error::Error;
use crate::host::{Bell, Worker, work};
use crate::number::{Lsn, Stamp};
use crate::reaper::Errands;

/// Commits on their way, one a lane, while the log is shut: each is published before that returns, and readers get it,
/// or not at all.
fn shut(lanes: u32, writers_ns: u64, closers_ns: u64) {
    let geometry = geometry(lanes, 8);
    let board = Arc::new(board(&geometry));
    let commit = |lane| {
        let mut core = core(Stamps::default(), lane, &geometry);
        assert!(append(&mut core, &board, 1));
        let board = board.clone();
        thread::spawn(move || core.close_stamped(&board, &order(writers_ns)).unwrap())
    };
    let writers: Vec<_> = board.lanes().map(commit).collect();
    let order = order(closers_ns);
    order.shut(&board);
    let published = |board: &Board| board.lanes().map(|lane| board.published(lane)).collect::<Vec<_>>();
    let (there, closed) = (published(&board), order.close(&board));
    for (writer, end) in writers.into_iter().zip(&there) {
        let stamp = writer.join().unwrap();
        assert_eq!(stamp.is_some(), *end > Lsn(0), "published after the end, or not at all");
        assert!(stamp <= Some(closed), "committed, and no reader will get it");
    }
    assert_eq!(published(&board), there, "published after the end");
}

#[test]
fn nothing_is_published_after_the_end() {
    for [writers_ns, closers_ns] in [[5, 5], [1, 9], [9, 1]] {
        let name = format!("shut at {closers_ns}: a commit at {writers_ns}");
        explore(&name, move || shut(1, writers_ns, closers_ns));
    }
}

#[test]
#[ignore = "a minute: ./scripts/models --all"]
fn nothing_is_published_after_the_end_in_two_lanes() {
    explore_plain("shut: two commits", || shut(2, 9, 1));
}

/// Rests until it is told to stop.
struct Resting(Arc<Stop>);

impl Worker for Resting {
    fn turn(&mut self) -> Option<Duration> {
        (!self.0.is_signalled()).then_some(Duration::MAX)
    }

    fn bell(&self) -> Arc<Bell> {
        self.0.bell.clone()
    }
}

#[test]
fn workers_hear_the_signal() {
    explore_plain("stop: two workers", || {
        let stop = Arc::new(Stop::default());
        let workers = [0, 1].map(|_| {
            let mut worker = Resting(stop.clone());
            thread::spawn(move || work(&mut worker))
        });
        stop.signal();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// A reaper whose commits are reached at once.
struct Reaping(Arc<Errands>);

impl Worker for Reaping {
    fn turn(&mut self) -> Option<Duration> {
        self.0.turn(|errand| errand.completer.complete(Ok(errand.commit)))
    }

    fn bell(&self) -> Arc<Bell> {
        self.0.bell.clone()
    }
}

fn submit(errands: &Errands) {
    let commit = Commit { at: Lsn(64), stamp: Stamp::default(), reached: Durability::Process };
    match errands.put(&env(), commit, Durability::Power) {
        Ok(ticket) => assert_eq!(ticket.wait().unwrap(), commit),
        Err(error) => assert!(matches!(error, Error::Closed)),
    }
}

/// A ticket that was given out is decided, also when the log ends meanwhile.
#[test]
fn errands_are_run_or_refused() {
    explore_plain("errands: submit and end", || {
        let errands = Arc::new(Errands::default());
        let submits = errands.clone();
        let submitter = thread::spawn(move || submit(&submits));
        errands.end();
        work(&mut Reaping(errands));
        submitter.join().unwrap();
    });
    explore_plain("errands: submit, then end, beside the reaper", || {
        let errands = Arc::new(Errands::default());
        let mut reaper = Reaping(errands.clone());
        let reaper = thread::spawn(move || work(&mut reaper));
        submit(&errands);
        errands.end();
        reaper.join().unwrap();
    });
}

#[test]
#[ignore = "a minute: ./scripts/models --all"]
fn errands_are_run_or_refused_whoever_comes_first() {
    explore_plain("errands: submit, end, reap", || {
        let errands = Arc::new(Errands::default());
        let (mut reaper, submits) = (Reaping(errands.clone()), errands.clone());
        let reaper = thread::spawn(move || work(&mut reaper));
        let submitter = thread::spawn(move || submit(&submits));
        errands.end();
        submitter.join().unwrap();
        reaper.join().unwrap();
    });
}
