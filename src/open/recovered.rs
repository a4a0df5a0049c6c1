//! What an open found, told to its caller.

use std::path::PathBuf;
use std::time::Duration;

use super::find::Found;
use crate::host::{Env, Host};
use crate::number::{Epoch, Lane, Lsn};
use crate::recover::Examined;

/// What an open found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// This open.
    pub epoch: Epoch,
    /// The log was made by this open.
    pub created: bool,
    /// The last owner closed the log: nothing had to be recovered.
    pub clean: bool,
    /// Per lane.
    pub lanes: Vec<LaneRecovered>,
    /// Tails that were made anew; what was only there is gone.
    pub tails_lost: Vec<PathBuf>,
    /// Reading what the last open left: from the watermarks on.
    pub scan: Pass,
    /// Moving what was accepted to NVMe, flushing it and reading it back.
    pub settle: Pass,
}

/// What a part of an open had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Bytes of frames.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Pass {
    pub(super) fn of(bytes: u64, env: &dyn Env, began: Duration) -> Self {
        Pass { bytes, took: env.now() - began }
    }
}

/// What an open found in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRecovered {
    /// The lane.
    pub lane: Lane,
    /// Where it goes on.
    pub end: Lsn,
    /// The LSN up to which something was found behind the end and cut off, if any was.
    pub cut_off: Option<Lsn>,
    /// Why it ends there.
    pub why: String,
}

impl<H: Host> Found<H> {
    /// For its caller, before the next open is written down.
    pub(super) fn recovered(&self, settle: Pass) -> Recovered {
        let clean = self.created || self.record.closed;
        Recovered {
            epoch: Epoch(self.record.epoch.0 + 1),
            created: self.created,
            clean,
            lanes: lanes_recovered(&self.examined),
            tails_lost: if clean { Vec::new() } else { self.lost.clone() },
            scan: self.scan,
            settle,
        }
    }
}

fn lanes_recovered(examined: &Examined) -> Vec<LaneRecovered> {
    let closed = |lane: Lane| LaneRecovered {
        lane,
        end: examined.media.board.published(lane),
        cut_off: None,
        why: "closed".into(),
    };
    let scanned = |lane: Lane| examined.scans.iter().find(|scan| scan.lane == lane);
    let one = |lane| match scanned(lane) {
        Some(scan) => LaneRecovered { lane, end: scan.end, cut_off: scan.cut_at, why: scan.why.clone() },
        None => closed(lane),
    };
    examined.media.lanes().map(one).collect()
}
