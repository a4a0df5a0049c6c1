//! For the fuzz targets (`fuzz/`): checksums made right over any bytes, and readers of one structure each.
//!
//! Contents: `block` (what lies in a block), `segment` (frames), `objects` (the archive), `config`.
//!
//! A reader says whether there was something to read. It panics only where what it read does not hold together.

mod block;
mod config;
mod objects;
mod segment;

pub use block::{block, seal_block};
pub use config::ring_bytes;
pub use objects::{archive, seal_object};
pub use segment::{Extent, Segment, segment};
