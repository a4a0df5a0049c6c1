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
//!
//! # Testing a recovery
//! Run what is to be tested in a [`World`], note what it acknowledges, and then recover whatever a crash may leave at any
//! point of the trace:
//! ```
//! use tierlog_tiers::sim::{Choose, Crash, World, WorldOptions};
//! use tierlog_tiers::tail::{Tail, TailLane, TailRead};
//!
//! let world = World::new(&WorldOptions::default());
//! let tail = world.create_tail(0, 4096)?;
//! let mut lane = tail.lane(0, 4096)?;
//! for count in 1..=3 {
//!     lane.store(64 * count, &[7; 64]);
//!     lane.flush(64 * count, 64);
//!     lane.fence()?;
//!     lane.store_word(0, count as u64);
//!     lane.flush(0, 8);
//!     lane.fence()?;
//!     world.note(format!("{count} are durable"));
//! }
//!
//! for point in world.trace().points(Crash::Power) {
//!     let acknowledged = point.notes().count();
//!     for state in point.states(Choose::Thorough { seed: 1, most: 1_000 }) {
//!         let Ok(tail) = state.world().open_tail(0) else { continue };
//!         let (mut word, mut line) = ([0; 8], [0; 64]);
//!         tail.read(0, &mut word)?;
//!         let count = usize::from(word[0]);
//!         assert!(count >= acknowledged, "lost at event {}: {state}", point.event());
//!         if count > 0 {
//!             tail.read(64 * count as u64, &mut line)?;
//!             assert_eq!(line, [7; 64], "torn at event {}: {state}", point.event());
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! A recovery may crash in its turn: the world of a [`State`] has a trace of its own. [`Point::explore`] looks only at
//! states that a recovery tells apart. A test that does not notice the [`Mutant`]s that concern it proves little.

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
mod view;
mod world;

pub use clock::SimClock;
pub use crash::{Choose, Crash, Explore, Point, State, States};
pub use fault::{FileFault, FileOperation, ObjectFault, ObjectOperation, Plan};
pub use lane::SimLane;
pub use mutant::Mutant;
pub use nvme::SimNvme;
pub use objects::SimObjects;
pub use options::{ClockOptions, NvmeOptions, ObjectOptions, TailOptions, Tearing, WorldOptions};
pub use tail::SimTail;
pub use thread::as_thread;
pub use trace::{Points, Trace};
pub use view::SimTailView;
pub use world::World;
