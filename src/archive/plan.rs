//! What goes into the next object: the groups between two stamps, over all lanes, looked at without being kept.
//!
//! A group of any size takes one frame of memory here: its frames are read again when they are sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use tierlog_tiers::tail::Tail;

use super::object::{ArchivedMark, Run};
use crate::board::SHUT;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::{FIRST, HEADER_BYTES, Header, Kind, LAST};
use crate::media::Media;
use crate::number::{Gsn, Lane, Lsn};
use crate::read::{FrameError, LaneCursor, Stop};

/// What one object is to hold.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By lane, then by LSN.
    pub(super) runs: Vec<Run>,
    pub(super) marks: Vec<ArchivedMark>,
    /// Everything stamped at or below is in this object or an earlier one.
    pub(super) gsn: Gsn,
    /// Of all frames.
    pub(super) bytes: u64,
}

/// One group, looked at.
#[derive(Debug)]
struct Span {
    run: Run,
    marks: Vec<ArchivedMark>,
}

/// Stands in each lane behind what was planned.
#[derive(Debug)]
pub(super) struct Planner {
    lanes: Vec<(LaneCursor, Option<Span>)>,
    frame: Vec<u8>,
}

impl Planner {
    pub(super) fn new<T: Tail>(engine: &Engine<T>, archived: &[Lsn]) -> Result<Self> {
        let cursor = |lane: Lane| {
            let (at, oldest) = (archived[lane.0 as usize], engine.media.oldest(lane));
            if at < oldest {
                let what = format!("was trimmed before it was archived (archive ends at {at})");
                return Err(Error::Corrupt { lane, lsn: oldest, what });
            }
            Ok((LaneCursor::new(engine.media.clone(), lane, at), None))
        };
        Ok(Planner { lanes: engine.media.lanes().map(cursor).collect::<Result<_>>()?, frame: Vec::new() })
    }

    /// The groups up to a stamp below which everything is published, in order, up to `bytes_max` or one group.
    pub(super) fn plan<T: Tail>(&mut self, engine: &Engine<T>, bytes_max: u64) -> Result<Plan> {
        let closed = engine.media.closed();
        let mut plan = Plan { gsn: closed, ..Plan::default() };
        let mut runs: BTreeMap<(Lane, Lsn), Run> = BTreeMap::new();
        let mut newest = Gsn(0);
        loop {
            for (cursor, head) in &mut self.lanes {
                if head.is_none() {
                    *head = skim(engine, cursor, &mut self.frame)?;
                }
            }
            let heads = self.lanes.iter().enumerate();
            let ready = heads.filter_map(|(i, (_, head))| head.as_ref().map(|span| (span.run.gsn, i)));
            let Some((gsn, i)) = ready.filter(|(gsn, _)| *gsn <= closed).min() else { break };
            let bytes = self.lanes[i].1.as_ref().map_or(0, |span| span.run.bytes);
            // Two lanes may draw the same stamp: it is not cut through.
            if plan.bytes > 0 && plan.bytes + bytes > bytes_max && gsn > newest {
                plan.gsn = newest;
                break;
            }
            let Some(span) = self.lanes[i].1.take() else { break };
            engine.make_group_stable(span.run.lane, span.run.epoch, span.run.end)?;
            newest = gsn;
            plan.bytes += span.run.bytes;
            plan.marks.extend(span.marks);
            add(&mut runs, span.run);
        }
        if closed.0 == SHUT - 1 {
            // The log is closing, and nothing comes behind its newest stamp.
            plan.gsn = newest;
        }
        plan.runs = runs.into_values().collect();
        Ok(plan)
    }
}

fn add(runs: &mut BTreeMap<(Lane, Lsn), Run>, next: Run) {
    let lane = runs.range_mut((next.lane, Lsn(0))..=(next.lane, next.first)).next_back();
    match lane {
        Some((_, run)) if (run.epoch, run.end) == (next.epoch, next.first) => {
            (run.end, run.gsn) = (next.end, next.gsn);
            run.bytes += next.bytes;
        }
        _ => drop(runs.insert((next.lane, next.first), next)),
    }
}

/// The runs between two places of a lane, and the marks in them; `None` where this machine has not all of it, in whole groups.
pub(crate) fn runs_between(
    media: &Arc<Media>,
    lane: Lane,
    first: Lsn,
    end: Lsn,
) -> Option<(Vec<Run>, Vec<ArchivedMark>)> {
    let (mut runs, mut marks, mut frame) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut cursor = LaneCursor::new(media.clone(), lane, first);
    while cursor.at < end {
        if cursor.at < media.oldest(lane) {
            return None;
        }
        let span = skim_to(&mut cursor, end, &mut frame).ok().flatten()?;
        marks.extend(span.marks);
        add(&mut runs, span.run);
    }
    Some((runs.into_values().collect(), marks))
}

