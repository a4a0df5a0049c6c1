//! The frames of a lane, from the tail where it still has them, from NVMe otherwise; verified in either case.

use std::sync::Arc;

use tierlog_tiers::nvme::FileName;
use tierlog_tiers::tail::Fault;

use super::segment::SegmentCursor;
use super::window::{Short, Window};
use crate::archive::Piece;
use crate::error::Error;
use crate::format::{EpochRange, SEGMENT_HEADER_BYTES};
use crate::frame::{Bad, Header, Seal, verify_in_place};
use crate::media::{Horizon, Media};
use crate::number::{LINE_BYTES, Lane, Lsn};

/// Bytes copied out of the tail at once.
const WINDOW_BYTES: u64 = 64 << 10;
/// Bytes of the tail verified in one piece: what a bad page in it costs is that the piece is read frame by frame.
pub(crate) const GLIDE_BYTES: u64 = 1 << 20;

/// Why a frame could not be had.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// No tier has a valid frame there.
    Hole(Bad),
    /// Memory under the tail is unreadable, and NVMe does not have it.
    Fault(Fault),
    /// NVMe refused.
    System(Error),
}

/// Stands between two frames of a lane; moves forward only.
#[derive(Debug)]
pub(crate) struct LaneCursor {
    media: Arc<Media>,
    pub(crate) lane: Lane,
    pub(crate) at: Lsn,
    range: Option<(EpochRange, Seal)>,
    segment: Option<(SegmentCursor, Option<Lsn>)>,
    window: Window,
    /// What is trimmed on this machine.
    piece: Option<Piece>,
    tail: bool,
    nvme: bool,
    /// Only the segment that was written last counts.
    newest: bool,
}

impl LaneCursor {
    pub(crate) fn new(media: Arc<Media>, lane: Lane, at: Lsn) -> Self {
        LaneCursor {
            media,
            lane,
            at,
            range: None,
            segment: None,
            window: Window::default(),
            piece: None,
            tail: true,
            nvme: true,
            newest: false,
        }
    }

    /// Reads from NVMe only.
    pub(crate) fn without_tail(mut self) -> Self {
        self.tail = false;
        self
    }

    /// Reads from NVMe only, and there what was written last: to see whether it is there.
    pub(crate) fn newest_on_nvme(mut self) -> Self {
        (self.tail, self.newest) = (false, true);
        self
    }

    /// Reads from the tail only.
    pub(crate) fn without_nvme(mut self) -> Self {
        self.nvme = false;
        self
    }

    pub(crate) fn media(&self) -> &Arc<Media> {
        &self.media
    }

    /// Goes back to `at`; costs a new search.
    pub(crate) fn rewind(&mut self, at: Lsn) {
        self.at = at;
        self.range = None;
        self.segment = None;
    }

    /// Gives up what was read ahead; costs a new search.
    pub(crate) fn release(&mut self) {
        self.segment = None;
        self.window = Window::default();
        self.piece = None;
    }

    /// Gives up what of a segment was read ahead, and keeps its place.
    pub(crate) fn forget_ahead(&mut self) {
        if let Some((segment, _)) = &mut self.segment {
            segment.forget_ahead();
        }
    }

    /// The epoch of the frame at `self.at`, which is on this machine.
    pub(crate) fn range(&mut self) -> Option<(EpochRange, Seal)> {
        if self.range.is_none_or(|(range, _)| self.at >= range.end) {
            let range = self.media.range_of(self.lane, self.at)?;
            self.range = Some((range, self.media.seal(&range)));
            self.segment = None;
        }
        self.range
    }

    /// The epoch of the frame at `self.at`, which is on this machine or in the archive.
    pub(crate) fn range_anywhere(&mut self) -> Result<Option<(EpochRange, Seal)>, FrameError> {
        if self.find_in_archive()?
            && let Some(piece) = &self.piece
        {
            let range = piece.run.range();
            self.range = Some((range, self.media.seal(&range)));
        }
        Ok(self.range())
    }

