//! Frames on their way into the store: packed in chunks, several at a time, a bounded number in memory.

use std::sync::Arc;

use tierlog_tiers::checksum::Crc32c;
use tierlog_tiers::object::Name;
use tierlog_tiers::tail::Tail;

use super::archiver::Archiver;
use super::codec::{Compression, pack};
use super::object::{Author, Chunk};
use super::plan::{Frames, Plan};
use super::sequence::archive_error;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::number::Lsn;
use crate::side_by_side::side_by_side;

/// What is smaller goes into the object of the sequence itself, before it is packed.
pub(crate) const INLINE_BYTES_MAX: u64 = 1 << 20;

/// The chunks of one object, as far as they are sent.
#[derive(Debug)]
pub(super) struct Upload {
    author: Author,
    number: u64,
    pub(super) chunks: Vec<Chunk>,
    /// Stored bytes of the chunks that stand in the object itself.
    pub(super) inline: Vec<u8>,
    /// Packed and not yet sent.
    pending: Vec<(usize, Arc<[u8]>)>,
    read_all: bool,
}

impl Upload {
    pub(super) fn new(author: Author, number: u64) -> Self {
        let (chunks, inline, pending) = (Vec::new(), Vec::new(), Vec::new());
        Upload { author, number, chunks, inline, pending, read_all: false }
    }

    /// Sends some more; true when everything is in the store. What failed is sent again by the next call.
    ///
    /// # Errors
    /// [`Error::Archive`] from a store that does not answer; whatever keeps frames from being read.
    pub(super) fn go_on<T: Tail>(
        &mut self,
        engine: &Engine<T>,
        archiver: &Archiver,
        plan: &Plan,
        frames: &mut Frames,
    ) -> Result<bool> {
        let config = &engine.config.archive;
        if plan.bytes <= INLINE_BYTES_MAX {
            while let Some((lsn, raw)) = frames.next(engine, plan, usize::MAX)? {
                let (chunk, stored) = packed(config.compression, lsn, raw, true)?;
                self.chunks.push(chunk);
                self.inline.extend_from_slice(&stored);
            }
            return Ok(true);
        }
        let at_once = if engine.env.threads() > 1 { config.uploads() } else { 1 };
        while !self.read_all && self.pending.len() < at_once {
            let Some((lsn, raw)) = frames.next(engine, plan, config.object_bytes())? else {
                self.read_all = true;
                break;
            };
            let (chunk, stored) = packed(config.compression, lsn, raw, false)?;
            self.pending.push((self.chunks.len(), stored.into()));
            self.chunks.push(chunk);
        }
        self.send(archiver)?;
        Ok(self.read_all && self.pending.is_empty())
    }

    /// One request for each pending chunk, side by side; the first error, after all have ended.
    fn send(&mut self, archiver: &Archiver) -> Result<()> {
        let send = |(index, stored): (usize, Arc<[u8]>)| {
            let name = Name::Data(self.author.data_name(self.number, index));
            archiver.pace(stored.len());
            match archiver.archive.objects.put(name, stored.clone()).map_err(archive_error) {
                Ok(()) => Ok(stored.len()),
                Err(error) => Err(((index, stored), error)),
            }
        };
        let pending = std::mem::take(&mut self.pending);
        let mut first = Ok(());
        let threads = pending.len();
        for sent in side_by_side(pending, threads, send) {
            match sent {
                Ok(bytes) => archiver.sent(bytes),
                Err((again, error)) => {
                    self.pending.push(again);
                    first = first.and(Err(error));
                }
            }
        }
        first
    }
}

/// A chunk of the frames in `raw`, the first of which is at `lsn`, and its stored bytes.
pub(crate) fn packed(how: Compression, lsn: Lsn, raw: Vec<u8>, inline: bool) -> Result<(Chunk, Vec<u8>)> {
    let raw_bytes = raw.len() as u32;
    let (compression, stored) = pack(how, raw).map_err(Error::io("packing an object"))?;
    let (crc, stored_bytes) = (Crc32c::new().bytes(&stored).finish(), stored.len() as u32);
    Ok((Chunk { compression, inline, crc, stored_bytes, raw_bytes, lsn }, stored))
}
