//! Crashes: when, of what kind, and what each may leave.

mod choose;
mod explore;
mod hash;
mod point;
mod state;
mod survive;
mod unit;

pub use choose::{Choose, States};
pub use explore::Explore;
pub use point::Point;
pub use state::State;

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The processes. What is visible survives, a part of the last store included; I/O under way lands up to some
    /// sector, or not at all; what was not durable is not durable still.
    Kill,
    /// The power of the machine. What is durable survives, and of the rest whatever had been written back by then.
    Power,
    /// The machine with its tails and directories. Only objects survive.
    Machine,
}
