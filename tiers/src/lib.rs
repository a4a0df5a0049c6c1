//! Durable bytes at offsets: the tiers below [tierlog](https://docs.rs/tierlog).
//!
//! A tier says which bytes are durable; the engine above says what they mean.
//!
//! - [`tail`]: byte-addressable memory, mapped (persistent memory or a plain file)
//! - [`nvme`]: a directory of files, written in whole blocks
//! - [`object`]: a numbered sequence of objects
//! - `sim` (feature): all of these simulated, to test recovery in
//! - [`page`]: words shared between processes
//! - [`checksum`], [`clock`], [`membarrier`], [`shortage`]: what the engine needs of the processor and the system
//! - [`raw`], [`heap`]: for measurements: the loop that a commit is compared with; free memory given back
//! - [`sync`]: what threads share, std's or a model checker's

mod ahead;
pub mod checksum;
pub mod clock;
pub mod heap;
pub mod membarrier;
pub mod nvme;
pub mod object;
// A word of a mapped file cannot be watched.
#[cfg_attr(any(loom, shuttle), path = "sync/page.rs")]
pub mod page;
pub mod persist;
pub mod raw;
pub mod shortage;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sync;
pub mod tail;
