//! The object tier: immutable objects in a store, of which a numbered sequence is created one by one.
//!
//! Contents: the seam ([`Objects`]) and its implementation over `object_store` ([`Sequence`], feature `object`; stores on
//! a network with feature `cloud`).

#[cfg(feature = "object")]
mod address;
#[cfg(feature = "cloud")]
mod cloud;
mod count;
#[cfg(feature = "object")]
mod directory;
#[cfg(feature = "object")]
mod error;
mod name;
#[cfg(feature = "object")]
mod probe;
#[cfg(feature = "object")]
mod secret;
#[cfg(feature = "object")]
mod sequence;
#[cfg(feature = "object")]
mod store;
#[cfg(all(test, feature = "object"))]
mod tests;
#[cfg(feature = "object")]
mod worker;

use std::fmt;
use std::sync::Arc;

pub use count::{Counter, Counts};
pub use name::{DataName, Name};
#[cfg(feature = "object")]
pub use sequence::{Sequence, SequenceOptions};

/// The largest object read back, in bytes: what a damaged or hostile store can make us hold.
pub const OBJECT_BYTES_MAX: usize = 256 << 20;

/// What came of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The name was free, and holds our bytes now (also when the answer to our own earlier attempt was lost).
    Ours,
    /// Somebody else's object has the name: its bytes.
    Taken(Vec<u8>),
}

/// Errors of the object tier, by what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The store did not answer, or said to come back: try again later.
    #[error("{store}: {cause}: try again later")]
    Unavailable {
        /// The store's address, without secrets.
        store: String,
        /// What it said.
        cause: String,
    },
    /// The store refuses (permission, address, unsupported): change the configuration.
    #[error("{store}: {cause}")]
    Refused {
        /// The store's address, without secrets.
        store: String,
        /// What it said.
        cause: String,
    },
}

/// A store of objects. Every call blocks until its answer, may come from any thread, and is one request unless said
/// otherwise. Nothing is tried again: that is the caller's.
pub trait Objects: Send + Sync + fmt::Debug {
    /// Creates an object if its name is free. `body` must carry a tag of its writer: a lost answer is settled by reading
    /// back and comparing, which is a second request.
    ///
    /// # Errors
    /// [`ObjectError`]; after `Unavailable` the object may or may not exist: the same call with the same body settles it.
    fn create(&self, name: Name, body: &[u8]) -> Result<Created, ObjectError>;
    /// Writes an object whose name nobody else uses; a large one in parts, several requests.
    ///
    /// # Errors
    /// [`ObjectError`]; after `Unavailable` the same call with the same body settles it.
    fn put(&self, name: Name, body: Arc<[u8]>) -> Result<(), ObjectError>;
    /// Replaces an object if it still holds `old` (`None`: if it does not exist); false if it does not. Two requests.
    ///
    /// # Errors
    /// [`ObjectError`]; after `Unavailable` a read tells. `Refused` where the store has no such operation.
    fn replace(&self, name: Name, old: Option<&[u8]>, new: &[u8]) -> Result<bool, ObjectError>;
    /// The object's bytes, or its first `bytes_max` of them; `None` if there is none.
    ///
    /// # Errors
    /// [`ObjectError`]; `Refused` for one above [`OBJECT_BYTES_MAX`] that is asked for as a whole.
    fn read(&self, name: Name, bytes_max: Option<usize>) -> Result<Option<Vec<u8>>, ObjectError>;
    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// [`ObjectError`].
    fn delete(&self, name: Name) -> Result<(), ObjectError>;
    /// Data objects of one open that belong to number `from` or a later one: for finding garbage, never for the truth.
    /// One request per thousand.
    ///
    /// # Errors
    /// [`ObjectError`].
    fn list(&self, epoch: u32, incarnation: u64, from: u64) -> Result<Vec<DataName>, ObjectError>;
    /// Lets `racers` creators race for a fresh name under `probe/`, and removes it: whether exactly one won, that is,
    /// whether this store can fence.
    ///
    /// # Errors
    /// [`ObjectError`], also where the probe's object cannot be removed.
    fn probe(&self, racers: u32) -> Result<bool, ObjectError>;
    /// Requests and bytes so far.
    fn counts(&self) -> Counts;
    /// One line for people: the address (without secrets) and what it survives.
    fn describe(&self) -> String;
    /// Whether what is acknowledged here survives the loss of this machine.
    fn machine_safe(&self) -> bool;
}
