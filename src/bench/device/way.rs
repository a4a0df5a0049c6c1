//! The ways, by name.

use tierlog_tiers::nvme::trial::{TrialFile, TrialSync, polls};

use crate::bench::probe::{NOTHING, Session};
use crate::bench::results::Skipped;

/// How a write gets to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// pwritev2, each request in flight by a thread of its own.
    Calls,
    /// io_uring, all of them by one thread.
    Uring {
        /// Files and buffers registered.
        registered: bool,
        /// Completions polled for.
        polled: bool,
    },
}

/// One way to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// What makes it durable.
    pub sync: TrialSync,
    /// How it is asked for.
    pub by: By,
}

/// What everything is compared with: what most logs do.
pub const YARDSTICK: Way = Way { sync: TrialSync::Datasync, by: By::Calls };

impl Way {
    /// Every combination that a kernel takes, the yardstick first: no data sync of its own goes on a polled ring.
    pub fn all() -> Vec<Way> {
        let uring = |registered, polled| By::Uring { registered, polled };
        let mut all = vec![YARDSTICK];
        for by in [By::Calls, uring(false, false), uring(true, false), uring(false, true), uring(true, true)]
        {
            for sync in [TrialSync::Nothing, TrialSync::Odsync, TrialSync::Dsync, TrialSync::Datasync] {
                let way = Way { sync, by };
                if way != YARDSTICK && !(way.polled() && sync == TrialSync::Datasync) {
                    all.push(way);
                }
            }
        }
        all
    }

    /// Its name in figures.
    pub fn name(self) -> String {
        let (base, linked) = match self.by {
            By::Calls => ("pwrite", " + fdatasync"),
            By::Uring { .. } => ("io_uring", " linked fdatasync"),
        };
        let sync = match self.sync {
            TrialSync::Nothing => "",
            TrialSync::Odsync => " O_DSYNC",
            TrialSync::Dsync => " RWF_DSYNC",
            TrialSync::Datasync => linked,
        };
        let registered =
            if matches!(self.by, By::Uring { registered: true, .. }) { ", registered" } else { "" };
        let polled = if self.polled() { ", polled" } else { "" };
        format!("{base}{sync}{registered}{polled}")
    }

    /// What a completed write survives.
    pub fn promise<'a>(self, session: &Session<'a>) -> &'a str {
        if self.sync == TrialSync::Nothing { NOTHING } else { session.grounds.nvme_promise }
    }

    /// A sentence that has to stand beside it.
    pub fn note(self) -> Option<String> {
        let plain = self.sync == TrialSync::Nothing;
        plain.then(|| "not durable: completed is not flushed".into())
    }

    fn polled(self) -> bool {
        matches!(self.by, By::Uring { polled: true, .. })
    }
}

/// Without the polled ways where a real read says that the device cannot be polled.
pub fn possible(ways: &[Way], file: &TrialFile, skipped: &mut Vec<Skipped>) -> Vec<Way> {
    let refused = match file.writer(TrialSync::Nothing).and_then(polls) {
        Ok(()) => return ways.to_vec(),
        Err(error) => error,
    };
    if ways.iter().any(|way| way.polled()) {
        skipped.push(Skipped {
            what: "io_uring, polled".into(),
            why: format!(
                "a polled read fails ({refused}): the driver needs queues to poll, as nvme.poll_queues gives"
            ),
        });
    }
    ways.iter().copied().filter(|way| !way.polled()).collect()
}
