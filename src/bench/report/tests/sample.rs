//! Results of a run that never was, with the shape of one that could be.

use std::collections::BTreeMap;

use crate::bench::latency::Latencies;
use crate::bench::results::{
    Figure, Group, Latency, Machine, Medium, Moment, Noise, Point, Ratio, Results, SCHEMA, Skipped, Spread,
    Stall,
};

/// Survives what on which medium.
const TAIL: (&str, &str) = ("tail", "power loss (EMULATED)");
const DISK: (&str, &str) = ("nvme", "power loss");

/// All sections have something to show.
pub(super) fn results() -> Results {
    let figures = [primitives(), device(), nodes(), engine(), peers(), costs()].concat();
    Results {
        schema: SCHEMA.into(),
        version: "0.1.0".into(),
        command: ["tierlog", "bench", "standard", "--tail", "/mnt/a b"].map(String::from).into(),
        profile: "standard".into(),
        began_unix_ms: 1_795_267_440_000,
        took_ms: 612_000,
        machine: machine(),
        noise: Noise {
            load: [0.31, 1.94],
            steal: 0.013,
            gaps_ns: vec![4_812_000, 812_000, 96_000],
            drift: -0.004,
            spread: 0.083,
            warnings: vec!["another process took 0.6 of a processor".into()],
        },
        figures,
        skipped: vec![Skipped {
            what: "MOVDIR64B".into(),
            why: "this processor has no such instruction".into(),
        }],
        verdict: vec![
            "A commit of 64 B costs 1.08 times the raw persist at the median.".into(),
            "Its p99.9 is set by preemption: the machine was noisy.".into(),
        ],
    }
}

fn machine() -> Machine {
    let medium = |name: &str, path: &str, description: &str, emulated| Medium {
        name: name.into(),
        path: path.into(),
        description: description.into(),
        emulated,
    };
    Machine {
        host: "bench-1".into(),
        cpu: "AMD EPYC 9R14".into(),
        cpus: 4,
        nodes: 2,
        memory_bytes: 64 << 30,
        kernel: "6.18.0".into(),
        facts: [("hypervisor", "KVM"), ("flush instructions", "clwb, clflushopt, clflush")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        media: vec![
            medium("tail", "/dev/shm/tail", "tmpfs, served as if persistent", true),
            medium("nvme", "/srv/log", "ext4 on /dev/nvme0n1, volatile write cache, flushed", false),
        ],
    }
}

/// Times around a median with a tail, the same at each call.
pub(super) fn latency(median_ns: f64, seed: u64) -> Latency {
    let mut latencies = Latencies::default();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..40_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let tail = if share > 0.999 { 40.0 } else { 1.0 };
        latencies.record((median_ns * (0.9 + 0.15 * share + 0.004 / (1.0001 - share)) * tail) as u64);
    }
    latencies.quantiles().expect("samples")
}

fn spread(median: f64) -> Spread {
    Spread { min: median * 0.93, median, max: median * 1.04 }
}

fn figure(
    group: Group,
    what: &str,
    by: &str,
    at: Point,
    (medium, promise): (&str, &str),
    median_ns: f64,
) -> Figure {
    let threads = f64::from(at.threads.unwrap_or(1));
    let seed = median_ns.to_bits();
    let bytes = at.size_bytes.map(|bytes| spread(bytes as f64 * threads * 1e9 / median_ns));
    Figure {
        group,
        what: what.into(),
        by: by.into(),
        medium: medium.into(),
        promise: promise.into(),
        runs: 5,
        per_s: Some(spread(threads * 1e9 / median_ns)),
        bytes_per_s: bytes,
        latency: Some(latency(median_ns, seed)),
        response: None,
        ratio: None,
        timeline: Vec::new(),
        stalls: Vec::new(),
        counted: BTreeMap::new(),
        note: None,
        at,
    }
}

fn size(bytes: u64) -> Point {
    Point { size_bytes: Some(bytes), ..Point::default() }
}

fn primitives() -> Vec<Figure> {
    let ways = [("clwb", 1.0), ("clflushopt", 1.1), ("clflush", 2.2), ("nt store", 0.8)];
    let mut figures = Vec::new();
    for bytes in [64, 256, 1024, 4096, 65_536] {
        for (by, factor) in ways {
            let ns = factor * (90.0 + bytes as f64 * 0.11);
            figures.push(figure(Group::Primitive, "persist", by, size(bytes), TAIL, ns));
        }
        figures.push(figure(Group::Primitive, "persist", "msync", size(bytes), ("tail", "kill -9"), 2100.0));
    }
    figures
}

