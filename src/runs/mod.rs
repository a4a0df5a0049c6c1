//! Runs: what goes from a lane's tail to NVMe, by a committing thread or by a drainer.
//!
//! Contents: [`pool`] (segment files ready to be written), [`frames`] (where runs get their frames), [`lane_runs`] (a
//! lane's place on NVMe, behind its run lock), [`buffer`] (where a run is put together), [`locks`] (who writes a run, and
//! when), [`sharing`] (one run for many commits), [`stability`] (what is durable together with all that it depends on),
//! [`marks`] (the watermark file), [`retire`] (giving tail segments back), [`retain`] (what may go of NVMe, and what is kept
//! all the same), [`drainer`] and [`keeper`] (the background workers).

mod buffer;
mod drainer;
mod frames;
mod keeper;
mod lane_runs;
mod locks;
mod marks;
mod pool;
mod retain;
mod retire;
mod sharing;
mod stability;

pub(crate) use drainer::Drainer;
pub(crate) use frames::{MediaFrames, RunFrames, TailFrames};
pub(crate) use keeper::Keeper;
pub(crate) use lane_runs::{Frames, LaneRuns, Sink};
pub(crate) use locks::RunLocks;
pub(crate) use marks::Marks;
pub(crate) use pool::{Haste, Pool, PoolLimits, is_full};
pub use retain::{HeldBy, Retention};
pub(crate) use retain::{hold, needed, plan, trim};
pub(crate) use retire::{prove, unproved};
pub(crate) use sharing::Sharing;
pub(crate) use stability::Stability;
