//! Finding what is damaged on NVMe, and mending it from another tier.
//!
//! Contents: [`damage`] (every byte of the segments that count), [`source`] (frames from whichever tier has them),
//! [`mend`] (a segment written anew), [`command`] (repair of a log that nobody has open), [`scrub`] (the same in the
//! background, at a bounded rate).

mod command;
mod damage;
mod mend;
mod scrub;
mod source;

pub use command::{Mended, Repaired, repair};
pub(crate) use damage::{Damage, look_over};
pub(crate) use scrub::{ScrubCounters, Scrubber};
