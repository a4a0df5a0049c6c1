//! The `tierlog` command: every command a file, results on standard output, everything else on standard error.
//!
//! Contents: `args` (the command line), `settings` (from flags and TOML to a configuration), `ending` (exit statuses),
//! `input` and `output` (records in and out), `selection` and `format` (which records are read, and how they are
//! printed), `cut_at` (a place in every lane), `objects` (what an archive holds), `latency` and `figures` (what was
//! measured, for people), and the commands: `append`, `cat`, `follow`, `info`, `ls`, `dump`, `verify`, `repair`,
//! `restore`, `probe-store`, `mark`, `slot`, `checkpoint`, `bench`, `demo`, `doctor`, `completions`, `man`.
//!
//! Signals keep their default action. An interrupted `append` leaves what `kill -9` would: everything acknowledged is
//! there after the next open. What goes to standard output goes there in whole records.

mod append;
mod args;
mod bench;
mod cat;
mod checkpoint;
mod completions;
mod cut_at;
mod demo;
mod doctor;
mod dump;
mod ending;
pub(crate) mod figures;
mod follow;
mod format;
mod info;
mod input;
mod latency;
mod ls;
mod man;
mod mark;
pub(crate) mod moment;
mod objects;
mod output;
mod probe_store;
mod repair;
mod restore;
mod run;
mod selection;
mod settings;
mod slot;
mod verify;

pub use run::run;
