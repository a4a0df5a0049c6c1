//! What the measurements outside of `tierlog bench` share: a CPU, a place to write, quantiles.
//!
//! - `instructions`: instructions of one append + commit, from callgrind
//! - `placement`: where an ordinary tail lies best

pub mod cpu;
pub mod disturbances;
pub mod emulated;
pub mod quantiles;
