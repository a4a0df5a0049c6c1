//! What an open does, in this order: lock; read only; cut; make what was accepted Power-durable; open record; archive
//! claim; yield.
//!
//! Contents: [`places`] (directories and files, locked), [`superblock`] (the open record in every tier), [`settle`]
//! (moving what was accepted to NVMe), [`mod@find`] (what is there, and whether it can be gone on with), [`mod@begin`] (a new
//! epoch), [`record`] (what it writes first), [`claim`] (whether the archive can be gone on with, and its claim), [`room`] (files for it, and place in the open
//! record), [`shutdown`] (whether the memory kept what was fenced), [`assemble`] (the engine from its parts),
//! [`recovered`] (what the caller is told), [`identity`] (who and where we are).

mod assemble;
mod begin;
mod claim;
mod find;
mod identity;
mod places;
mod record;
mod recovered;
mod room;
mod settle;
mod shutdown;
mod superblock;

pub(crate) use begin::begin;
pub(crate) use find::NoTail;
#[cfg(feature = "cli")]
pub(crate) use identity::owner_lines;
pub(crate) use identity::{boot_id, owner_of, random, sign_owner};
pub(crate) use places::{board_paths, geometry_of, map_error, nvme_error, tail_bytes};
pub(crate) use record::{write_closed, write_superseded};
pub use recovered::{LaneRecovered, Pass, Recovered};
pub(crate) use superblock::{
    SUPERBLOCK_BYTES, Superblock, foreign_tail, is_foreign_tail, owed_nothing, tail_trouble,
};
