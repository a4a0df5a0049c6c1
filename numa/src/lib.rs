//! Which CPU, which node, which memory: what tierlog asks of a machine's layout, in a few calls.
//!
//! [`Topology`] says what there is, [`node_of_path`] where a directory's device hangs, [`current_node`] where
//! the calling thread runs, [`pin_to`] keeps it there, and [`bind_memory`] says where its
//! new pages come from. All of it is advice: placement costs or saves
//! time, and nothing that tierlog promises rests on it. Linux only.
//!
//! The CPUs of the process are its main thread's affinity mask, read once, at the first call that needs it.
//! CPUs outside of it (another container's) are never reported by [`Topology::detect`] and never pinned to.

mod affinity;
mod attribute;
mod cpu;
mod current;
mod device;
#[cfg(feature = "hwloc")]
mod hwloc;
mod idlist;
mod memory;
mod node;
mod pin;
mod sysfs;
mod topology;

pub use cpu::Cpu;
pub use current::current_node;
pub use device::{node_of_path, node_of_path_in};
pub use memory::{BoundMemory, bind_memory, node_of_memory};
pub use node::{Node, NodeInfo};
pub use pin::{PinError, pin_to};
pub use sysfs::SysfsError;
pub use topology::{Source, Topology};
