//! A lane's place on NVMe: frames copied behind the published end, in whole blocks.
//!
//! Lives behind the lane's run lock. Invariants: a block that holds acknowledged frames is never rewritten; a frame does
//! not cross segments; a run that has to be durable now ends in a pad that fills its last block, otherwise the rest of a
//! block waits in memory; everything is bounced, so nothing unpublished is copied along.

use std::io;
use std::sync::Arc;

use tierlog_tiers::nvme::{BLOCK_BYTES, NvmeFile, RunQueue};
use tierlog_tiers::shortage::what_to_allow;

use super::Pool;
use super::buffer::RunBuffer;
use crate::board::Water;
use crate::catalogue::Entry;
use crate::error::{Error, Result};
use crate::format::{EpochRange, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::frame::{Header, Seal};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn};

/// Bytes of the largest run.
const RUN_BYTES: usize = 256 << 10;

/// How a run is written.
pub(crate) enum Sink<'a> {
    /// By this thread; durable when the call returns.
    Now,
    /// Through a drainer's queue; durable when that is settled.
    Queue(&'a mut dyn RunQueue),
}

/// Where a lane's frames come from.
pub(crate) trait Frames {
    /// The frame at `lsn`: its header, checked for its place, and the bytes that it takes on NVMe.
    fn look(&mut self, seal: &Seal, lane: Lane, lsn: Lsn) -> Result<(Header, usize)>;
    /// Copies a part of the frame that was looked at last.
    fn copy(&mut self, from: usize, into: &mut [u8]) -> Result<()>;
    /// Copies as many whole frames from `lsn` on as `into` has room for and lie side by side, and shows the header of each;
    /// their bytes. None, also where there are some: they are to be had one by one.
    fn copy_many(
        &mut self,
        _seal: &Seal,
        _lane: Lane,
        _lsn: Lsn,
        _into: &mut [u8],
        _each: &mut dyn FnMut(&Header),
    ) -> Result<usize> {
        Ok(0)
    }
}

/// A frame's end in the buffer: where, its LSN, and its stamp if it closes a batch.
#[derive(Debug, Clone, Copy)]
struct End {
    at: usize,
    lsn: Lsn,
    gsn: Gsn,
}

#[derive(Debug)]
struct OpenSegment {
    file: Arc<dyn NvmeFile>,
    /// Where the next run goes.
    at: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct LaneRuns {
    range: EpochRange,
    seal: Seal,
    segment: Option<OpenSegment>,
    sequence: u64,
    /// Nothing comes behind: segments are made no longer than they have to be.
    last: Option<Lsn>,
    /// Frames below are in `buffer` or written.
    copied: Lsn,
    /// Frames below were handed to the sink.
    written: Lsn,
    /// Frames below are durable.
    durable: Lsn,
    /// The newest stamp copied.
    gsn: Gsn,
    /// The end and the stamp of the last stamped batch written, and of the last one durable.
    written_batch: (Lsn, Gsn),
    durable_batch: (Lsn, Gsn),
    buffer: RunBuffer,
    /// Frames that end in the buffer.
    ends: Vec<End>,
}

impl LaneRuns {
    /// The lane's frames of one epoch, from `from` on, into fresh segments.
    pub(crate) fn new(media: &Media, range: EpochRange, from: Lsn, sequence: u64) -> Self {
        LaneRuns {
            range,
            seal: media.seal(&range),
            segment: None,
            sequence,
            last: None,
            copied: from,
            written: from,
            durable: from,
            gsn: Gsn(0),
            written_batch: (from, Gsn(0)),
            durable_batch: (from, Gsn(0)),
            buffer: RunBuffer::new(RUN_BYTES.min(media.geometry.nvme_segment_bytes as usize)),
            ends: Vec::new(),
        }
    }

    /// The newest stamp copied.
    pub(crate) fn newest(&self) -> Gsn {
        self.gsn
    }

    /// The same, up to `last` and no further.
    pub(crate) fn up_to(mut self, last: Lsn) -> Self {
        self.last = Some(last);
        self
    }

