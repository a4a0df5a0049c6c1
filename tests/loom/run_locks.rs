//! Committing threads and a drainer at the run locks: what is acknowledged is on NVMe with all that it depends on, each
//! run is written once, and nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Ghost, Ordering::Relaxed as Plain};
use std::time::Duration;

use tierlog_tiers::sync::atomic::AtomicU64;
use tierlog_tiers::sync::{Mutex, thread};

use super::world::{board, geometry};
use super::{explore, explore_plain};
use crate::board::{Board, Water};
use crate::error::{Error, Result};
use crate::frame::Dep;
use crate::lane::LaneState;
use crate::number::{Lane, Lsn};
use crate::runs::{RunLocks, Sharing, Stability};

const LANES: [Lane; 2] = [Lane(0), Lane(1)];

/// Two lanes whose runs are numbers.
struct Lanes {
    board: Board,
    stability: Stability,
    runs: [Mutex<Lsn>; 2],
    sharing: [Sharing; 2],
    states: [LaneState; 2],
    /// What the device has. The checker sees it, or it would not try who looks at it between two steps.
    written: [AtomicU64; 2],
    writes: [Ghost; 2],
    /// The lane that cannot be written.
    broken: Option<Lane>,
}

impl Lanes {
    fn new(broken: Option<Lane>) -> Self {
        let runs = LANES.map(|_| Mutex::new(Lsn(0)));
        let states = LANES.map(|_| LaneState::default());
        let (written, writes) = (LANES.map(|_| AtomicU64::new(0)), LANES.map(|_| Ghost::new(0)));
        let (stability, sharing) = (Stability::new(2), LANES.map(|_| Sharing::default()));
        Lanes { board: board(&geometry(2, 8)), stability, runs, sharing, states, written, writes, broken }
    }

    /// Publishes a batch up to `end`, as a commit does: what it depends on is known before.
    fn publish(&self, lane: Lane, end: u64, deps: &[Dep]) {
        if !deps.is_empty() {
            self.stability.depends(lane, Lsn(end - 64), deps);
        }
        self.board.publish(lane, Lsn(end));
    }

    fn has(&self, lane: Lane, end: u64) -> bool {
        self.written[lane.0 as usize].load(Plain) >= end
    }

    fn put(&self, lane: Lane, runs: &mut Lsn, upto: Lsn) -> Result<()> {
        let index = lane.0 as usize;
        self.writes[index].fetch_add(1, Plain);
        assert!(upto <= self.board.published(lane), "written before it was published");
        assert!(upto > *runs, "written twice");
        if self.broken == Some(lane) {
            self.states[index].poison("the device refused");
            return self.check(lane);
        }
        self.written[index].store(upto.0, Plain);
        *runs = upto;
        Ok(())
    }

    /// A commit at `Power` on a lane, and what it promises.
    fn commit(&self, lane: Lane, end: u64, needs: &[(Lane, u64)]) -> Result<()> {
        self.make_stable(lane, Lsn(end))?;
        assert!(self.board.water(lane, Water::Stable) >= Lsn(end), "acknowledged, and not stable");
        for (lane, end) in [(lane, end)].iter().chain(needs) {
            assert!(self.has(*lane, *end), "acknowledged, and not on the device");
        }
        Ok(())
    }

    /// The part of a commit that threads share.
    fn wait_for(&self, lane: Lane, end: u64) {
        self.make_durable(lane, Lsn(end)).unwrap();
        assert!(self.has(lane, end), "durable, and not on the device");
    }

    /// A drainer's look at a lane.
    fn look(&self, lane: Lane) -> Result<bool> {
        let published = self.board.published(lane);
        let moved = self.drain(lane, |runs| {
            let due = *runs < published;
            if due {
                self.put(lane, runs, published)?;
            }
            Ok(due)
        })?;
        if moved {
            let end = *self.lock_runs(lane);
            self.make_stable(lane, end)?;
        }
        Ok(moved)
    }
}

impl RunLocks for Lanes {
    type Runs = Lsn;

    fn board(&self) -> &Board {
        &self.board
    }

    fn stability(&self) -> &Stability {
        &self.stability
    }

    fn run_lock(&self, lane: Lane) -> &Mutex<Lsn> {
        &self.runs[lane.0 as usize]
    }

