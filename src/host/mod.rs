//! What a log stands on: where its bytes lie, who turns its background work, what time it is. [`Machine`] is this
//! machine; a simulation is another.
//!
//! Contents: the seams ([`Host`], [`Env`], [`Worker`], [`Running`]), [`Bell`], and [`Machine`].

mod bell;
mod machine;
#[cfg(feature = "sim")]
mod simulated;
mod thread;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tierlog_numa::Node;
use tierlog_tiers::clock::Clock;
use tierlog_tiers::nvme::{FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::tail::{Shutdowns, Tail, TailRead};

pub use bell::Bell;
pub use machine::Machine;
#[cfg(feature = "sim")]
pub use simulated::Simulation;
#[cfg(all(test, loom))]
pub(crate) use thread::work;

use crate::config::{ArchiveConfig, Config, TailPlace};
use crate::error::Result;
use crate::number::{Incarnation, LogId};

/// Time, waiting and chance. Nothing of it is on the hot path.
pub trait Env: fmt::Debug + Send + Sync {
    /// Time since some moment; never runs backwards.
    fn now(&self) -> Duration;
    /// Waits in the foreground, holding no lock. A simulation lets others run meanwhile.
    fn sleep(&self, how_long: Duration);
    /// Waits until `bell` has rung more often than `heard`, at most `how_long`.
    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration);
    /// Random bytes, for identities.
    fn random(&self, into: &mut [u8]);
    /// How many threads may share a recovery.
    fn threads(&self) -> usize;
}

/// A background task, done a turn at a time.
pub trait Worker: Send {
    /// Does what is due. How long it may rest then, or `None` when it has ended.
    fn turn(&mut self) -> Option<Duration>;
    /// Cuts its rests short.
    fn bell(&self) -> Arc<Bell>;
}

/// A worker under way.
pub trait Running: Send {
    /// Waits for its end, which somebody must have asked for.
    fn join(self: Box<Self>);
}

/// Where a log lies and runs.
pub trait Host: Env + Sized + 'static {
    /// Its tails.
    type Tail: Tail;

    /// A tail that is not power-safe does not survive a change of it.
    ///
    /// # Errors
    /// I/O errors.
    fn boot_id(&self) -> Result<[u8; 16]>;
    /// Where stamps come from.
    fn clock(&self) -> Arc<dyn Clock>;
    /// What lies where the NVMe tier goes; nothing where there is no directory yet.
    ///
    /// # Errors
    /// I/O errors.
    fn nvme_files(&self, config: &Config) -> Result<Vec<FileName>>;
    /// The NVMe tier; its directory is made where `config.create` says so. Whoever opens its superblock for writing owns
    /// the log.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) where there is none; I/O errors.
    fn nvme(&self, config: &Config) -> Result<Arc<dyn Nvme>>;
    /// A tail to be read only, without a lock; `None` where there is none.
    ///
    /// # Errors
    /// I/O errors.
    fn view_tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<dyn TailRead>>>;
    /// A tail that is there, locked; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked), a refusal for what is no tail, I/O errors.
    fn tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<Self::Tail>>>;
    /// A new tail of `bytes` zeros, in the place of whatever is there; its name is durable.
    ///
    /// # Errors
    /// As for [`tail`](Host::tail).
    fn new_tail(&self, config: &Config, place: &TailPlace, bytes: u64) -> Result<Arc<Self::Tail>>;
    /// The object tier; `None` if none is configured.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) where the store, or this build, cannot serve the address.
    fn objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>>;
    /// The same to be read only: nothing is made, and a directory without an archive is none.
    ///
    /// # Errors
    /// As for [`objects`](Host::objects); [`Error::Config`](crate::Error::Config) where nobody has archived.
    fn view_objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        self.objects(config)
    }
    /// Tells those that are refused, and those that look on, who owns the log and what its `nvme` tier was found to be.
    ///
    /// # Errors
    /// I/O errors.
    fn sign(&self, config: &Config, nvme: &dyn Nvme) -> Result<()>;
    /// Who signed last, in words.
    fn owner(&self, config: &Config) -> String;
    /// Words that views in other processes can see, for one open.
    ///
    /// # Errors
    /// I/O errors.
    fn board(&self, config: &Config, log: LogId, open: Incarnation, words: usize) -> Result<Page>;
    /// Takes an open's board away, as far as it is there.
    fn drop_board(&self, config: &Config, log: LogId, open: Incarnation);
    /// Takes the signature away.
    fn leave(&self, config: &Config);
    /// What the DIMMs below a tail have counted, where they do.
    fn shutdowns(&self, _: &TailPlace) -> Option<Shutdowns> {
        None
    }
    /// The NUMA node of a tail, where it is known.
    fn node_of(&self, place: &TailPlace) -> Option<Node>;
    /// The NUMA node of the calling thread.
    fn here(&self) -> Node;
    /// Starts a worker, beside `node` if that is known.
    ///
    /// # Errors
    /// I/O errors.
    fn start(&self, name: String, node: Option<Node>, worker: Box<dyn Worker>) -> Result<Box<dyn Running>>;
}
