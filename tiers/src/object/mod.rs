//! The object tier: one numbered sequence of immutable objects, each created only if its number is free.
//!
//! Contents: the seam ([`Objects`]) and its implementation over `object_store` ([`Sequence`], feature `object`).

#[cfg(feature = "object")]
mod address;
#[cfg(feature = "object")]
mod directory;
#[cfg(feature = "object")]
mod error;
#[cfg(feature = "object")]
mod sequence;
#[cfg(feature = "object")]
mod store;
#[cfg(all(test, feature = "object"))]
mod tests;
#[cfg(feature = "object")]
mod worker;

use std::fmt;

#[cfg(feature = "object")]
pub use sequence::{Sequence, SequenceOptions};

/// The largest object read back, in bytes: what a damaged or hostile store can make us hold.
pub const OBJECT_BYTES_MAX: usize = 256 << 20;

/// What came of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The number was free, and holds our bytes now (also when the answer to our own earlier attempt was lost).
    Ours,
    /// Somebody else's object has the number: its bytes.
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

/// A numbered sequence of objects.
pub trait Objects: Send + Sync + fmt::Debug {
    /// Creates object `number` if it does not exist. `body` must carry a tag of its writer: a lost answer is settled by
    /// reading back and comparing.
    ///
    /// # Errors
    /// [`ObjectError`]; after `Unavailable` the object may or may not exist: the same call with the same body settles it.
    fn create(&self, number: u64, body: &[u8]) -> Result<Created, ObjectError>;
    /// The object's bytes, or `None` if the number is free.
    ///
    /// # Errors
    /// [`ObjectError`]; `Refused` for one above [`OBJECT_BYTES_MAX`].
    fn read(&self, number: u64) -> Result<Option<Vec<u8>>, ObjectError>;
    /// One line for people: the address (without secrets) and what it survives.
    fn describe(&self) -> String;
    /// Whether what is acknowledged here survives the loss of this machine.
    fn machine_safe(&self) -> bool;
}
