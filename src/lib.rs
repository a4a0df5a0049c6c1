//! A write-ahead log for people who cannot afford an fsync.
//!
//! A thread appends records to a log of its own (a *lane*), in a *tail* of persistent memory; a commit is one SFENCE.
//! Drainers move the bytes to NVMe, an archiver moves them on to object storage, and the same code runs on an ordinary
//! machine, where the tail is a plain mapped file and [`Log::media`] says so.
//!
//! ```
//! use tierlog::{Config, Cut, Durability, Log};
//!
//! # fn main() -> Result<(), tierlog::Error> {
//! let dir = std::env::temp_dir().join(format!("tierlog-doc-{}", std::process::id()));
//! // Memory served as if it were persistent, for a first try; without the word: what this machine has.
//! let (log, _recovered) = Log::open(Config::new(&dir).emulated())?;
//! let mut writer = log.writer()?;
//! writer.append(7, b"buy 100 at 585.33")?;
//! writer.append(7, b"sell 40 at 585.35")?;
//! let commit = writer.commit(Durability::Power)?; // both records, or neither
//! assert!(commit.reached >= Durability::Power);
//! drop(writer);
//!
//! let mut reader = log.reader(&Cut::start())?;
//! while let Some(record) = reader.next()? {
//!     println!("{} {}: {}", record.gsn, record.lane, String::from_utf8_lossy(record.payload));
//! }
//! log.close()?;
//! # std::fs::remove_dir_all(dir).ok();
//! # Ok(())
//! # }
//! ```
//!
//! What each level survives on which medium is in `docs/DURABILITY.md`, what lies on media in `docs/FORMAT.md`.

#![forbid(unsafe_code)]

mod archive;
#[cfg(feature = "cli")]
pub mod bench;
mod board;
mod catalogue;
#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod durability;
mod engine;
mod error;
mod format;
mod frame;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod geometry;
pub mod host;
mod lane;
mod log;
mod mark;
mod media;
mod number;
mod open;
mod order;
mod read;
mod reaper;
mod recover;
mod repair;
mod report;
mod restore;
mod runs;
mod shared;
mod side_by_side;
mod slot;
mod ticket;
mod verify;
mod view;
mod writer;

pub use archive::{Compression, probe_store};
pub use config::{
    ArchiveConfig, Config, DurableWith, FlushWith, Medium, NvmeConfig, TailConfig, TailPlace, WhenFull,
};
pub use durability::{Commit, Durability};
pub use error::{Error, Refusal, Remedy, Result};
pub use format::FORMAT_VERSION;
pub use log::Log;
pub use mark::Mark;
pub use number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn, Position, Stamp};
pub use open::{LaneRecovered, Pass, Recovered};
pub use read::{Cut, LaneReader, Merged, Record};
pub use repair::{Mended, Repaired, repair};
pub use report::{LaneMetrics, LaneWatermarks, Media, Metrics, Requests};
pub use restore::{Progress, RestoreOptions, Restored, Until, restore, restore_on, restore_to};
pub use runs::{HeldBy, Retention};
pub use shared::Shared;
pub use slot::{Slot, SlotInfo, SlotLimit};
pub use ticket::Ticket;
pub use verify::{Finding, Verified, verify};
pub use view::View;
pub use writer::{Claim, Writer};
/// A simulated world to test recovery in: tails, directories, objects and clocks that crash when a test says, and as the
/// real ones do. [`host::Simulation`] opens a log there.
#[cfg(feature = "sim")]
pub mod sim {
    pub use tierlog_tiers::sim::*;
    pub use tierlog_tiers::tail::TailMedium;
}

#[cfg(all(test, loom))]
#[path = "../tests/loom/mod.rs"]
mod models;
