//! Reading: frames from whichever tier has them, batches from frames, lanes and merged logs from batches.
//!
//! Contents: [`cursor`] (frames of a lane), [`segment`] (frames of an NVMe segment), [`window`] (a piece of the tail),
//! [`evidence`] (that a hole is no torn tail), [`group`] (batches, whole or not at all), [`lane`] and [`merged`] (the
//! public readers), [`cut`] (places to start from), [`mod@seek`] (from a stamp to places).

mod cursor;
mod cut;
mod evidence;
mod group;
mod lane;
mod merged;
mod seek;
mod segment;
mod window;

pub(crate) use cursor::{FrameError, GLIDE_BYTES, LaneCursor};
pub use cut::Cut;
pub(crate) use evidence::Evidence;
pub(crate) use group::{Batches, Group, GroupReader, Stop};
pub(crate) use lane::batch_start;
pub use lane::{LaneReader, Record};
pub use merged::Merged;
pub(crate) use seek::seek;
pub(crate) use segment::SegmentCursor;