    /// End and stamp of the last stamped batch that is durable on NVMe.
    pub(crate) fn durable_batch(&self) -> (Lsn, Gsn) {
        self.durable_batch
    }

    /// Published frames that are not even copied yet, in LSNs.
    pub(crate) fn behind(&self, published: Lsn) -> u64 {
        published.0.saturating_sub(self.copied.0)
    }

    /// Frames below are durable on NVMe.
    pub(crate) fn durable(&self) -> Lsn {
        self.durable
    }

    /// What was written with [`Sink::Queue`] is durable: the queue was settled.
    pub(crate) fn settled(&mut self) {
        (self.durable, self.durable_batch) = (self.written, self.written_batch);
    }

    /// After a failed write: what was not durable goes to a fresh segment.
    pub(crate) fn start_over(&mut self) {
        self.segment = None;
        (self.copied, self.written) = (self.durable, self.durable);
        self.buffer.clear();
        self.written_batch = self.durable_batch;
        self.ends.clear();
    }

    /// What was proved on NVMe stays; everything behind is written again from the tail, into a fresh segment.
    pub(crate) fn start_from_retired(&mut self, media: &Media) {
        let from = media.board.water(self.range.lane, Water::Drained).max(self.range.first);
        (self.durable, self.durable_batch) = (from, (from, self.gsn));
        self.start_over();
    }

    /// Writes the lane's frames up to `upto`, the end of a batch. With `whole`, the last block is filled by a pad and
    /// everything is written; otherwise the rest of a block waits.
    ///
    /// # Errors
    /// I/O errors, after which nothing beyond [`durable`](LaneRuns::durable) is known; [`Error::Corrupt`] if there are no
    /// frames where they should be.
    pub(crate) fn write(
        &mut self,
        media: &Media,
        pool: &Pool,
        frames: &mut dyn Frames,
        upto: Lsn,
        whole: bool,
        sink: &mut Sink<'_>,
    ) -> Result<Progress> {
        let mut progress = Progress::default();
        while self.copied < upto {
            if self.copy_many(frames, upto)? {
                continue;
            }
            let (header, len) = frames.look(&self.seal, self.range.lane, self.copied)?;
            if !self.fits(len) {
                if let Some(full) = self.seal_segment(sink, &mut progress)? {
                    pool.put_away(full);
                }
                self.open_segment(media, pool, &mut progress)?;
            }
            self.copy(frames, len, sink, &mut progress)?;
            self.copied = Lsn(self.copied.0 + header.frame_bytes() as u64);
            self.ends.push(End { at: self.buffer.filled(), lsn: self.copied, gsn: header.gsn });
            self.gsn = self.gsn.max(header.gsn);
        }
        if whole {
            self.buffer.pad(&self.seal, self.copied);
        }
        self.write_blocks(sink, &mut progress)?;
        if matches!(sink, Sink::Now) {
            self.settled();
        }
        Ok(progress)
    }

    fn fits(&self, bytes: usize) -> bool {
        self.segment.as_ref().is_some_and(|segment| {
            segment.at + (self.buffer.filled() + bytes).next_multiple_of(BLOCK_BYTES) as u64
                <= segment.file.len()
        })
    }

