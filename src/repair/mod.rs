//! Finding what is damaged on NVMe and in the archive, and mending it from another tier.
//!
//! Contents: [`damage`] (every byte of the segments that count), [`source`] (frames from whichever tier has them),
//! [`mend`] (a segment written anew), [`object`] (an object made anew), [`quarantine`] (what was replaced), [`command`]
//! (repair of a log that nobody has open), [`scrub`] (the same in the background, at a bounded rate).

mod command;
mod damage;
mod mend;
mod object;
mod quarantine;
mod scrub;
mod source;

pub use command::{Mended, Repaired, repair};
pub(crate) use damage::{Damage, look_over};
pub(crate) use scrub::{ScrubCounters, Scrubber};
