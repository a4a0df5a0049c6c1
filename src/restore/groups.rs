//! The groups of a lane on their way into a new log: each begins where the one before ended, as readers ask for.

use crate::error::{Error, Result};
use crate::frame::{Header, Seal};
use crate::number::{Lane, Lsn};
use crate::read::Batches;
use crate::runs::{Frames, RunFrames};

/// How far the groups of an epoch of a lane go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groups {
    batches: Batches,
    /// Behind the last one that is whole.
    pub(super) end: Lsn,
}

impl Groups {
    pub(super) fn new(first: Lsn) -> Self {
        Groups { batches: Batches::default(), end: first }
    }

    /// Takes the next frame in.
    pub(super) fn take(&mut self, header: &Header) -> Result<(), &'static str> {
        if self.batches.take(header)?.is_some() {
            self.end = Lsn(header.lsn.0 + header.frame_bytes() as u64);
        }
        Ok(())
    }
}

/// Archived frames that make up groups.
pub(super) struct InGroups<'a> {
    pub(super) frames: RunFrames<'a>,
    pub(super) groups: &'a mut Groups,
}

impl Frames for InGroups<'_> {
    fn look(&mut self, seal: &Seal, lane: Lane, lsn: Lsn) -> Result<(Header, usize)> {
        let (header, len) = self.frames.look(seal, lane, lsn)?;
        self.groups.take(&header).map_err(|what| Error::Corrupt { lane, lsn, what: what.into() })?;
        Ok((header, len))
    }

    fn copy(&mut self, from: usize, into: &mut [u8]) -> Result<()> {
        self.frames.copy(from, into)
    }
}
