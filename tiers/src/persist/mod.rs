//! Making stores durable: write-back of cache lines, non-temporal stores, fences.
//!
//! Owns every instruction of that kind. What the processor has is asked of the processor at run time, never of the
//! compiler, so that one binary runs everywhere. Each instruction stands behind a witness ([`Clwb`] and its kin on
//! x86-64): a value of that type is the proof that the instruction exists here.
//!
//! [`Persist`] is the choice made for one mapping; [`Way`] names each way by itself, for measurements. On an architecture without a known way [`Persist::detect`]
//! refuses; tails that need no flush (plain files, `msync`) work there all the same.
//!
//! Source: Intel SDM volume 2, "CLWB", and volume 1, 12.1.4 "Persistent memory"; Arm ARM, "DC CVAP".

mod crossover;
#[cfg(target_arch = "x86_64")]
mod direct;
mod instructions;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lines;
mod way;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "other.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;

#[cfg(target_arch = "aarch64")]
pub use arch::Cvap;
#[cfg(target_arch = "x86_64")]
pub(crate) use arch::ticks;
#[cfg(target_arch = "x86_64")]
pub use arch::{Avx, Avx512, Clflush, Clflushopt, Clwb};
pub use crossover::{CROSSOVER_MAX, CROSSOVER_MIN, crossover};
#[cfg(target_arch = "x86_64")]
pub use direct::Movdir64b;
pub use instructions::{Flush, NoFlush, Persist};
pub use way::Way;

/// Size in bytes of the unit that is written back: a cache line.
pub const LINE: usize = 64;