    /// Whether the frame at `self.at` is trimmed here and in the archive; the piece then stands there.
    fn find_in_archive(&mut self) -> Result<bool, FrameError> {
        if self.at >= self.media.oldest(self.lane) || !(self.tail && self.nvme) {
            return Ok(false);
        }
        if !self.piece.as_ref().is_some_and(|piece| piece.stands_at(self.at)) {
            let piece = self.media.ask_archive(|reader| reader.piece(self.lane, self.at));
            self.piece = piece.map_err(FrameError::System)?;
        }
        Ok(self.piece.is_some())
    }

    /// Appends the frame at `self.at` to `into`, a filler as its first line only, and moves behind it.
    pub(crate) fn frame(&mut self, into: &mut Vec<u8>) -> Result<Header, FrameError> {
        if self.find_in_archive()?
            && let Some(piece) = &mut self.piece
        {
            let header = piece.frame(self.media.log, into).map_err(FrameError::System)?;
            self.at = Lsn(self.at.0 + header.frame_bytes() as u64);
            return Ok(header);
        }
        let Some((range, seal)) = self.range() else { return Err(FrameError::Hole(Bad::NoHeader)) };
        let mut fault = None;
        let mut found = Err(Bad::NoHeader);
        for again in [false, true] {
            // A slot may be retired between the look and the copy: its frames are on NVMe then, for a view perhaps in a
            // segment that it has not seen.
            if again && matches!(self.media.horizon, Horizon::View) {
                self.media.rescan().map_err(FrameError::System)?;
                self.segment = None;
            }
            match self.frame_in_tail(&seal, into) {
                Ok(Some(Ok(header))) => {
                    found = Ok(header);
                    break;
                }
                Ok(Some(Err(bad))) => found = Err(bad),
                Ok(None) => {}
                Err(error) => fault = Some(error),
            }
            match self.frame_on_nvme(&range, into)? {
                Some(Ok(header)) => {
                    found = Ok(header);
                    break;
                }
                Some(Err(bad)) => found = Err(bad),
                None => {}
            }
        }
        match (found, fault) {
            (Ok(header), _) => {
                self.at = Lsn(self.at.0 + header.frame_bytes() as u64);
                Ok(header)
            }
            (Err(_), Some(fault)) => Err(FrameError::Fault(fault)),
            (Err(bad), None) => Err(FrameError::Hole(bad)),
        }
    }

    /// Moves over frames of the tail that verify where they lie, for as long as `take` wants the next one. Stands then
    /// before a frame that [`frame`](LaneCursor::frame) has to look at, or at the end of a piece.
    ///
    /// # Errors
    /// [`Fault`]: the cursor stands where it stood, and what `take` was shown means nothing.
    pub(crate) fn glide(&mut self, mut take: impl FnMut(&Header) -> bool) -> Result<(), Fault> {
        let Some((range, seal)) = self.range() else { return Ok(()) };
        let media = &self.media;
        let slot_bytes = media.geometry.slot_bytes();
        let Some((slot, word)) = media.board.slot_of(self.lane, self.at, slot_bytes) else { return Ok(()) };
        let (tail, ring) = media.ring(self.lane);
        let in_slot = self.at.0 - (word & !1);
        let from = ring + slot as u64 * media.geometry.segment_bytes + SEGMENT_HEADER_BYTES as u64 + in_slot;
        let len = (slot_bytes - in_slot).min(range.end.0 - self.at.0).min(GLIDE_BYTES);
        let mut at = self.at;
        media.tails[tail].look(from, len as usize, &mut |mut words| {
            while let Some(header) = verify_in_place(&seal, at, words).filter(&mut take) {
                let bytes = header.frame_bytes();
                at = Lsn(at.0 + bytes as u64);
                words = words.get(bytes / 8..).unwrap_or_default();
            }
        })?;
        self.at = at;
        Ok(())
    }

