//! What a log is opened with; every field has a default, and the same names serve in TOML.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use crate::archive::ArchiveConfig;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::runs::Retention;

/// What the tail is to be taken for. Nothing is claimed beyond what was probed, except where asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// As probed: persistent memory where it is, an ordinary file otherwise.
    #[default]
    Auto,
    /// An ordinary file served as if it were persistent memory: for CI and benchmarks. Everything that such a log reports
    /// says EMULATED.
    Emulated,
    /// Made durable by `msync`.
    Page,
    /// An ordinary file, also on persistent memory.
    File,
}

/// One tail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailPlace {
    /// Its file; made if it is not there.
    pub path: PathBuf,
    /// The NUMA node whose writers use it first.
    #[serde(default)]
    pub node: Option<u32>,
}

/// What an append does when the tail has no room, because NVMe has none or the drain is slower than the appends; and a
/// commit that has to write to an NVMe tier without room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// Waits up to `full_wait_ms_max`, then answers `Full` (a commit `NoRoom`).
    #[default]
    Refuse,
    /// Also slows down before: from a ring that is half full on, each new tail segment costs a pause, the longer the fuller.
    Throttle,
    /// Waits until there is room, or the log is closed.
    Block,
}

/// How a flush is done; for tools that cannot run the processor's best (valgrind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlushWith {
    /// Write back, keep the line.
    Clwb,
    /// Write back and evict, unordered.
    Clflushopt,
    /// Write back and evict, ordered.
    Clflush,
    /// No flush at all: right only where caches are persistent.
    None,
}

/// The tail tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TailConfig {
    /// What it is taken for.
    pub medium: Medium,
    /// One place per NUMA node; default: one file `tail` in the log's directory.
    pub places: Vec<TailPlace>,
    /// Lanes in each place, fixed at creation; default 4, at most 1,024 in a log.
    pub lanes: Option<u32>,
    /// Bytes of a ring's segment, a power of two from 4 KiB to 1 GiB, fixed at creation; default 4 MiB. The largest
    /// record is min(16 MiB, a quarter of it).
    pub segment_bytes: Option<u64>,
    /// Segments in a lane's ring, 4 to 64, fixed at creation; default 8.
    pub segments: Option<u32>,
    /// Forces the flush instruction; default: the best that the processor has.
    pub flush: Option<FlushWith>,
    /// Turns SIGBUS in a tail into an error of its lanes. Off: the host handles it. Default on.
    pub fault_guard: bool,
    /// How long an append waits for room before `Full`; 0 never waits. Default 10,000.
    pub full_wait_ms_max: u64,
    /// What an append does without room; default `refuse`.
    pub when_full: WhenFull,
}

impl Default for TailConfig {
    fn default() -> Self {
        TailConfig {
            medium: Medium::Auto,
            places: Vec::new(),
            lanes: None,
            segment_bytes: None,
            segments: None,
            flush: None,
            fault_guard: true,
            full_wait_ms_max: 10_000,
            when_full: WhenFull::Refuse,
        }
    }
}

/// The way in which a write to NVMe is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurableWith {
    /// One write that is durable when it returns.
    Odsync,
    /// A write, then fdatasync.
    Fdatasync,
    /// One write that is durable when it returns, polled for where the driver has queues to poll.
    Polled,
    /// One write that is durable when it completes, by io_uring.
    UringDsync,
    /// A write linked with fdatasync, in one io_uring call.
    Linked,
}

/// The NVMe tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NvmeConfig {
    /// Its directory, by the log's directory if relative; default `nvme`.
    pub path: Option<PathBuf>,
    /// Bytes of a segment file, a multiple of 4 KiB at least twice a tail segment, fixed at creation; default 32 MiB.
    pub segment_bytes: Option<u64>,
    /// Segment files kept ready, written in full, so that no commit waits for one; default 2. Where commits write to NVMe
    /// there is one for each writer at least.
    pub spare_segments: u32,
    /// Forces the way of durable writes; default: measured at open.
    pub durable: Option<DurableWith>,
    /// Whether drainers use io_uring; default true, and plain writes where it is refused.
    pub uring: bool,
    /// Drainers per tail; default 1.
    pub drainers: u32,
    /// Lets a directory without a block device below (tmpfs, overlay, a network) serve `Power`, which it is not known to
    /// keep: reports are marked. Default false.
    pub accept_volatile: bool,
    /// Bytes that segment files and the reserve may take, so that the log is full before the file system is; 0, the default:
    /// as many as there are.
    pub quota_bytes: u64,
    /// Room set aside, in a file that holds nothing else, for recovery on a full disk; 0 for none. Default: what the largest
    /// recovery of this log needs, at most 1 GiB.
    pub reserve_bytes: Option<u64>,
    /// How fast the scrubber reads what the tier holds, to find damage before it is needed; 0 for no scrubber. Default
    /// 4 MiB.
    pub scrub_bytes_per_second: u64,
    /// How long the scrubber rests between two passes, in milliseconds; default a day. The first begins a minute after the
    /// open, or sooner.
    pub scrub_every_ms: u64,
    /// What is kept although nobody needs it any more; default nothing.
    pub retain: Retention,
    /// Whether what was written is read back before the tail gives it up, when lanes are quiet or half of a ring is taken;
    /// default true.
    pub read_back: bool,
}