fn device() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (by, ns) in [("O_DSYNC", 21_000.0), ("RWF_DSYNC", 20_000.0), ("fdatasync", 38_000.0)] {
        for (bytes, depth) in [(4096, 1), (4096, 8), (65_536, 1), (65_536, 8)] {
            let at = Point { depth: Some(depth), ..size(bytes) };
            let ns = ns * (1.0 + bytes as f64 / 50_000.0) * (1.0 + f64::from(depth) / 9.0);
            figures.push(figure(Group::Device, "write", by, at, DISK, ns));
        }
    }
    figures
}

fn nodes() -> Vec<Figure> {
    let at = |cpu, memory| Point { cpu_node: Some(cpu), memory_node: Some(memory), ..size(64) };
    let pairs = [(0, 0, 97.0), (0, 1, 171.0), (1, 0, 169.0), (1, 1, 99.0)];
    pairs.map(|(cpu, memory, ns)| figure(Group::Numa, "persist", "clwb", at(cpu, memory), TAIL, ns)).into()
}

fn engine() -> Vec<Figure> {
    let mut figures = Vec::new();
    for bytes in [64, 256, 1024] {
        for (by, ns) in [("raw loop", 100.0), ("tierlog", 108.0)] {
            let ns = ns * (0.7 + bytes as f64 / 200.0);
            let mut one = figure(Group::Engine, "commit", by, size(bytes), TAIL, ns);
            let value = Spread { min: 1.04, median: 1.08, max: 1.15 };
            one.ratio = (by == "tierlog").then(|| Ratio { to: "raw loop".into(), of: "p50".into(), value });
            figures.push(one);
        }
    }
    for (by, lost) in [("raw loops", 0.02), ("tierlog", 0.06)] {
        for threads in [1, 2, 4, 8] {
            let at = Point { threads: Some(threads), ..size(64) };
            figures.push(figure(
                Group::Engine,
                "commit",
                by,
                at,
                TAIL,
                100.0 * (1.0 + lost * f64::from(threads)),
            ));
        }
    }
    figures.push(open_loop());
    figures
}

fn open_loop() -> Figure {
    let at = Point { rate_per_s: Some(100_000), ..size(256) };
    let mut open = figure(Group::Engine, "commit at a rate", "tierlog", at, TAIL, 210.0);
    open.response = Some(latency(290.0, 3));
    let moment =
        |i: u64| Moment { at_ms: i * 100, p50_ns: 205 + i % 9, max_ns: 9_000 + (i * 7_919) % 70_000 };
    open.timeline = (0..600).map(moment).collect();
    open.timeline[220].max_ns = 4_812_000;
    open.stalls = vec![
        Stall { at_ms: 22_041.3, ns: 4_812_000, why: "preempted: the processor ran something else".into() },
        Stall { at_ms: 41_800.0, ns: 78_900, why: String::new() },
    ];
    open
}

fn peers() -> Vec<Figure> {
    let logs = [("tierlog", 108.0), ("libpmemlog", 240.0), ("rocksdb", 4_100.0), ("sqlite", 19_500.0)];
    let mut figures = Vec::new();
    for (by, ns) in logs {
        for threads in [1, 2] {
            let at = Point { threads: Some(threads), ..size(64) };
            let note = (ns > 1_000.0).then(|| "its software alone".into());
            figures.push(Figure { note, ..figure(Group::Peers, "commit", by, at, TAIL, ns) });
        }
    }
    for (by, ns) in [("tierlog", 22_000.0), ("rocksdb", 24_000.0), ("sqlite", 61_000.0)] {
        figures.push(figure(Group::Peers, "commit", by, size(64), DISK, ns));
    }
    figures
}

fn costs() -> Vec<Figure> {
    let one = |lanes: u32| {
        let at = Point { lanes: Some(lanes), ..size(64) };
        let mut one = figure(Group::Cost, "commit", "tierlog", at, TAIL, 108.0);
        let counted =
            [("instructions", 412.0), ("cache_misses", 0.08 * f64::from(lanes)), ("bytes_per_byte", 2.0)];
        one.counted = counted.map(|(name, value)| (name.into(), value)).into();
        one
    };
    [1, 8, 64].map(one).into()
}
