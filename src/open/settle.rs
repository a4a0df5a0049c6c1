//! Making what was accepted Power-durable: it may still sit in caches, and a second crash must not take back what was
//! built on it. Everything above NVMe's watermark moves to fresh NVMe segments headed by the old epoch, which empties the
//! rings (docs/decisions/0004). What a killed owner wrote to NVMe above the watermark is not trusted: its flush may have
//! failed, and a flush that succeeds now says nothing of what an earlier one lost (Rebello et al., "Can applications recover
//! from fsync failures?", ATC 2020).

use std::sync::Arc;

use crate::board::Water;
use crate::error::{Error, Result};
use crate::format::EpochRange;
use crate::media::Media;
use crate::number::{Lane, Lsn};
use crate::read::{FrameError, LaneCursor};
use crate::recover::{Examined, LaneScan};
use crate::runs::{LaneRuns, Marks, MediaFrames, Pool, Sink, prove};

/// Bytes of frames that are flushed, and then read back while the next ones are written.
const PIECE_BYTES: u64 = 32 << 20;

/// Frames of a lane that were written and flushed.
struct Piece {
    lane: Lane,
    from: Lsn,
    upto: Lsn,
}

/// A lane of which all is on NVMe: what was not there, from `from` on, is.
struct Moved<'a> {
    scan: &'a LaneScan,
    range: EpochRange,
    from: Lsn,
}

/// Moves and flushes; afterwards NVMe alone holds everything that counts. Returns the bytes of frames moved.
///
/// No watermark is raised before every lane is there: what lies below one is asked for no dependency any more, and an open
/// may be interrupted anywhere.
pub(crate) fn settle(examined: &Examined, marks: &Marks, pool: &Pool) -> Result<u64> {
    let mut bytes = 0;
    for Moved { scan, range, from } in moved(examined, pool)? {
        marks.set(scan.lane, |mark| {
            (mark.epoch, mark.incarnation) = (range.epoch, range.incarnation);
            (mark.drained, mark.gsn) = (scan.end, scan.gsn);
        })?;
        examined.media.board.raise_water(scan.lane, Water::Durable, scan.end);
        bytes += scan.end.0 - from.0;
    }
    Ok(bytes)
}

/// Writes, and reads back beside that.
fn moved<'a>(examined: &'a Examined, pool: &Pool) -> Result<Vec<Moved<'a>>> {
    let media = &examined.media;
    let prover = || Prover { media, cursor: None };
    let alone = || {
        let mut prover = prover();
        write(examined, pool, &mut |piece| prover.prove(&piece))
    };
    if media.env.threads() < 2 {
        return alone();
    }
    std::thread::scope(|scope| {
        let (pieces, written) = std::sync::mpsc::channel();
        let mut prover = prover();
        let prove = move || written.iter().try_for_each(|piece| prover.prove(&piece));
        let Ok(proof) = std::thread::Builder::new().spawn_scoped(scope, prove) else { return alone() };
        let moved = write(examined, pool, &mut |piece| {
            // Nobody listens any more where a proof has failed: that error is the one that counts.
            let _failed = pieces.send(piece);
            Ok(())
        });
        drop(pieces);
        proof.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        moved
    })
}

/// Writes what NVMe cannot be trusted to have, and hands on each piece that is durable.
fn write<'a>(
    examined: &'a Examined,
    pool: &Pool,
    hand_on: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<Vec<Moved<'a>>> {
    let media = &examined.media;
    let (mut moved, mut queue) = (Vec::new(), None);
    for scan in &examined.scans {
        let lane = scan.lane;
        let Some(range) = examined.ranges[lane.0 as usize].last().copied() else { continue };
        let nvme_end = end_on_nvme(media, lane, scan.from)?;
        if nvme_end >= scan.end {
            continue;
        }
        let sequence =
            media.catalogue().of_lane(lane).iter().map(|entry| entry.header.sequence).max().unwrap_or(0);
        let mut runs = LaneRuns::new(media, range, nvme_end, sequence).up_to(scan.end);
        let mut frames = MediaFrames::new(LaneCursor::new(media.clone(), lane, nvme_end));
        let queue = match &mut queue {
            Some(queue) => queue,
            None => queue.insert(media.nvme.queue().map_err(Error::io("a queue of the NVMe tier"))?),
        };
        while runs.durable() < scan.end {
            let from = runs.durable();
            let upto = scan.end.min(Lsn(from.0 + PIECE_BYTES));
            let mut sink = Sink::Queue(queue.as_mut());
            runs.write(media, pool, &mut frames, upto, upto == scan.end, &mut sink)?;
            queue.settle().map_err(Error::io("what was accepted, to the NVMe tier"))?;
            runs.settled();
            hand_on(Piece { lane, from, upto: runs.durable() })?;
        }
        moved.push(Moved { scan, range, from: nvme_end });
    }
    Ok(moved)
}

/// Reads back what was written.
struct Prover<'a> {
    media: &'a Arc<Media>,
    cursor: Option<LaneCursor>,
}

impl Prover<'_> {
    fn prove(&mut self, piece: &Piece) -> Result<()> {
        let Piece { lane, from, upto } = *piece;
        let same = self.cursor.take_if(|cursor| (cursor.lane, cursor.at) == (lane, from));
        let fresh = || LaneCursor::new(self.media.clone(), lane, from).newest_on_nvme();
        prove(self.cursor.insert(same.unwrap_or_else(fresh)), upto)
    }
}

/// How far NVMe can be trusted: up to its watermark, unless it has rotted where the tail can still mend it. What is trimmed
/// there is not missed, though a slot of the tail may still tell of it.
fn end_on_nvme(media: &Arc<Media>, lane: Lane, end: Lsn) -> Result<Lsn> {
    let in_tail = (0..media.board.slots()).filter_map(|slot| media.board.slot_first(lane, slot)).min();
    let needed = media.board.water(lane, Water::Trimmed);
    let from = in_tail.map_or(end, |first| first.max(needed).min(end));
    let mut cursor = LaneCursor::new(media.clone(), lane, from).without_tail();
    let mut frame = Vec::new();
    while cursor.at < end {
        frame.clear();
        match cursor.frame(&mut frame) {
            Ok(_) => {}
            Err(FrameError::System(error)) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(cursor.at)
}
