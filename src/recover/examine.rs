//! What counts of a log, found without writing a byte: the same for an open, a view without an owner, and `verify`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tierlog_tiers::nvme::Nvme;
use tierlog_tiers::page::Page;
use tierlog_tiers::tail::TailRead;

use super::cut;
use super::scan::{LaneScan, scan_lane};
use super::stretch::Ahead;
use crate::board::{Board, Water};
use crate::catalogue::{Catalogue, scan as scan_catalogue};
use crate::error::{Error, Refusal, Result};
use crate::format::{
    EpochRange, FORMAT_VERSION, OpenRecord, SEGMENT_HEADER_BYTES, SegmentHeader, Unreadable,
};
use crate::frame::{HEADER_BYTES, Header, Seal, peek, verify};
use crate::geometry::Geometry;
use crate::host::Env;
use crate::media::{Horizon, Media};
use crate::number::{Gsn, Lane, Lsn};
use crate::runs::Marks;
use crate::side_by_side::side_by_side;

/// What is examined.
pub(crate) struct Inputs<'a> {
    pub(crate) record: &'a OpenRecord,
    pub(crate) geometry: Geometry,
    pub(crate) tails: Vec<Arc<dyn TailRead>>,
    /// Their files, for errors.
    pub(crate) tail_paths: Vec<PathBuf>,
    pub(crate) nvme: Arc<dyn Nvme>,
    pub(crate) nvme_path: PathBuf,
    pub(crate) marks: &'a Marks,
    pub(crate) env: Arc<dyn Env>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Of the last epoch, unless it was closed.
    pub(crate) scans: Vec<LaneScan>,
    /// Per lane, everything that counts, oldest first.
    pub(crate) ranges: Vec<Vec<EpochRange>>,
    /// The newest stamp.
    pub(crate) gsn: Gsn,
    /// Files that hold nothing.
    pub(crate) free: Vec<u32>,
    /// The media as they are: the last range of each lane ends at its cut.
    pub(crate) media: Arc<Media>,
}

/// Reads the media and decides what counts.
///
/// # Errors
/// A [`Refusal`] for files that do not belong, [`Error::Corrupt`] by the decision table, I/O errors.
pub(crate) fn examine(inputs: Inputs<'_>) -> Result<Examined> {
    let (record, marks) = (inputs.record, inputs.marks);
    let Uncut { media, open, mut ranges, free } = inputs.uncut()?;
    let ahead = Ahead::look(&media, &open, marks);
    let mut scans = scan_lanes(&media, &open, marks, &ahead)?;
    cut::close(&mut scans);
    for scan in &scans {
        if let Some(range) = ranges[scan.lane.0 as usize].last_mut() {
            range.end = scan.end;
        }
    }
    let gsn = scans.iter().map(|scan| scan.gsn).max().unwrap_or_default().max(record.gsn);
    let catalogue = std::mem::take(&mut *media.catalogue_mut());
    let media = inputs.media(catalogue, ranges.clone(), gsn)?;
    for lane in media.lanes() {
        let start = record.starts.get(lane.0 as usize).copied().unwrap_or_default();
        let end = ranges[lane.0 as usize].last().map_or(start, |range| range.end.max(start));
        set_waters(&media, record, marks, (lane, start, end))?;
    }
    Ok(Examined { scans, ranges, gsn, free, media })
}

/// The media before anything is cut off.
pub(super) struct Uncut {
    pub(super) media: Arc<Media>,
    /// What the last open may have written; of a closed log nothing.
    pub(super) open: Vec<EpochRange>,
    /// Per lane, with that as the last one.
    ranges: Vec<Vec<EpochRange>>,
    free: Vec<u32>,
}

impl Inputs<'_> {
    pub(super) fn uncut(&self) -> Result<Uncut> {
        let Inputs { record, geometry, nvme, nvme_path, .. } = self;
        let found = scan_catalogue(&**nvme, nvme_path, record.log, geometry.lanes)?;
        if found.epoch > record.epoch {
            let what = format!("older than its segments, which are of epoch {}", found.epoch);
            return Err(Refusal::Foreign { path: nvme_path.join("superblock"), what }.into());
        }
        let (open, ranges) = match record.closed {
            true => (Vec::new(), ranges_of(record, geometry)),
            false => (open_ranges(record), live_ranges(record, geometry)),
        };
        let media = self.media(found.catalogue, ranges.clone(), Gsn::MAX)?;
        Ok(Uncut { media, open, ranges, free: found.free })
    }

    fn media(&self, catalogue: Catalogue, ranges: Vec<Vec<EpochRange>>, gsn: Gsn) -> Result<Arc<Media>> {
        let page = Page::heap(Board::words(&self.geometry))
            .map_err(|error| Error::io("memory for a board")(io::Error::other(error)))?;
        let media = Media::new(
            self.record.log,
            self.geometry,
            self.tails.clone(),
            Board::owned(page, &self.geometry),
            self.nvme.clone(),
            self.nvme_path.clone(),
            catalogue,
            ranges,
            (self.record.epoch, gsn),
            Horizon::Ended,
            self.env.clone(),
            false,
        );
        place_slots(&media, self.record, &self.tail_paths)?;
        Ok(Arc::new(media))
    }
}

