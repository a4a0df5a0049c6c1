//! The command as its users run it: arguments, standard streams, exit statuses.
#![cfg(feature = "cli")]

mod append;
mod beside;
mod demo;
mod read;
mod settings;
mod tierlog;
mod tiers;