    fn sharing(&self, lane: Lane) -> &Sharing {
        &self.sharing[lane.0 as usize]
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn durable(runs: &Lsn) -> Lsn {
        *runs
    }

    fn write_now(&self, lane: Lane, runs: &mut Lsn, upto: Lsn) -> Result<()> {
        self.put(lane, runs, upto)
    }

    fn check(&self, lane: Lane) -> Result<()> {
        self.states[lane.0 as usize].check(lane)
    }

    fn depends_on_poison(&self, lane: Lane, _: Lane, error: Error) -> Error {
        let state = &self.states[lane.0 as usize];
        state.poison(&error.to_string());
        state.error(lane)
    }
}

/// A batch in the first lane, and one in the second that depends on it.
fn dependent(broken: Option<Lane>) -> Arc<Lanes> {
    let lanes = Arc::new(Lanes::new(broken));
    lanes.publish(LANES[0], 64, &[]);
    lanes.publish(LANES[1], 64, &[Dep { lane: LANES[0], end: Lsn(64) }]);
    lanes
}

fn commit_dependent(lanes: &Lanes) -> Result<()> {
    lanes.commit(LANES[1], 64, &[(LANES[0], 64)])
}

/// Whoever sees on the board that a lane is durable finds it on the device.
#[test]
fn what_is_said_to_be_durable_was_written() {
    explore("run locks: a commit, seen by another thread", || {
        let lanes = Arc::new(Lanes::new(None));
        lanes.publish(LANES[0], 64, &[]);
        let own = lanes.clone();
        let own = thread::spawn(move || own.make_durable(LANES[0], Lsn(64)).unwrap());
        let said = lanes.board.water(LANES[0], Water::Durable) >= Lsn(64);
        assert!(!said || lanes.has(LANES[0], 64), "said before it was written");
        own.join().unwrap();
    });
}

#[test]
fn an_idle_lane_is_written_by_who_needs_it() {
    explore_plain("run locks: a commit, and one that depends on it", || {
        let lanes = dependent(None);
        let own = lanes.clone();
        let own = thread::spawn(move || own.commit(LANES[0], 64, &[]).unwrap());
        commit_dependent(&lanes).unwrap();
        own.join().unwrap();
    });
    explore_plain("run locks: a drainer, and a commit that depends on its lane", || {
        let lanes = dependent(None);
        let drainer = lanes.clone();
        let drainer = thread::spawn(move || drainer.look(LANES[0]).unwrap());
        commit_dependent(&lanes).unwrap();
        drainer.join().unwrap();
    });
}

/// Threads that share a lane: each commit is acknowledged, by its own run or the other's.
#[test]
fn commits_share_a_run() {
    explore_plain("run locks: two commits at one lane", || {
        let lanes = Arc::new(Lanes::new(None));
        lanes.publish(LANES[0], 64, &[]);
        let other = lanes.clone();
        let other = thread::spawn(move || {
            other.publish(LANES[0], 128, &[]);
            other.wait_for(LANES[0], 128);
        });
        lanes.wait_for(LANES[0], 64);
        other.join().unwrap();
    });
}

/// Two lanes of which each depends on the other's first batch.
#[test]
fn nobody_waits_under_a_lock() {
    explore_plain("run locks: crossing dependencies", || {
        let lanes = Arc::new(Lanes::new(None));
        for (lane, other) in [(LANES[0], LANES[1]), (LANES[1], LANES[0])] {
            lanes.publish(lane, 64, &[]);
            lanes.publish(lane, 128, &[Dep { lane: other, end: Lsn(64) }]);
        }
        let others = lanes.clone();
        let other = thread::spawn(move || others.commit(LANES[1], 128, &[(LANES[0], 64)]).unwrap());
        lanes.commit(LANES[0], 128, &[(LANES[1], 64)]).unwrap();
        other.join().unwrap();
    });
}

/// A device that refuses: both lanes are poisoned, nothing is acknowledged, nothing is tried again.
#[test]
fn what_failed_is_not_tried_again() {
    explore_plain("run locks: a lane that cannot be written", || {
        let lanes = dependent(Some(LANES[0]));
        let own = lanes.clone();
        let own = thread::spawn(move || own.commit(LANES[0], 64, &[]).unwrap_err());
        commit_dependent(&lanes).unwrap_err();
        own.join().unwrap();
        for lane in LANES {
            lanes.check(lane).unwrap_err();
        }
        assert_eq!(lanes.writes[0].load(Plain), 1, "tried again");
    });
}
