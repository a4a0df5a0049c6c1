//! The numbers of a log, one type each, so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Frames start on lines of this many bytes, and every LSN is a multiple of it.
pub const LINE_BYTES: u64 = 64;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// Byte position in a lane; the first frame of a lane has LSN 0. Never reused with other bytes that count.
    Lsn(u64)
}
number! {
    /// The stamp that orders batches across lanes: nanoseconds since the Unix epoch as far as the clock can be trusted,
    /// and above everything seen before. 0 is no stamp.
    Gsn(u64)
}

impl Lsn {
    /// What bytes from a medium say, if it can be one: on a line, and with no overflow in reach.
    pub(crate) fn of(word: u64) -> Option<Lsn> {
        (word.is_multiple_of(LINE_BYTES) && word < 1 << 62).then_some(Lsn(word))
    }
}

impl Gsn {
    /// No stamp is higher: the year 2262. Bytes that say otherwise are damaged, and a log that stands here takes no further
    /// commit.
    pub const MAX: Gsn = Gsn(i64::MAX as u64);
}

number! {
    /// One thread's append stream, `0..lanes`.
    Lane(u32)
}
number! {
    /// One open of the log, from 1.
    Epoch(u32)
}
number! {
    /// 64 random bits drawn at each open: tells two opens with the same epoch number (a clone's) apart.
    Incarnation(u64)
}

/// The log's identity, 128 random bits drawn at creation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in one lane: which open wrote it, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// The open of the log that wrote it.
    pub epoch: Epoch,
    /// The lane.
    pub lane: Lane,
    /// Where in the lane.
    pub lsn: Lsn,
}

/// What a commit is known by elsewhere: its order and its place. Give it to
/// [`Writer::observe`](crate::Writer::observe) when the order came about outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// The batch's GSN.
    pub gsn: Gsn,
    /// The batch's exclusive end.
    pub end: Position,
}
