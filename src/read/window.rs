//! A piece of a tail segment, copied out once and read frame by frame.

use tierlog_tiers::tail::{Fault, TailRead};

use crate::frame::{Bad, HEADER_BYTES, Header, Kind, Seal, peek, verify};
use crate::number::Lsn;

/// The copy; empty at first.
#[derive(Debug, Default)]
pub(super) struct Window {
    first: Lsn,
    /// As long as the longest copy, so that none is zeroed first.
    bytes: Vec<u8>,
    len: usize,
}

/// Why the window has no frame there.
#[derive(Debug)]
pub(super) enum Short {
    /// The frame goes on behind the window, to this many bytes from its start.
    Needs(u64),
    /// There is no valid one.
    Bad(Bad),
}

impl Window {
    /// Copies `len` bytes of `tail` from `at`, where `first` lies.
    pub(super) fn fill(&mut self, tail: &dyn TailRead, at: u64, first: Lsn, len: usize) -> Result<(), Fault> {
        self.clear();
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        tail.read(at, &mut self.bytes[..len])?;
        (self.first, self.len) = (first, len);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends the frame at `lsn` to `into`, a filler as one line.
    pub(super) fn frame(&self, seal: &Seal, lsn: Lsn, into: &mut Vec<u8>) -> Result<Header, Short> {
        let none = || Short::Needs(HEADER_BYTES as u64);
        let offset = lsn.0.checked_sub(self.first.0).ok_or_else(none)? as usize;
        let bytes = self.bytes[..self.len].get(offset..).ok_or_else(none)?;
        let head = bytes.first_chunk().ok_or_else(none)?;
        let header = peek(seal, lsn, head, u64::MAX).map_err(Short::Bad)?;
        let len = header.media_bytes();
        let frame = bytes.get(..len).ok_or(Short::Needs(len as u64))?;
        verify(seal, &header, frame).map_err(Short::Bad)?;
        let covered = if header.kind == Kind::Filler { HEADER_BYTES } else { len };
        into.extend_from_slice(&frame[..covered]);
        into.resize(into.len() + len - covered, 0);
        Ok(header)
    }
}
