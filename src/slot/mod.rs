//! Slots: names under which consumers hold trimming back.
//!
//! Contents: [`table`] (the file that keeps them), [`handle`] (the API).

mod handle;
mod table;

pub use handle::{Slot, SlotInfo, SlotLimit};
pub(crate) use table::Slots;
