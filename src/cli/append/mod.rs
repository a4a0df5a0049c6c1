//! `tierlog append`: records from an input into lanes, committed at a level.
//!
//! Contents: the flags and the way through ([`command`]), the input dealt to lanes ([`deal`]), one lane's thread
//! ([`lane`]), what is said at the end ([`summary`]).

mod command;
mod deal;
mod lane;
mod summary;

pub(super) use command::{AppendArgs, run};
