//! Frames of a lane from whichever tier has them: NVMe up to its first hole, the tail, the archive; every one is verified.

use std::sync::Arc;

use crate::archive::Piece;
use crate::error::{Error, Result};
use crate::format::EpochRange;
use crate::frame::Header;
use crate::media::Media;
use crate::number::{Lane, Lsn};
use crate::read::LaneCursor;

/// The frames of one lane, asked for in ascending order.
pub(super) struct Source<'a> {
    media: &'a Arc<Media>,
    nvme: Option<LaneCursor>,
    tail: LaneCursor,
    piece: Option<Piece>,
    archive: bool,
    /// The tiers that frames were taken from.
    pub(super) from: Vec<&'static str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(media: &'a Arc<Media>, lane: Lane, at: Lsn) -> Self {
        let cursor = || LaneCursor::new(media.clone(), lane, at);
        let (nvme, tail) = (Some(cursor().without_tail()), cursor().without_nvme());
        Source { media, nvme, tail, piece: None, archive: true, from: Vec::new() }
    }

    /// Asks this machine's tiers alone.
    pub(super) fn without_archive(mut self) -> Self {
        self.archive = false;
        self
    }

    /// Appends the frame at `lsn`; `None` where no tier has it.
    ///
    /// # Errors
    /// Those of the archive, unless it is damaged there as well.
    pub(super) fn frame(
        &mut self,
        range: &EpochRange,
        lsn: Lsn,
        into: &mut Vec<u8>,
    ) -> Result<Option<Header>> {
        if let Some(cursor) = &mut self.nvme {
            if let Some(header) = local(cursor, lsn, into) {
                return Ok(Some(self.note("nvme", header)));
            }
            // Behind a hole nothing tells where in the file a frame lies.
            self.nvme = None;
        }
        if let Some(header) = local(&mut self.tail, lsn, into) {
            return Ok(Some(self.note("tail", header)));
        }
        if !self.archive {
            return Ok(None);
        }
        let start = into.len();
        match self.archived(range, lsn, into) {
            Ok(header) => Ok(header.map(|header| self.note("archive", header))),
            Err(Error::Refused(_) | Error::Corrupt { .. }) => {
                into.truncate(start);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, tier: &'static str, header: Header) -> Header {
        if !self.from.contains(&tier) {
            self.from.push(tier);
        }
        header
    }

    fn archived(&mut self, range: &EpochRange, lsn: Lsn, into: &mut Vec<u8>) -> Result<Option<Header>> {
        if !self.piece.as_ref().is_some_and(|piece| piece.stands_at(lsn)) {
            self.piece = self.media.ask_archive(|reader| reader.piece(range.lane, lsn))?;
        }
        let of = (range.epoch, range.incarnation);
        let piece = self.piece.as_mut().filter(|piece| (piece.run.epoch, piece.run.incarnation) == of);
        piece.map(|piece| piece.frame(self.media.log, into)).transpose()
    }
}

fn local(cursor: &mut LaneCursor, lsn: Lsn, into: &mut Vec<u8>) -> Option<Header> {
    let start = into.len();
    if cursor.at != lsn {
        cursor.rewind(lsn);
    }
    // Whatever is wrong there, another tier may have it.
    let found = cursor.frame(into).ok();
    if found.is_none() {
        into.truncate(start);
    }
    found
}
