//! A simulated world to test recovery in: tails, directories, objects and clocks that crash as the real ones do, but
//! when and how a test says.
//!
//! Contents: the [`World`], the seams' implementations that it hands out ([`SimTail`], [`SimNvme`], [`SimObjects`],
//! [`SimClock`]), faults ([`Plan`]), crashes ([`Crash`], [`Point`], [`State`]) and broken promises ([`Mutant`]).
//!
//! Everything is deterministic: the same calls in the same order make the same [`Trace`]. Nothing is started, nothing
//! waits, no file is touched.
//!
//! # What survives
//! A tail of persistent memory follows the persistency of x86 behind ADR (Raad, Wickerson, Neiger and Vafeiadis,
//! "Persistency semantics of the Intel-x86 architecture", POPL 2020):
//! 1. an aligned word of 8 bytes persists whole or not at all;
//! 2. stores to one cache line persist as a prefix, in program order;
//! 3. different lines persist in any order, from the moment of the store on, fenced or not;
//! 4. a flush and then a fence *by the same thread* make durable what was stored to the flushed lines before the flush;
//! 5. streams (non-temporal stores) persist in any order, word by word, until a fence by the same thread.
//!
//! A file's write persists by sector, in any subset until it is flushed, also after its completion where the device's
//! cache is volatile. A name is durable when its creation returns; a crash meanwhile may leave a shorter file. An object is
//! durable once it is applied, which may be long after its creator gave up.

#![forbid(unsafe_code)]

mod clock;
mod crash;
mod event;
mod fault;
mod file;
mod image;
mod lane;
mod line;
mod live;
mod model;
mod mutant;
mod nvme;
mod objects;
mod options;
mod queue;
mod random;
mod reads;
mod show;
mod tail;
#[cfg(test)]
mod tests;
mod thread;
mod trace;
mod world;

pub use clock::SimClock;
pub use crash::{Choose, Crash, Explore, Point, State, States};
pub use fault::{FileFault, FileOperation, ObjectFault, ObjectOperation, Plan};
pub use lane::SimLane;
pub use mutant::Mutant;
pub use nvme::SimNvme;
pub use objects::SimObjects;
pub use options::{ClockOptions, NvmeOptions, ObjectOptions, TailOptions, Tearing, WorldOptions};
pub use tail::{SimTail, SimTailView};
pub use thread::as_thread;
pub use trace::{Points, Trace};
pub use world::World;
