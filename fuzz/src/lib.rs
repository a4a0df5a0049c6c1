//! Fuzz targets: each takes any bytes, makes of them what lies on media, with checksums that are right, and reads it as the
//! log does. `scripts/fuzz` runs them, by libFuzzer; docs/TESTING.md tells what they hold.
//!
//! Contents: [`frame`], [`segment`], [`block`], [`archive`], [`image`] (a whole log), [`config`]; [`input`] (how bytes are
//! taken apart) and [`golden`] (what the first inputs are made of).

pub mod archive;
pub mod block;
pub mod config;
pub mod frame;
pub mod golden;
pub mod image;
pub mod input;
pub mod segment;

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads what an input makes; whether there was something to read. It panics where a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// The first inputs, all of which can be read.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "frame", run: frame::run, seeds: frame::seeds },
    Target { name: "segment", run: segment::run, seeds: segment::seeds },
    Target { name: "block", run: block::run, seeds: block::seeds },
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
    Target { name: "image", run: image::run, seeds: image::seeds },
    Target { name: "config", run: config::run, seeds: config::seeds },
];
