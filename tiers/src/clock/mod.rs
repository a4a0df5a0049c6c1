//! Nanoseconds since 1970, UTC, that never run backwards.
//!
//! Contents: the seam ([`Clock`]), its implementation over the processor's counter ([`WallClock`]), and for short stretches
//! a timer that holds back what it times ([`Ticks`]).

mod beside;
mod counter;
mod line;
mod ticks;
mod wall;

#[cfg(test)]
mod tests;

use std::fmt;

pub use ticks::Ticks;
pub use wall::WallClock;

/// A clock that stamps can be drawn from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Nanoseconds since the Unix epoch, UTC. Never less than a result that this thread, or one it has synchronised
    /// with, was given before; two calls may give the same.
    fn now_ns(&self) -> u64;
    /// One line for people: what is read, and how it is held to UTC.
    fn describe(&self) -> String;
    /// Whether the time was UTC to a millisecond when last compared.
    fn trusted(&self) -> bool;
    /// Compares with UTC and corrects: to be called about once a second, from one background thread. A clock with
    /// nothing to correct does nothing.
    fn slew(&self) {}
}
