//! What an open does, in this order: lock; read only; cut; make what was accepted Power-durable; open record; archive
//! claim; yield.
//!
//! Contents: [`places`] (directories and files, locked), [`superblock`] (the open record in every tier), [`settle`]
//! (moving what was accepted to NVMe), [`begin`] (a new epoch), [`identity`] (who and where we are).

mod begin;
mod identity;
mod places;
mod settle;
mod superblock;

pub(crate) use begin::{NoTail, begin, write_closed};
pub use begin::{LaneRecovered, Recovered};
pub(crate) use identity::{boot_id, owner_line, random};
pub(crate) use places::{board_paths, geometry_of, map_error, nvme_error};
pub(crate) use superblock::{SUPERBLOCK_BYTES, Superblock};
