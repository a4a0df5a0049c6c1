//! What threads share: std's primitives, or those of a model checker in their place.
//!
//! The engine takes its locks and atomics from here, so that loom (`--cfg loom`) and shuttle (`--cfg shuttle`) run the
//! very code that ships (docs/TESTING.md). Without either this is std under another name.

#[cfg(loom)]
mod condvar;
#[cfg(loom)]
pub(crate) mod word;

#[cfg(not(any(loom, shuttle)))]
pub use std::{
    hint,
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};

#[cfg(loom)]
pub use self::{condvar::Condvar, word::in_turn};
#[cfg(loom)]
pub use loom::{
    hint,
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};
#[cfg(shuttle)]
pub use shuttle::{
    hint,
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};
