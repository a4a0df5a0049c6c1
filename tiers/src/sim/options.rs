//! What a simulated world is made of.

use super::Mutant;
use crate::tail::TailMedium;

/// What a [`World`](super::World) is made of. The default is one persistent-memory tail behind ADR, one directory on a
/// device with a volatile write cache, and an object store.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// Mixed into the boot id; worlds of one seed are the same. Default 0.
    pub seed: u64,
    /// The places for tails; a tail is there once it is created.
    pub tails: Vec<TailOptions>,
    /// The directories.
    pub nvme: Vec<NvmeOptions>,
    /// The object store.
    pub objects: ObjectOptions,
    /// The clocks.
    pub clock: ClockOptions,
    /// A promise to break. Default none.
    pub mutant: Option<Mutant>,
}

impl Default for WorldOptions {
    fn default() -> WorldOptions {
        WorldOptions {
            seed: 0,
            tails: vec![TailOptions::default()],
            nvme: vec![NvmeOptions::default()],
            objects: ObjectOptions::default(),
            clock: ClockOptions::default(),
            mutant: None,
        }
    }
}

/// One tail.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// What the memory is; by default persistent memory whose caches are lost with the power.
    ///
    /// - `FsDax { eadr: false }`, `DevDax` likewise, and `Emulated`: by cache line, as the module says;
    /// - `FsDax { eadr: true }`: what is visible is durable, streams once they are fenced;
    /// - `Page`: durable once the fence has called msync, whole pages at a time; before that as by cache line;
    /// - `File`: survives a kill. A power cut leaves any of what was stored since the last write from a cold path.
    pub medium: TailMedium,
    /// What [`TailLane::crossover`](crate::tail::TailLane::crossover) answers where lines are flushed. Default 256.
    pub crossover: usize,
    /// How a plain store takes effect.
    pub tearing: Tearing,
    /// The tail lies in memory: after a power cut it is missing. Default `false`.
    pub in_memory: bool,
}

impl Default for TailOptions {
    fn default() -> TailOptions {
        TailOptions {
            medium: TailMedium::FsDax { eadr: false },
            crossover: 256,
            tearing: Tearing::Words,
            in_memory: false,
        }
    }
}

/// How the bytes of one plain store, of any length, take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tearing {
    /// As stores of whole words in ascending order. The default.
    Words,
    /// As stores of whole words in an order that is not known, as memcpy may do.
    Shuffled,
    /// As stores of bytes in ascending order.
    Bytes,
}

/// One directory.
#[derive(Debug, Clone)]
pub struct NvmeOptions {
    /// What the device writes whole or not at all: 512 bytes by default, or 4,096.
    pub sector_bytes: u64,
    /// What [`Nvme::power_safe`](crate::nvme::Nvme::power_safe) answers. Default `true`.
    pub power_safe: bool,
    /// Completed writes are lost with the power until the file is flushed. Default `true`.
    pub volatile_cache: bool,
    /// What an open waits, in stepped time, for a file that is locked: 5,000 ms by default.
    pub lock_wait_ms_max: u64,
    /// Writes of a queue that are under way at a time: 32 by default.
    pub queue_depth: usize,
    /// How long after a kill the writes of the killed process land, in ms; their files stay locked until then.
    /// Default 0: what lands has landed before anybody looks.
    pub late_ms: u64,
}

impl Default for NvmeOptions {
    fn default() -> NvmeOptions {
        NvmeOptions {
            sector_bytes: 512,
            power_safe: true,
            volatile_cache: true,
            lock_wait_ms_max: 5_000,
            queue_depth: 32,
            late_ms: 0,
        }
    }
}

/// The object store.
#[derive(Debug, Clone)]
pub struct ObjectOptions {
    /// Whether what is acknowledged there survives the machine. Default `true`.
    pub machine_safe: bool,
    /// What a probe finds: whether the store can fence. Default `true`; a [`Mutant`] escapes the probe.
    pub fences: bool,
    /// After a crash, requests under way may be applied only after so many operations of the successor, beside being
    /// applied at once or never. Default none: they are not late.
    pub late_operations: Option<u64>,
}

impl Default for ObjectOptions {
    fn default() -> ObjectOptions {
        ObjectOptions { machine_safe: true, fences: true, late_operations: None }
    }
}

/// The clocks, one a host. Their time is what [`World::step`](super::World::step) says and moves by itself only as told
/// here.
#[derive(Debug, Clone)]
pub struct ClockOptions {
    /// Time at the start, in nanoseconds since 1970. Default 2020-09-13T12:26:40Z.
    pub start_ns: u64,
    /// What every look at a clock adds to the time of all. Default 1,000 ns; with 0 a caller that waits for the time to
    /// pass waits forever.
    pub tick_ns: u64,
    /// How far each host's clock is ahead. Default one host, exact.
    pub skew_ns: Vec<i64>,
}

impl Default for ClockOptions {
    fn default() -> ClockOptions {
        ClockOptions { start_ns: 1_600_000_000_000_000_000, tick_ns: 1_000, skew_ns: vec![0] }
    }
}
