//! What the benchmarks share: time, a CPU, a place to write, quantiles, and the loops to compare with.
//!
//! - `commit`: append + commit against the raw loop on the same medium
//! - `instructions`: instructions of one append + commit, from callgrind
//! - `recover`: an open after a kill against a checksum over the same memory
//! - `placement`: where an ordinary tail lies best

pub mod cpu;
pub mod disturbances;
pub mod emulated;
pub mod peak;
pub mod quantiles;
pub mod sizes;