impl Default for NvmeConfig {
    fn default() -> Self {
        NvmeConfig {
            path: None,
            segment_bytes: None,
            spare_segments: 2,
            durable: None,
            uring: true,
            drainers: 1,
            accept_volatile: false,
            quota_bytes: 0,
            reserve_bytes: None,
            scrub_bytes_per_second: 4 << 20,
            scrub_every_ms: 86_400_000,
            retain: Retention::default(),
            read_back: true,
        }
    }
}

/// What a log is opened with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The log's directory; made if it is not there and `create` says so.
    pub dir: PathBuf,
    /// Makes the log if there is none; default true.
    pub create: bool,
    /// Goes on with a directory that was copied or moved, as the only copy. In a directory that was neither, and whose
    /// archive another owner has taken over, takes the archive back: what that owner wrote becomes void.
    pub adopt: bool,
    /// Begins another archive, at an address where there is none: what this directory holds goes there. For a log whose
    /// archive was taken over or given up.
    pub fork: bool,
    /// Goes on without a lost tail; what was only there is given up, and reported.
    pub accept_loss: bool,
    /// Opens although only this one open still fits the open record, so that a checkpoint can be made; default false.
    pub last_open: bool,
    /// How long an open waits for another owner to go away (a killed one's last I/O); default 2,000.
    pub lock_wait_ms_max: u64,
    /// How far an observed stamp may lead UTC; default 60,000.
    pub lead_ms_max: u64,
    /// The tail tier.
    pub tail: TailConfig,
    /// The NVMe tier.
    pub nvme: NvmeConfig,
    /// The object tier.
    pub archive: ArchiveConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            dir: PathBuf::from("log"),
            create: true,
            adopt: false,
            fork: false,
            accept_loss: false,
            last_open: false,
            lock_wait_ms_max: 2_000,
            lead_ms_max: 60_000,
            tail: TailConfig::default(),
            nvme: NvmeConfig::default(),
            archive: ArchiveConfig::default(),
        }
    }
}

impl Config {
    /// The defaults for a log in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Config { dir: dir.into(), ..Config::default() }
    }

    /// The same log with its tail served as persistent memory although it is not.
    pub fn emulated(mut self) -> Self {
        self.tail.medium = Medium::Emulated;
        self
    }

    /// The tails' files, one at least.
    pub(crate) fn tail_places(&self) -> Vec<TailPlace> {
        if self.tail.places.is_empty() {
            return vec![TailPlace { path: self.dir.join("tail"), node: None }];
        }
        let absolute = |place: &TailPlace| TailPlace { path: self.dir.join(&place.path), node: place.node };
        self.tail.places.iter().map(absolute).collect()
    }

    pub(crate) fn nvme_path(&self) -> PathBuf {
        self.dir.join(self.nvme.path.as_deref().unwrap_or(Path::new("nvme")))
    }

    /// The sizes of a new log.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that is out of range.
    pub(crate) fn geometry(&self) -> Result<Geometry> {
        let tails = self.tail_places().len() as u32;
        let geometry = Geometry {
            tails,
            lanes: self.tail.lanes.unwrap_or(4).saturating_mul(tails),
            segment_bytes: self.tail.segment_bytes.unwrap_or(4 << 20),
            segments: self.tail.segments.unwrap_or(8),
            nvme_segment_bytes: self.nvme.segment_bytes.unwrap_or(32 << 20),
        };
        geometry.check()?;
        Ok(geometry)
    }

    /// Whether what was asked for explicitly is what the log was made with.
    pub(crate) fn agrees(&self, with: &Geometry) -> Result<()> {
        let per_tail = with.lanes / with.tails.max(1);
        let asked = [
            ("tail.lanes", self.tail.lanes.map(u64::from), u64::from(per_tail)),
            ("tail.segment_bytes", self.tail.segment_bytes, with.segment_bytes),
            ("tail.segments", self.tail.segments.map(u64::from), u64::from(with.segments)),
            ("nvme.segment_bytes", self.nvme.segment_bytes, with.nvme_segment_bytes),
            ("tail.places", Some(self.tail_places().len() as u64), u64::from(with.tails)),
        ];
        for (name, asked, made) in asked {
            if asked.is_some_and(|asked| asked != made) {
                let dir = self.dir.display();
                let message = format!(
                    "{dir}: {name} is {made} since the log was made; leave it out, or make a new log"
                );
                return Err(Error::Config(message));
            }
        }
        Ok(())
    }
}
