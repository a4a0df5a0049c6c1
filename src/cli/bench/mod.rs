//! `tierlog bench`: what a machine can do as a home for a log.
//!
//! Contents: `command` (the flags), `measure` (a run), `table` (what it shows meanwhile), `compare` (two runs), `report` (the page).

mod command;
mod compare;
mod measure;
mod report;
mod table;

pub(super) use command::{BenchArgs, Media, run};