    fn open_segment(&mut self, media: &Media, pool: &Pool, progress: &mut Progress) -> Result<()> {
        let taken = match self.last {
            None => pool.take(),
            Some(last) => {
                let blocks = (last.0 - self.copied.0).next_multiple_of(BLOCK_BYTES as u64);
                pool.make_for(BLOCK_BYTES as u64 + blocks).map(|(number, file)| (number, file, true))
            }
        };
        let (number, file, made) = taken.map_err(|error| no_room(self.range.lane, error))?;
        progress.segments += 1;
        progress.waited_for_segment |= made;
        self.sequence += 1;
        let header = SegmentHeader {
            log: media.log,
            lane: self.range.lane,
            epoch: self.range.epoch,
            incarnation: self.range.incarnation,
            sequence: self.sequence,
            first: self.copied,
            gsn_before: self.gsn,
        };
        let block = self.buffer.next(BLOCK_BYTES);
        block.fill(0);
        block[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        self.buffer.advance(BLOCK_BYTES);
        self.segment = Some(OpenSegment { file, at: 0 });
        media.catalogue_mut().insert(Entry { file: number, header });
        Ok(())
    }

    /// The file that was written to until now, if there was one.
    fn seal_segment(
        &mut self,
        sink: &mut Sink<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Arc<dyn NvmeFile>>> {
        self.buffer.pad(&self.seal, self.copied);
        self.write_blocks(sink, progress)?;
        Ok(self.segment.take().map(|full| full.file))
    }

    /// Copies frames of which many lie side by side; false if there are none to be had at once.
    fn copy_many(&mut self, frames: &mut dyn Frames, upto: Lsn) -> Result<bool> {
        let Some(segment) = &self.segment else { return Ok(false) };
        let in_segment = segment.file.len() - segment.at - self.buffer.filled() as u64;
        let room = in_segment.min(upto.0 - self.copied.0).min(self.buffer.room() as u64);
        let mut filled = self.buffer.filled();
        let into = self.buffer.next(room as usize);
        let (copied, gsn, ends) = (&mut self.copied, &mut self.gsn, &mut self.ends);
        let from = *copied;
        let mut each = |header: &Header| {
            filled += header.frame_bytes();
            copied.0 += header.frame_bytes() as u64;
            *gsn = (*gsn).max(header.gsn);
            ends.push(End { at: filled, lsn: *copied, gsn: header.gsn });
        };
        let bytes = frames.copy_many(&self.seal, self.range.lane, from, into, &mut each)?;
        self.buffer.advance(bytes);
        Ok(bytes > 0)
    }

    fn copy(
        &mut self,
        frames: &mut dyn Frames,
        len: usize,
        sink: &mut Sink<'_>,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut done = 0;
        while done < len {
            if self.buffer.room() == 0 {
                self.write_blocks(sink, progress)?;
            }
            let n = (len - done).min(self.buffer.room());
            frames.copy(done, self.buffer.next(n))?;
            self.buffer.advance(n);
            done += n;
        }
        Ok(())
    }

    /// Hands the whole blocks of the buffer to the sink and keeps the rest.
    fn write_blocks(&mut self, sink: &mut Sink<'_>, progress: &mut Progress) -> Result<()> {
        let whole = self.buffer.whole();
        let Some(segment) = self.segment.as_mut().filter(|_| whole > 0) else { return Ok(()) };
        let at = segment.at;
        let name = segment.file.name();
        let failed = |source: io::Error| Error::io(format!("{name:?} of the NVMe tier at {at}"))(source);
        match sink {
            Sink::Now => {
                self.buffer.with_whole(|blocks| segment.file.write_durable(at, blocks)).map_err(failed)?;
            }
            Sink::Queue(queue) => {
                let mut run = queue.block(whole);
                self.buffer.with_whole(|blocks| run.copy_from_slice(blocks));
                queue.write(&segment.file, at, run).map_err(failed)?;
            }
        }
        segment.at += whole as u64;
        self.buffer.drop_whole();
        let ended = self.ends.partition_point(|end| end.at <= whole);
        for end in self.ends.drain(..ended) {
            self.written = end.lsn;
            if end.gsn != Gsn(0) {
                self.written_batch = (end.lsn, end.gsn);
            }
        }
        self.ends.iter_mut().for_each(|end| end.at -= whole);
        progress.bytes += whole as u64;
        progress.runs += 1;
        Ok(())
    }
}

/// Nothing was lost where there is only no room for another segment, or no descriptor: the run can be tried again.
fn no_room(lane: Lane, error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let why = match (error.kind(), what_to_allow(&error)) {
        (StorageFull | QuotaExceeded | FileTooLarge, _) => {
            format!("no room for a segment of the NVMe tier: {error}")
        }
        (_, Some(what)) => format!("no segment of the NVMe tier to be had: {error}: {what}"),
        (_, None) => return Error::io("a segment of the NVMe tier")(error),
    };
    Error::NoRoom { lane, why }
}

/// What a call wrote.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) runs: u64,
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    pub(crate) waited_for_segment: bool,
}
