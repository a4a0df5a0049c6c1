//! What is kept of a run: `results.json`, and all that a report or a comparison is made from.
//!
//! Invariants: every figure names its medium and its promise; a figure is compared only with one of the same promise; a
//! quantile with fewer than ten samples beyond it is absent. Units are in the names: `_ns`, `_bytes`, `_per_s`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod label;
mod read;

pub use read::ReadError;

/// The schema's name and version; a reader refuses another.
pub const SCHEMA: &str = "tierlog-bench/1";

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of tierlog.
    pub version: String,
    /// The command line that made it.
    pub command: Vec<String>,
    /// Profile or job file.
    pub profile: String,
    /// Start, in ms since 1970, UTC.
    pub began_unix_ms: u64,
    /// Duration in ms.
    pub took_ms: u64,
    /// Where it ran.
    pub machine: Machine,
    /// How quiet it was.
    pub noise: Noise,
    /// What was measured, in the order in which it was.
    pub figures: Vec<Figure>,
    /// What could not be, and why.
    pub skipped: Vec<Skipped>,
    /// The result in sentences.
    pub verdict: Vec<String>,
}

/// Facts of the machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Processor's model.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: u32,
    /// NUMA nodes.
    pub nodes: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Kernel's release.
    pub kernel: String,
    /// Other facts that matter to latencies (hypervisor, governor, kernel's command line, flush instructions, ...): name to
    /// value, for people.
    pub facts: BTreeMap<String, String>,
    /// What was measured on.
    pub media: Vec<Medium>,
}

/// A medium that figures name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Medium {
    /// What figures call it: `tail`, `nvme`, `memory`, `object`.
    pub name: String,
    /// Where.
    pub path: String,
    /// What was probed, for people.
    pub description: String,
    /// Ordinary memory in the place of persistent memory.
    pub emulated: bool,
}

/// How much else went on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Noise {
    /// Load average over a minute, before and after.
    pub load: [f64; 2],
    /// Share of the processors' time that the hypervisor took, 0 to 1.
    pub steal: f64,
    /// The longest times for which a thread that only spins did not run, longest first, in ns.
    pub gaps_ns: Vec<u64>,
    /// Change of the processor's speed between the beginning and the end, 0.02 for 2%.
    pub drift: f64,
    /// Median over all yardsticks of their spread ((max - min) / median) between runs, 0.1 for 10%.
    pub spread: f64,
    /// Too noisy to believe tails or small differences: why. Empty on a quiet machine.
    pub warnings: Vec<String>,
}

/// The part of the suite that a figure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Instructions on the tail's memory.
    Primitive,
    /// Ways to a durable write on the NVMe tier.
    Device,
    /// Nodes by nodes.
    Numa,
    /// The log itself.
    Engine,
    /// Other logs beside it.
    Peers,
    /// What it costs, against lanes and sizes.
    Cost,
}

/// One figure: one contestant at one point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    /// Part of the suite.
    pub group: Group,
    /// What is done: `persist`, `read`, `commit`, `append`, `drain`, `recover`, `follow`, ...
    pub what: String,
    /// Who does it, or how: `clwb`, `fdatasync`, `tierlog`, `raw loop`, `rocksdb`, ...
    pub by: String,
    /// At which point.
    #[serde(flatten)]
    pub at: Point,
    /// Name of the medium in [`Machine::media`].
    pub medium: String,
    /// What the result survived, for people and as the key for comparisons: `power loss`, `kill -9 (EMULATED)`, `nothing`.
    pub promise: String,
    /// Times that it was measured, in turns with the others.
    pub runs: u32,
    /// Operations a second, over the runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub per_s: Option<Spread>,
    /// Bytes a second, over the runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_per_s: Option<Spread>,
    /// Time of an operation, from when it was started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency: Option<Latency>,
    /// Time of an operation, from when it should have been started: free of coordinated omission. Open loop only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<Latency>,
    /// Time per operation beside the yardstick's of the same run, above 1 is slower.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ratio: Option<Ratio>,
    /// Median and maximum over time, open loop and long runs only.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub timeline: Vec<Moment>,
    /// The worst, worst first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stalls: Vec<Stall>,
    /// Whatever else was counted, units in the names: `instructions`, `cache_misses`, `cycles`, `bytes_per_byte`, ...
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub counted: BTreeMap<String, f64>,
    /// A sentence that has to stand beside it, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Figure {
    /// One without a value yet.
    pub fn new(group: Group, what: &str, by: &str, at: Point, medium: &str, promise: &str) -> Figure {
        Figure {
            group,
            what: what.into(),
            by: by.into(),
            at,
            medium: medium.into(),
            promise: promise.into(),
            runs: 0,
            per_s: None,
            bytes_per_s: None,
            latency: None,
            response: None,
            ratio: None,
            timeline: Vec::new(),
            stalls: Vec::new(),
            counted: BTreeMap::new(),
            note: None,
        }
    }
}

/// Where in the space of parameters a figure lies; what does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    /// Bytes of one record or one write.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size_bytes: Option<u64>,
    /// Threads at work.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threads: Option<u32>,
    /// Records a commit, or stores a fence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<u32>,
    /// Requests in flight.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub depth: Option<u32>,
    /// Lanes of the log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lanes: Option<u32>,
    /// Arrivals a second, open loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_per_s: Option<u64>,
    /// Node of the processor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_node: Option<u32>,
    /// Node of the memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_node: Option<u32>,
}

/// Over runs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

/// Times, in ns; the timer's own cost is subtracted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Latency {
    /// Samples.
    pub count: u64,
    /// Mean.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// 90 of 100 are not above.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p90_ns: Option<u64>,
    /// 99 of 100 are not above.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p99_ns: Option<u64>,
    /// 999 of 1,000 are not above.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p99_9_ns: Option<u64>,
    /// 9,999 of 10,000 are not above.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p99_99_ns: Option<u64>,
    /// Largest.
    pub max_ns: u64,
    /// The whole curve: (share of samples not above, ns), rising, to be drawn over a log scale of 1 / (1 - share).
    pub curve: Vec<(f64, u64)>,
}

/// Beside a yardstick.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ratio {
    /// The yardstick's `by`.
    pub to: String,
    /// What was divided: `time` (mean of bursts), `p50`, `p99`.
    pub of: String,
    /// Round by round.
    pub value: Spread,
}

/// A slice of time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Moment {
    /// Since the figure's beginning, in ms.
    pub at_ms: u64,
    /// Median of the slice.
    pub p50_ns: u64,
    /// Maximum of the slice.
    pub max_ns: u64,
}

/// One long operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stall {
    /// Since the figure's beginning, in ms.
    pub at_ms: f64,
    /// How long.
    pub ns: u64,
    /// What is known of its cause (a preemption, a wait for room in the ring), or nothing.
    pub why: String,
}

/// Not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What.
    pub what: String,
    /// Why, and what would make it possible.
    pub why: String,
}
