//! A lane's writing side: frames into the ring, batches closed and published.
//!
//! Contents: [`ring`] (where the next frame goes), [`core`] (frames and batches: the hot path), [`seats`] (where
//! lanes wait for their writers), [`state`] (what the rest of the engine keeps of a lane).

mod core;
mod ring;
mod seats;
mod state;

pub(crate) use self::core::{Core, Room};
pub(crate) use ring::Ring;
pub(crate) use seats::Seats;
pub(crate) use state::{LaneState, bump};
