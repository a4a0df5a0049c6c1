//! What is said when everything is appended.

use serde::Serialize;

use super::command::Done;
use crate::cli::ending::Failure;
use crate::cli::figures::{count, duration};
use crate::cli::latency::{Latencies, Quantiles};
use crate::durability::Durability;
use crate::number::Lane;
use crate::report::Media;

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    emulated: bool,
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    commits: u64,
    lanes: Vec<Lane>,
    level: Durability,
    kept: String,
    /// From a batch's first append to the return of its commit; none if nothing was committed.
    latency_ns: Option<Quantiles>,
}

impl Summary {
    pub(super) fn new(done: &Done, level: Durability, media: &Media) -> Self {
        let mut latencies = Latencies::new();
        done.lanes.iter().for_each(|lane| latencies.add(&lane.latencies));
        let records = done.lanes.iter().map(|lane| lane.records).sum();
        Summary {
            emulated: media.emulated,
            records,
            bytes: done.lanes.iter().map(|lane| lane.bytes).sum(),
            seconds: done.seconds,
            records_per_second: if done.seconds > 0.0 { records as f64 / done.seconds } else { 0.0 },
            commits: done.lanes.iter().map(|lane| lane.commits).sum(),
            lanes: done.lanes.iter().map(|lane| lane.lane).collect(),
            level,
            kept: match level {
                Durability::Buffered => "queued in the tail, durable since the log was closed".into(),
                Durability::Process => media.process.clone(),
                Durability::Power => media.power.clone(),
                Durability::Machine => media.machine.clone(),
            },
            latency_ns: (latencies.count() > 0).then(|| latencies.quantiles()),
        }
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let text =
            serde_json::to_string(self).map_err(|error| Failure::Failed(format!("as JSON: {error}")))?;
        Ok(text + "\n")
    }

    pub(super) fn text(&self) -> String {
        let mark = if self.emulated { "EMULATED: " } else { "" };
        let lanes = if self.lanes.len() == 1 { "lane" } else { "lanes" };
        let mut text = format!(
            "{mark}{} records, {} bytes in {} through {} {lanes}: {} records/s\n",
            count(self.records),
            count(self.bytes),
            duration((self.seconds * 1e9) as u64),
            self.lanes.len(),
            count(self.records_per_second as u64),
        );
        if let Some(Quantiles { p50, p99, p99_9, max, .. }) = self.latency_ns {
            let [p50, p99, p99_9, max] = [p50, p99, p99_9, max].map(duration);
            let commits = count(self.commits);
            text += &format!("{mark}{commits} commits: p50 {p50}, p99 {p99}, p99.9 {p99_9}, max {max}\n");
        }
        text + &format!("{}: {}\n", self.level, self.kept)
    }
}
