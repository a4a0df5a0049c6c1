//! A damaged segment written anew, under the header of the old one, which is put aside.
//!
//! Order: all frames are had; they are written and flushed, the header last; the old segment loses its header. A crash in
//! between leaves either the old segment or both, and the next repair goes on.

use std::sync::Arc;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, NvmeFile};

use super::Damage;
use super::source::Source;
use crate::catalogue::Entry;
use crate::error::{Error, Result};
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::frame::pad_header;
use crate::media::Media;
use crate::number::{Gsn, Lsn};
use crate::runs::Pool;

/// Stands where the header of a segment was that was put aside: read as damaged, so neither read nor used again.
const ASIDE: &[u8; 16] = b"TIERASID damaged";
const PIECE_BYTES: usize = 1 << 20;

/// What is written for a damage: as much as a segment takes.
#[derive(Debug)]
pub(super) struct Plan {
    header: SegmentHeader,
    frames: Vec<u8>,
    /// How far it goes; what lies behind is another damage.
    pub(super) end: Lsn,
}

/// Gets hold of all frames. `None`, and the first LSN that no tier has, where that cannot be.
pub(super) fn plan(
    media: &Arc<Media>,
    damage: &Damage,
    source: &mut Source<'_>,
) -> Result<std::result::Result<Plan, Lsn>> {
    let room = media.geometry.nvme_segment_bytes as usize - BLOCK_BYTES;
    let (mut frames, mut at) = (Vec::new(), damage.first);
    while at < damage.end {
        let before = frames.len();
        let Some(header) = source.frame(&damage.range, at, &mut frames)? else { return Ok(Err(at)) };
        if frames.len().next_multiple_of(BLOCK_BYTES) > room {
            frames.truncate(before);
            break;
        }
        at = Lsn(at.0 + header.frame_bytes() as u64);
    }
    if at <= damage.hole && damage.entry.is_some() {
        // The segment is full as it is: what is missing was in one behind it.
        let behind = Damage { first: damage.hole, entry: None, ..damage.clone() };
        return plan(media, &behind, source);
    }
    let end = frames.len().next_multiple_of(BLOCK_BYTES);
    if end > frames.len() {
        frames.extend(pad_header(&media.seal(&damage.range), at, end - frames.len()));
        frames.resize(end, 0);
    }
    Ok(Ok(Plan { header: header(media, damage), frames, end: at }))
}

fn header(media: &Media, damage: &Damage) -> SegmentHeader {
    if let Some(entry) = damage.entry {
        return entry.header;
    }
    let catalogue = media.catalogue();
    let before =
        catalogue.of_lane(damage.range.lane).iter().filter(|entry| entry.header.epoch == damage.range.epoch);
    let before = before.filter(|entry| entry.header.first < damage.first).map(|entry| entry.header.sequence);
    SegmentHeader {
        log: media.log,
        lane: damage.range.lane,
        epoch: damage.range.epoch,
        incarnation: damage.range.incarnation,
        sequence: before.max().unwrap_or(0) + 1,
        first: damage.first,
        gsn_before: Gsn(0),
    }
}

/// Writes what was planned and puts the old segment aside.
pub(super) fn carry_out(media: &Media, pool: &Pool, plan: &Plan) -> Result<u32> {
    let (number, file, _) = pool.take().map_err(Error::io("a segment of the NVMe tier"))?;
    let what =
        || Error::io(media.nvme_path.join(FileName::Segment(number).to_string()).display().to_string());
    let mut blank = Block::zeroed(BLOCK_BYTES);
    file.write_durable(0, &blank).map_err(what())?;
    write(&*file, &plan.frames).map_err(what())?;
    blank[..SEGMENT_HEADER_BYTES].copy_from_slice(&plan.header.encode());
    file.write_durable(0, &blank).map_err(what())?;
    drop(file);
    let key = |entry: &Entry| (entry.header.lane, entry.header.epoch, entry.header.sequence);
    let new = Entry { file: number, header: plan.header };
    let old = {
        let mut catalogue = media.catalogue_mut();
        let old = catalogue.take_if(|entry| key(entry) == key(&new));
        catalogue.insert(new);
        old
    };
    let aside = old.iter().filter(|entry| entry.file != number);
    aside.into_iter().try_for_each(|entry| put_aside(media, pool, entry.file))?;
    Ok(number)
}

fn write(file: &dyn NvmeFile, frames: &[u8]) -> std::io::Result<()> {
    for (i, piece) in frames.chunks(PIECE_BYTES).enumerate() {
        let mut block = Block::zeroed(piece.len());
        block.copy_from_slice(piece);
        file.write_durable((BLOCK_BYTES + i * PIECE_BYTES) as u64, &block)?;
    }
    Ok(())
}

/// Whether a segment was put aside.
pub(super) fn is_aside(block: &[u8]) -> bool {
    block.starts_with(ASIDE)
}

/// Takes a segment out of the log; its frames stay for whoever wants to look at them.
fn put_aside(media: &Media, pool: &Pool, number: u32) -> Result<()> {
    let name = FileName::Segment(number);
    let what = || Error::io(media.nvme_path.join(name.to_string()).display().to_string());
    let file = pool.nvme().open(name, true).map_err(what())?;
    let mut block = Block::zeroed(BLOCK_BYTES);
    block[..ASIDE.len()].copy_from_slice(ASIDE);
    file.write_durable(0, &block).map_err(what())
}
