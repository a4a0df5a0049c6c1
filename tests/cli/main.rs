//! The command as its users run it: arguments, standard streams, exit statuses.
#![cfg(all(feature = "cli", feature = "object"))]

mod append;
mod bench;
mod beside;
mod demo;
mod read;
mod settings;
mod tierlog;
mod tiers;
mod tools;