/// How far a lane has got that begins and ends there.
fn set_waters(
    media: &Media,
    record: &OpenRecord,
    marks: &Marks,
    (lane, start, end): (Lane, Lsn, Lsn),
) -> Result<()> {
    media.board.publish(lane, end);
    let mark = marks.of(lane);
    if mark.trimmed > end {
        // Only what was durable is ever trimmed, so something else wrote this.
        let what = format!("the watermark says that all below is trimmed, and the lane ends at {end}");
        return Err(Error::Corrupt { lane, lsn: mark.trimmed, what });
    }
    media.board.raise_water(lane, Water::Trimmed, mark.trimmed);
    // What an open begins with is on NVMe, and so is what its watermark says.
    let same = (mark.epoch, mark.incarnation) == (record.epoch, record.incarnation);
    let drained = start.max(if same { mark.drained } else { start }).min(end);
    media.board.raise_water(lane, Water::Drained, drained);
    media.board.raise_water(lane, Water::Stable, end);
    if record.closed {
        media.board.raise_water(lane, Water::Durable, end);
        media.board.raise_water(lane, Water::Drained, end);
    }
    Ok(())
}

fn ranges_of(record: &OpenRecord, geometry: &Geometry) -> Vec<Vec<EpochRange>> {
    let mut ranges = vec![Vec::new(); geometry.lanes as usize];
    for range in &record.ranges {
        if let Some(lane) = ranges.get_mut(range.lane.0 as usize) {
            lane.push(*range);
        }
    }
    ranges
}

/// What the last epoch may hold.
fn open_ranges(record: &OpenRecord) -> Vec<EpochRange> {
    let (epoch, incarnation, end) = (record.epoch, record.incarnation, Lsn(u64::MAX));
    let lanes = record.starts.iter().enumerate();
    lanes
        .map(|(lane, first)| EpochRange { lane: Lane(lane as u32), epoch, incarnation, first: *first, end })
        .collect()
}

/// The epochs that count, per lane, and as the last one that which is still open.
pub(crate) fn live_ranges(record: &OpenRecord, geometry: &Geometry) -> Vec<Vec<EpochRange>> {
    let mut ranges = ranges_of(record, geometry);
    ranges.iter_mut().zip(open_ranges(record)).for_each(|(lane, range)| lane.push(range));
    ranges
}

/// Puts the tails' segments of the last epoch on the board, by their headers.
fn place_slots(media: &Media, record: &OpenRecord, paths: &[PathBuf]) -> Result<()> {
    if record.closed {
        return Ok(());
    }
    for lane in media.lanes() {
        let (index, ring) = media.ring(lane);
        let Some(tail) = media.tails.get(index) else { continue };
        let seal = Seal::new(record.log, lane, record.epoch, record.incarnation);
        for slot in 0..media.board.slots() {
            let at = ring + slot as u64 * media.geometry.segment_bytes;
            if at + media.geometry.segment_bytes > tail.len() {
                continue;
            }
            let mut bytes = [0; SEGMENT_HEADER_BYTES];
            let header = match tail.read(at, &mut bytes).map(|()| SegmentHeader::decode(&bytes)) {
                Ok(Err(Unreadable::Version(version))) => {
                    let path = paths.get(index).cloned().unwrap_or_default();
                    return Err(Refusal::Newer { path, version, known: FORMAT_VERSION }.into());
                }
                Ok(header) => header.ok(),
                Err(_) => None,
            };
            let ours = |header: &SegmentHeader| {
                header.log == record.log
                    && header.lane == lane
                    && (header.epoch, header.incarnation) == (record.epoch, record.incarnation)
            };
            let first = match header {
                Some(header) => ours(&header).then_some(header.first),
                None => first_frame(&**tail, at + SEGMENT_HEADER_BYTES as u64, &seal, &media.geometry),
            };
            if let Some(first) = first {
                media.board.take_slot(lane, slot, first);
            }
        }
    }
    Ok(())
}

/// Where a segment begins whose header is damaged: its first frame says so, if that is of this open.
fn first_frame(tail: &dyn TailRead, at: u64, seal: &Seal, geometry: &Geometry) -> Option<Lsn> {
    let mut head = [0; HEADER_BYTES];
    tail.read(at, &mut head).ok()?;
    let lsn = Lsn::of(Header::decode(&head)?.lsn.0)?;
    let header = peek(seal, lsn, &head, geometry.slot_bytes()).ok()?;
    let mut frame = vec![0; header.frame_bytes()];
    tail.read(at, &mut frame).ok()?;
    verify(seal, &header, &frame).ok().map(|()| lsn)
}

/// Lanes in parallel, as many at once as there are processors.
pub(super) fn scan_lanes(
    media: &Arc<Media>,
    open: &[EpochRange],
    marks: &Marks,
    ahead: &Ahead,
) -> Result<Vec<LaneScan>> {
    let scan = |range: &EpochRange| scan_lane(media, range, &marks.of(range.lane), ahead);
    side_by_side(open.iter().collect(), media.env.threads(), scan).into_iter().collect()
}