/// The next group of a lane, if it is published as a whole.
fn skim<T: Tail>(engine: &Engine<T>, cursor: &mut LaneCursor, frame: &mut Vec<u8>) -> Result<Option<Span>> {
    let (lane, first) = (cursor.lane, cursor.at);
    let limit = engine.media.board.published(lane);
    let result = skim_to(cursor, limit, frame);
    if !matches!(result, Ok(Some(_))) {
        cursor.rewind(first);
        cursor.release();
    }
    result.map_err(|stop| stop.into_error(lane, first))
}

fn skim_to(cursor: &mut LaneCursor, limit: Lsn, frame: &mut Vec<u8>) -> Result<Option<Span>, Stop> {
    let (lane, first) = (cursor.lane, cursor.at);
    if first >= limit {
        return Ok(None);
    }
    let Some((range, _)) = cursor.range_anywhere().map_err(Stop::Frame)? else { return Ok(None) };
    let (epoch, incarnation) = (range.epoch, range.incarnation);
    let run = Run { lane, epoch, incarnation, first, end: first, gsn: Gsn(0), bytes: 0 };
    let mut span = Span { run, marks: Vec::new() };
    // Whether a batch is open, and the marks before it.
    let (mut open, mut marks) = (false, 0);
    while cursor.at < limit && cursor.at < range.end {
        let lsn = cursor.at;
        frame.clear();
        let header = cursor.frame(frame).map_err(|error| match error {
            FrameError::Hole(bad) => Stop::Hole(lsn, bad),
            error => Stop::Frame(error),
        })?;
        span.run.bytes += frame.len() as u64;
        if header.kind == Kind::Filler {
            continue;
        }
        if header.is(FIRST) == open {
            return Err(Stop::Misplaced(lsn, "a batch that does not begin where the one before ends"));
        }
        if !open {
            marks = span.marks.len();
        }
        match header.kind {
            Kind::Mark => span.marks.extend(mark(lane, &header, frame)),
            Kind::Abort => span.marks.truncate(marks),
            _ => {}
        }
        open = !header.is(LAST);
        if header.is(LAST) && header.gsn != Gsn(0) {
            if cursor.media().is_unheard_of(epoch, header.gsn) {
                return Err(Stop::Misplaced(lsn, "a stamp above all that the log knew when its epoch ended"));
            }
            (span.run.end, span.run.gsn) = (cursor.at, header.gsn);
            span.marks.iter_mut().for_each(|mark| mark.gsn = header.gsn);
            return Ok(Some(span));
        }
    }
    Ok(None)
}

/// The name in a mark frame.
fn mark(lane: Lane, header: &Header, frame: &[u8]) -> Option<ArchivedMark> {
    let name = frame.get(HEADER_BYTES..HEADER_BYTES + header.len as usize)?;
    let name = str::from_utf8(name).ok().filter(|name| name.len() <= super::object::MARK_NAME_BYTES_MAX)?;
    Some(ArchivedMark { lane, lsn: header.lsn, gsn: Gsn(0), name: name.to_owned() })
}

/// Reads the frames of a plan's runs, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of the lanes that were read already: the next run goes on from there.
    cursors: BTreeMap<Lane, LaneCursor>,
    run: usize,
}

impl Frames {
    /// To be called before the first frame of a plan.
    pub(super) fn begin(&mut self) {
        self.run = 0;
    }

    /// The LSN of the next frame, and it and those behind it until they are `bytes_min` or all; `None` at the end.
    pub(super) fn next<T: Tail>(
        &mut self,
        engine: &Engine<T>,
        plan: &Plan,
        bytes_min: usize,
    ) -> Result<Option<(Lsn, Vec<u8>)>> {
        let (mut first, mut bytes) = (None, Vec::new());
        while let Some(run) = plan.runs.get(self.run)
            && bytes.len() < bytes_min
        {
            let cursor = self
                .cursors
                .entry(run.lane)
                .or_insert_with(|| LaneCursor::new(engine.media.clone(), run.lane, run.first));
            if cursor.at < run.first || cursor.at >= run.end {
                cursor.rewind(run.first);
            }
            first.get_or_insert(cursor.at);
            while cursor.at < run.end && bytes.len() < bytes_min {
                let at = cursor.at;
                let read = cursor.frame(&mut bytes);
                read.map_err(|error| Stop::Frame(error).into_error(run.lane, at))?;
            }
            if cursor.at >= run.end {
                self.run += 1;
                if cursor.at >= engine.media.board.published(run.lane) {
                    cursor.release();
                }
            }
        }
        Ok(first.map(|first| (first, bytes)))
    }
}
