//! The frames of one NVMe segment, read forward through a window of aligned blocks.

use std::io;
use std::sync::Arc;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, NvmeFile};

use super::evidence::Evidence;
use crate::catalogue::Entry;
use crate::frame::{Bad, HEADER_BYTES, Header, Kind, Seal, peek, verify};
use crate::number::{LINE_BYTES, Lsn};

/// Bytes read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// Stands at a frame of a segment; moves forward only.
#[derive(Debug)]
pub(crate) struct SegmentCursor {
    pub(crate) entry: Entry,
    file: Arc<dyn NvmeFile>,
    seal: Seal,
    window: Block,
    window_at: u64,
    window_len: usize,
    /// Offset of the frame at `lsn`.
    at: u64,
    pub(crate) lsn: Lsn,
}

impl SegmentCursor {
    pub(crate) fn new(entry: Entry, file: Arc<dyn NvmeFile>) -> Self {
        SegmentCursor {
            entry,
            file,
            seal: entry.header.seal(),
            window: Block::zeroed(BLOCK_BYTES),
            window_at: 0,
            window_len: 0,
            at: BLOCK_BYTES as u64,
            lsn: entry.header.first,
        }
    }

    /// Reads anew what comes next.
    pub(crate) fn forget_ahead(&mut self) {
        self.window_len = 0;
    }

    /// Appends the frame at `self.lsn` to `into` and moves on. `Ok(Err(_))`: no such frame here (yet).
    pub(crate) fn frame(&mut self, into: &mut Vec<u8>) -> io::Result<Result<Header, Bad>> {
        let first = self.try_frame(into)?;
        if first.is_ok() || self.window_len == 0 {
            return Ok(first);
        }
        // What was read ahead may have been written since.
        self.forget_ahead();
        self.try_frame(into)
    }

    fn try_frame(&mut self, into: &mut Vec<u8>) -> io::Result<Result<Header, Bad>> {
        loop {
            let header = match self.header()? {
                Ok(header) => header,
                Err(bad) => return Ok(Err(bad)),
            };
            let start = into.len();
            let on_media = header.media_bytes();
            self.copy(self.at, on_media, into)?;
            let verified = verify(&self.seal, &header, &into[start..]);
            if verified.is_err() || header.kind == Kind::Pad {
                into.truncate(start);
            }
            if let Err(bad) = verified {
                return Ok(Err(bad));
            }
            if header.kind == Kind::Pad {
                self.at += header.frame_bytes() as u64;
                continue;
            }
            self.at += on_media as u64;
            self.lsn = Lsn(self.lsn.0 + header.frame_bytes() as u64);
            return Ok(Ok(header));
        }
    }

    /// Looks through the whole segment for a frame that says that all before it was stable.
    pub(crate) fn evidence_beyond(&mut self, hole: Lsn) -> io::Result<Option<Lsn>> {
        let mut evidence = Evidence::new(self.seal, hole);
        let (mut at, len) = (BLOCK_BYTES as u64, self.file.len());
        while at + LINE_BYTES <= len {
            let found = evidence.line(self.slice(at, LINE_BYTES as usize)?, None, len - at);
            if found.is_some() {
                return Ok(found);
            }
            at += LINE_BYTES;
        }
        Ok(None)
    }

    fn header(&mut self) -> io::Result<Result<Header, Bad>> {
        if self.at + LINE_BYTES > self.file.len() {
            return Ok(Err(Bad::NoHeader));
        }
        let (at, room) = (self.at, self.file.len() - self.at);
        let bytes = *self.slice(at, HEADER_BYTES)?.first_chunk().expect("a header's bytes");
        let filler = Header::decode(&bytes).is_some_and(|header| header.kind == Kind::Filler);
        // A filler takes one line here, whatever it spans.
        Ok(peek(&self.seal, self.lsn, &bytes, if filler { u64::MAX } else { room }))
    }

    fn slice(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let inside = at >= self.window_at && at + len as u64 <= self.window_at + self.window_len as u64;
        if !inside {
            self.window_at = at - at % BLOCK_BYTES as u64;
            let left = (self.file.len() - self.window_at).min(WINDOW_BYTES as u64) as usize;
            if self.window.len() != left {
                self.window = Block::zeroed(left);
            }
            self.window_len = 0;
            self.file.read(self.window_at, &mut self.window)?;
            self.window_len = left;
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..from + len])
    }

    fn copy(&mut self, mut at: u64, mut len: usize, into: &mut Vec<u8>) -> io::Result<()> {
        while len > 0 {
            let in_block = BLOCK_BYTES - (at % BLOCK_BYTES as u64) as usize;
            let ahead = (self.window_at + self.window_len as u64).saturating_sub(at) as usize;
            let take = len.min(if at >= self.window_at && ahead > 0 { ahead } else { in_block });
            let bytes = self.slice(at, take)?;
            into.extend_from_slice(bytes);
            at += take as u64;
            len -= take;
        }
        Ok(())
    }
}
