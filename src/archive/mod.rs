//! The archive: one numbered sequence of objects a log, written by one owner at a time.
//!
//! Contents: [`object`] (what an object holds), [`sequence`] (reading it, claiming the next number), [`archiver`] (what
//! commits and tickets wait for), [`cutter`] (the worker that cuts and writes).

mod archiver;
mod cutter;
mod object;
mod sequence;

pub(crate) use archiver::Archiver;
pub(crate) use cutter::ArchiveWorker;
pub(crate) use object::{Author, Body, Claim, Object, Run};
pub(crate) use sequence::{Archived, Claimed, claim, open_objects, read, read_from};