    fn frame_in_tail(
        &mut self,
        seal: &Seal,
        into: &mut Vec<u8>,
    ) -> Result<Option<Result<Header, Bad>>, Fault> {
        if !self.tail {
            return Ok(None);
        }
        // A frame that verifies never changes: what was copied with an earlier one is as good as a new copy.
        if let Ok(header) = self.window.frame(seal, self.at, into) {
            return Ok(Some(Ok(header)));
        }
        let media = &*self.media;
        let slot_bytes = media.geometry.slot_bytes();
        let Some((slot, word)) = media.board.slot_of(self.lane, self.at, slot_bytes) else { return Ok(None) };
        let (tail, ring) = media.ring(self.lane);
        let in_slot = self.at.0 - (word & !1);
        let at = ring + slot as u64 * media.geometry.segment_bytes + SEGMENT_HEADER_BYTES as u64 + in_slot;
        let published = media.board.published(self.lane);
        let there = if published > self.at { published.0 - self.at.0 } else { u64::MAX };
        let mut len = there.min(slot_bytes - in_slot).min(WINDOW_BYTES);
        let mut grown = false;
        loop {
            if let Err(fault) = self.window.fill(&*media.tails[tail], at, self.at, len as usize) {
                if len <= LINE_BYTES || grown {
                    return Err(fault);
                }
                // A bad page ahead must not cost the good frames before it.
                len = LINE_BYTES;
                continue;
            }
            let found = self.window.frame(seal, self.at, into);
            if let Err(Short::Needs(bytes)) = found
                && bytes <= slot_bytes - in_slot
                && bytes > len
            {
                (len, grown) = (bytes, true);
                continue;
            }
            let still = media.board.slot_still(self.lane, slot, word);
            if !still {
                self.window.clear();
            }
            return Ok(match found {
                Ok(header) => Some(Ok(header)),
                Err(Short::Needs(_)) => still.then_some(Err(Bad::TooLong)),
                Err(Short::Bad(bad)) => still.then_some(Err(bad)),
            });
        }
    }

    fn frame_on_nvme(
        &mut self,
        range: &EpochRange,
        into: &mut Vec<u8>,
    ) -> Result<Option<Result<Header, Bad>>, FrameError> {
        if !self.nvme {
            return Ok(None);
        }
        let usable = |(cursor, next): &(SegmentCursor, Option<Lsn>), at: Lsn| {
            cursor.lsn <= at && next.is_none_or(|next| at < next)
        };
        let mut found = None;
        if let Some((mut cursor, next)) = self.segment.take_if(|segment| usable(segment, self.at)) {
            found = Some(seek(&mut cursor, self.at, into)?);
            if let Some(Ok(header)) = found {
                self.segment = Some((cursor, next));
                return Ok(Some(Ok(header)));
            }
        }
        // The newest first. One that was not finished holds less than those that it was to take over from.
        let holders = self.media.catalogue().holders(self.lane, range.epoch, self.at);
        let held_by = if self.newest { 1 } else { holders.len() };
        for (i, (entry, next)) in holders.into_iter().take(held_by).enumerate() {
            if entry.header.incarnation != range.incarnation {
                continue;
            }
            let file = match self.media.nvme.open(FileName::Segment(entry.file), false) {
                Ok(file) => file,
                // Trimmed, and taken away since.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(system(entry.file, error)),
            };
            let mut cursor = SegmentCursor::new(entry, file);
            match seek(&mut cursor, self.at, into)? {
                Ok(header) => {
                    self.segment = Some((cursor, next.filter(|_| i == 0)));
                    return Ok(Some(Ok(header)));
                }
                Err(bad) => found = found.or(Some(Err(bad))),
            }
        }
        Ok(found)
    }
}

fn system(file: u32, error: std::io::Error) -> FrameError {
    FrameError::System(Error::io(format!("segment {file:08}"))(error))
}

/// Appends the frame at `at` to `into`, if the segment has it; what follows it may be written later.
fn seek(cursor: &mut SegmentCursor, at: Lsn, into: &mut Vec<u8>) -> Result<Result<Header, Bad>, FrameError> {
    let start = into.len();
    loop {
        let here = cursor.lsn;
        match cursor.frame(into).map_err(|error| system(cursor.entry.file, error))? {
            Ok(header) if here == at => return Ok(Ok(header)),
            Ok(_) if cursor.lsn <= at => into.truncate(start),
            Ok(_) => {
                into.truncate(start);
                return Ok(Err(Bad::NoHeader));
            }
            Err(bad) => return Ok(Err(bad)),
        }
    }
}
