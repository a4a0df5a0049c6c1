//! The reference model: what was asked of a log, what it answered, and when.
//!
//! Time is counted in events of the simulated world. Invariant: batches of a lane stand in the order in which they were
//! begun.

use tierlog::Durability;

/// Which batch, in the order in which they were begun.
pub type BatchId = usize;

/// What became of a batch at a crash; for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its process still runs.
    Open,
    /// It came back, and has to whenever the log is opened.
    Kept,
    /// It did not, and never may.
    Lost,
}

/// One batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its lane.
    pub lane: u32,
    /// Its records.
    pub records: Vec<u64>,
    /// When a commit of any level was first asked for.
    pub committed_at: Option<u64>,
    /// When a commit was asked for that stamps it: from then on it may come back.
    pub stamped_at: Option<u64>,
    /// When it was acknowledged at each level.
    acknowledged_at: [Option<u64>; 4],
    /// The batches that somebody in its process had read before its commit was asked for.
    pub needs: Vec<BatchId>,
    /// When a checkpoint was asked for that covers it: from then on it may be gone.
    pub dropped_at: Option<u64>,
    /// What became of it.
    pub fate: Fate,
}

impl Batch {
    /// Whether it was acknowledged at `level` or above by `event`.
    pub fn is_acknowledged(&self, level: Durability, event: u64) -> bool {
        self.acknowledged_at[level as usize..].iter().flatten().any(|at| *at <= event)
    }

    /// Whether it may be gone after a crash at `event`, whatever was promised.
    pub fn may_be_gone(&self, event: u64) -> bool {
        self.dropped_at.is_some_and(|at| at <= event)
    }

    /// Whether it may come back after a crash at `event`.
    pub fn may_come_back(&self, event: u64) -> bool {
        self.stamped_at.is_some_and(|at| at <= event)
    }
}

/// Everything that was asked of a log since it was made.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// In the order in which they were begun.
    pub batches: Vec<Batch>,
    /// The batches that the present process has read.
    seen: Vec<BatchId>,
    records: u64,
}

impl History {
    /// A batch was begun.
    pub fn begin(&mut self, lane: u32) -> BatchId {
        self.batches.push(Batch {
            lane,
            records: Vec::new(),
            committed_at: None,
            stamped_at: None,
            acknowledged_at: [None; 4],
            needs: Vec::new(),
            dropped_at: None,
            fate: Fate::Open,
        });
        self.batches.len() - 1
    }

    /// A record was appended; its number.
    pub fn append(&mut self, batch: BatchId) -> u64 {
        self.records += 1;
        self.batches[batch].records.push(self.records);
        self.records
    }

    /// A commit at `level` is asked for: it covers every earlier batch of the lane.
    pub fn commit(&mut self, batch: BatchId, level: Durability, event: u64) {
        let seen = self.seen.clone();
        let first = &mut self.batches[batch];
        if first.committed_at.is_none() {
            first.committed_at = Some(event);
            first.needs = seen;
        }
        if level > Durability::Buffered {
            self.stamp(batch, event);
        }
    }

    /// What was committed as buffered up to `batch` takes a stamp.
    pub fn stamp(&mut self, batch: BatchId, event: u64) {
        for earlier in self.covered(batch) {
            self.batches[earlier].stamped_at.get_or_insert(event);
        }
    }

    /// A commit returned.
    pub fn acknowledge(&mut self, batch: BatchId, level: Durability, event: u64) {
        for earlier in self.covered(batch) {
            self.batches[earlier].acknowledged_at[level as usize].get_or_insert(event);
        }
    }

    /// The committed batches of this process in the lane, up to `batch`.
    fn covered(&self, batch: BatchId) -> Vec<BatchId> {
        let lane = self.batches[batch].lane;
        let of_lane = |id: &BatchId| {
            let one = &self.batches[*id];
            one.lane == lane && one.fate == Fate::Open && one.committed_at.is_some()
        };
        (0..=batch).filter(of_lane).collect()
    }

    /// A reader of this process was given a record.
    pub fn saw(&mut self, record: u64) {
        let holder = self.holder(record).filter(|batch| !self.seen.contains(batch));
        self.seen.extend(holder);
    }

    /// The batch that holds a record.
    pub fn holder(&self, record: u64) -> Option<BatchId> {
        self.batches.iter().position(|batch| batch.records.contains(&record))
    }

    /// A checkpoint behind these records is asked for.
    pub fn checkpoint(&mut self, records: &[u64], event: u64) {
        for batch in self.batches.iter_mut() {
            if batch.records.iter().any(|record| records.contains(record)) {
                batch.dropped_at.get_or_insert(event);
            }
        }
    }

    /// The process is gone, and a recovery decided. A machine that is lost takes what was kept on it along.
    pub fn settle(&mut self, came_back: &[BatchId]) {
        for (id, batch) in self.batches.iter_mut().enumerate() {
            // What a checkpoint gave up may still come back from an archive.
            let is_kept = came_back.contains(&id) || batch.dropped_at.is_some() && batch.fate != Fate::Lost;
            batch.fate = if is_kept { Fate::Kept } else { Fate::Lost };
            // Events are counted anew.
            batch.dropped_at = batch.dropped_at.map(|_| 0);
        }
        self.seen.clear();
    }

    /// The last record of a batch was refused.
    pub fn was_not_appended(&mut self, batch: BatchId) {
        self.batches[batch].records.pop();
    }

    /// A batch was taken back, or its writer is gone: it was never committed.
    pub fn give_up(&mut self, batch: BatchId) {
        self.batches[batch].records.clear();
    }

    /// The log was closed: whatever was committed survives what `level` names. Who opens it next has read nothing yet.
    pub fn closed(&mut self, level: Durability, event: u64) {
        let open = self.batches.iter_mut().filter(|batch| batch.fate == Fate::Open);
        for batch in open.filter(|batch| batch.committed_at.is_some()) {
            batch.acknowledged_at[level as usize].get_or_insert(event);
        }
        self.seen.clear();
    }
}
