//! The archive: one numbered sequence of objects a log, written by one owner at a time.
//!
//! Contents: [`object`] (what an object holds), [`codec`] (how it is packed), [`config`] (its settings), [`sequence`]
//! (reading it, claiming the next number), [`base`] (where it begins, deleting), [`archiver`] (what commits and tickets
//! wait for), [`cutter`] (the worker that cuts and writes), [`plan`] (what goes into a cut), [`upload`] (its frames on
//! their way), [`reader`] (frames out of objects), [`retire`] (what is given up), [`retry`] (when to ask again).

mod archiver;
mod base;
mod codec;
mod config;
mod cutter;
mod object;
mod plan;
mod reader;
mod retire;
mod retry;
mod sequence;
#[cfg(test)]
mod tests;
mod upload;

pub(crate) use archiver::Archiver;
pub use codec::Compression;
pub use config::ArchiveConfig;
pub(crate) use cutter::ArchiveWorker;
pub(crate) use object::{ArchivedMark, Author, Body, Chunk, Claim, Contents, Cut, Object, Part, Run};
pub(crate) use plan::runs_between;
pub(crate) use reader::{ArchiveReader, Piece};
pub(crate) use retry::patiently;
#[cfg(feature = "cli")]
pub(crate) use sequence::RACERS;
pub use sequence::probe_store;
pub(crate) use sequence::{Archive, Archived, PATIENCE, archive_error, open_objects};
pub(crate) use upload::{INLINE_BYTES_MAX, packed};
#[cfg(feature = "fuzz")]
pub(crate) use {base::Base, codec::pack};
