//! Where runs get their frames: from the tail, from recovered media, or from an archived run.

use crate::error::{Error, Result};
use crate::format::SEGMENT_HEADER_BYTES;
use crate::frame::{HEADER_BYTES, Header, Kind, Seal, peek, verify};
use crate::media::Media;
use crate::number::{Lane, Lsn};
use crate::read::{FrameError, LaneCursor};
use crate::runs::lane_runs::Frames;

/// Published frames of the tail.
pub(crate) struct TailFrames<'a> {
    media: &'a Media,
    lane: Lane,
    lsn: Lsn,
    /// Where the last frame was, as [`slot_of`](crate::board::Board::slot_of) said: mostly the next one is there, too.
    slot: Option<(usize, u64)>,
    tail: usize,
    at: u64,
    /// Bytes from there to the end of the slot.
    left: u64,
    filler: bool,
}

impl<'a> TailFrames<'a> {
    pub(crate) fn new(media: &'a Media) -> Self {
        TailFrames { media, lane: Lane(0), lsn: Lsn(0), slot: None, tail: 0, at: 0, left: 0, filler: false }
    }

    /// The slot that holds `lsn` now, and its word.
    fn slot_of(&self, lane: Lane, lsn: Lsn) -> Option<(usize, u64)> {
        let (board, slot_bytes) = (&self.media.board, self.media.geometry.slot_bytes());
        let holds = |&(slot, word): &(usize, u64)| {
            lane == self.lane
                && lsn.0.wrapping_sub(word & !1) < slot_bytes
                && board.slot_word(lane, slot) == word
        };
        self.slot.filter(holds).or_else(|| board.slot_of(lane, lsn, slot_bytes))
    }

    fn corrupt(&self, what: String) -> Error {
        Error::Corrupt { lane: self.lane, lsn: self.lsn, what }
    }
}

impl Frames for TailFrames<'_> {
    fn look(&mut self, seal: &Seal, lane: Lane, lsn: Lsn) -> Result<(Header, usize)> {
        self.slot = self.slot_of(lane, lsn);
        (self.lane, self.lsn) = (lane, lsn);
        let media = self.media;
        let slot_bytes = media.geometry.slot_bytes();
        let (slot, word) = self.slot.ok_or_else(|| self.corrupt("published, but not in the tail".into()))?;
        let (tail, ring) = media.ring(lane);
        let in_slot = lsn.0 - (word & !1);
        self.tail = tail;
        self.at = ring + slot as u64 * media.geometry.segment_bytes + SEGMENT_HEADER_BYTES as u64 + in_slot;
        self.left = slot_bytes - in_slot;
        let mut head = [0; HEADER_BYTES];
        media.tails[tail].read(self.at, &mut head).map_err(|fault| self.corrupt(fault.to_string()))?;
        let header = peek(seal, lsn, &head, self.left)
            .map_err(|bad| self.corrupt(format!("published, but the tail holds no frame there ({bad:?})")))?;
        self.filler = header.kind == Kind::Filler;
        Ok((header, header.media_bytes()))
    }

    fn copy(&mut self, from: usize, into: &mut [u8]) -> Result<()> {
        let read = self.media.tails[self.tail].read(self.at + from as u64, into);
        read.map_err(|fault| self.corrupt(fault.to_string()))?;
        if self.filler {
            // A filler's body is whatever lay there.
            let body = HEADER_BYTES.saturating_sub(from).min(into.len());
            into[body..].fill(0);
        }
        Ok(())
    }

    fn copy_many(
        &mut self,
        seal: &Seal,
        lane: Lane,
        lsn: Lsn,
        into: &mut [u8],
        each: &mut dyn FnMut(&Header),
    ) -> Result<usize> {
        let (_, first) = self.look(seal, lane, lsn)?;
        let len = into.len().min(self.left as usize);
        // A bad page ahead must not cost the good frames before it.
        if self.filler || first > len || self.media.tails[self.tail].read(self.at, &mut into[..len]).is_err()
        {
            return Ok(0);
        }
        let mut done = 0;
        while let Some(head) = into[done..len].first_chunk() {
            match peek(seal, Lsn(lsn.0 + done as u64), head, (len - done) as u64) {
                Ok(header) if header.kind != Kind::Filler => {
                    each(&header);
                    done += header.frame_bytes();
                }
                // Larger than what is left, a filler, or worse: whoever looks at it by itself is told.
                _ => break,
            }
        }
        Ok(done)
    }
}

/// Recovered frames, from whichever tier has them.
pub(crate) struct MediaFrames {
    cursor: LaneCursor,
    frame: Vec<u8>,
}

impl MediaFrames {
    pub(crate) fn new(cursor: LaneCursor) -> Self {
        MediaFrames { cursor, frame: Vec::new() }
    }
}

impl Frames for MediaFrames {
    fn look(&mut self, _: &Seal, lane: Lane, lsn: Lsn) -> Result<(Header, usize)> {
        self.frame.clear();
        let header = self.cursor.frame(&mut self.frame).map_err(|error| match error {
            FrameError::System(error) => error,
            error => {
                Error::Corrupt { lane, lsn, what: format!("accepted a moment ago, and gone ({error:?})") }
            }
        })?;
        Ok((header, self.frame.len()))
    }

    fn copy(&mut self, from: usize, into: &mut [u8]) -> Result<()> {
        into.copy_from_slice(&self.frame[from..from + into.len()]);
        Ok(())
    }
}

/// The frames of an archived run: input, verified one by one.
pub(crate) struct RunFrames<'a> {
    bytes: &'a [u8],
    frame: &'a [u8],
}

impl<'a> RunFrames<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        RunFrames { bytes, frame: &[] }
    }

    /// Bytes not taken yet.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Whether every byte was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Frames for RunFrames<'_> {
    fn look(&mut self, seal: &Seal, lane: Lane, lsn: Lsn) -> Result<(Header, usize)> {
        let corrupt = |bad| Error::Corrupt {
            lane,
            lsn,
            what: format!("the archived run holds no frame there ({bad:?})"),
        };
        let missing = || corrupt(crate::frame::Bad::NoHeader);
        let head = self.bytes.first_chunk().ok_or_else(missing)?;
        let header = peek(seal, lsn, head, u64::MAX).map_err(corrupt)?;
        let len = header.media_bytes();
        let (frame, rest) = self.bytes.split_at_checked(len).ok_or_else(missing)?;
        verify(seal, &header, frame).map_err(corrupt)?;
        (self.frame, self.bytes) = (frame, rest);
        Ok((header, len))
    }

    fn copy(&mut self, from: usize, into: &mut [u8]) -> Result<()> {
        into.copy_from_slice(&self.frame[from..from + into.len()]);
        Ok(())
    }
}
