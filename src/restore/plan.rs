//! Which objects a restore reads, and how far each lane counts in each of them.
//!
//! Claims void what earlier objects hold beyond their ends; a point leaves out what is stamped above it. Both are limits
//! per lane, found before anything is read: by bisection, and along the chain of claims.

use std::ops::Range;

use tierlog_tiers::object::Name;

use super::{RestoreOptions, Until};
use crate::archive::{Archive, Author, Body, Cut, Object};
use crate::error::{Error, Result};
use crate::frame::{Kind, LAST};
use crate::geometry::Geometry;
use crate::number::{Gsn, Lane, LogId, Lsn};
use crate::runs::{Frames, RunFrames};

/// A claim's number, and the lowest ends of it and of those behind it: what is beyond in earlier objects is void.
type Void = (u64, Vec<Lsn>);

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) log: LogId,
    pub(super) geometry: Geometry,
    pub(super) numbers: Range<u64>,
    /// Where the lanes begin.
    pub(super) starts: Vec<Lsn>,
    /// Where the lanes end.
    pub(super) ends: Vec<Lsn>,
    /// Which lanes are wanted.
    wanted: Vec<bool>,
    /// Ascending.
    claims: Vec<Void>,
    /// The newest claim, and who made it.
    pub(super) claim: u64,
    pub(super) author: Author,
    /// The newest stamp of the sequence.
    pub(super) gsn: Gsn,
    /// Whether the sequence holds more, which is to be void.
    pub(super) voids: bool,
}

impl Plan {
    pub(super) fn make(archive: &Archive, options: &RestoreOptions) -> Result<Self> {
        let base = archive.base(None)?;
        let first = archive.head(None, base.number)?;
        let first = first.ok_or_else(|| {
            Error::Config(format!("{}: there is no archive of a log here", archive.address))
        })?;
        let log = first.author.log;
        let end = archive.end_behind(Some(log), base.number)?;
        archive.check_end(log, end)?;
        let last = archive.head(Some(log), end - 1)?.ok_or_else(|| archive.missing(end - 1))?;
        let (claims, newest) = chain(archive, log, first.claim_after(), &last)?;
        let Body::Claim(claim) = &newest.body else { return Err(archive.missing(newest.number)) };
        let geometry = claim.geometry;
        let (begins, starts) = match base.starts.is_empty() {
            true => (Name::Number(base.number), first.ends.clone()),
            false => (Name::Base, base.starts),
        };
        archive.check_lanes(begins, &starts, geometry.lanes)?;
        archive.check_lanes(Name::Number(end - 1), &last.ends, geometry.lanes)?;
        let wanted = wanted(&geometry, options)?;
        let mut plan = Plan {
            log,
            geometry,
            numbers: base.number..end,
            starts,
            ends: last.ends.clone(),
            wanted,
            claims,
            claim: newest.number,
            author: newest.author,
            gsn: last.gsn,
            voids: false,
        };
        match &options.until {
            Until::End => {}
            Until::Gsn(gsn) => plan.stop_at(archive, *gsn)?,
            Until::Mark(name) => {
                let gsn = plan.find_mark(archive, name)?;
                plan.stop_at(archive, gsn)?;
            }
        }
        Ok(plan)
    }

    pub(super) fn wants(&self, lane: Lane) -> bool {
        self.wanted.get(lane.0 as usize).copied().unwrap_or(false)
    }

    /// How far `lane` counts in object `number`.
    pub(super) fn limit(&self, number: u64, lane: Lane) -> Lsn {
        let of = |ends: &[Lsn]| ends.get(lane.0 as usize).copied().unwrap_or_default();
        let later = self.claims.partition_point(|(claim, _)| *claim <= number);
        let void = self.claims.get(later).map_or(Lsn(u64::MAX), |(_, ends)| of(ends));
        void.min(of(&self.ends))
    }

    /// Leaves out what is stamped above `gsn`.
    fn stop_at(&mut self, archive: &Archive, gsn: Gsn) -> Result<()> {
        if gsn >= self.gsn {
            return Ok(());
        }
        let head = |number| archive.head(Some(self.log), number)?.ok_or_else(|| archive.missing(number));
        // The first object that goes as far as the stamp, and where the lanes stood before it.
        let low = archive.first_at(self.log, self.numbers.clone(), gsn)?;
        let mut stops = match low == self.numbers.start {
            true => self.starts.clone(),
            false => head(low - 1)?.ends,
        };
        archive.check_lanes(Name::Number(low.saturating_sub(1)), &stops, self.geometry.lanes)?;
        if let Some((object, inline)) = archive.object(Some(self.log), low)?
            && let Body::Cut(cut) = &object.body
        {
            archive.check_lanes(Name::Number(low), &object.ends, self.geometry.lanes)?;
            for (lane, end) in ends_at(archive, &object, cut, &inline, gsn)? {
                stops[lane.0 as usize] = end;
            }
        }
        if stops.iter().zip(&self.starts).all(|(stop, start)| stop <= start) {
            return Err(Error::Config(format!("the archive holds nothing up to {gsn}: it begins later")));
        }
        for (lane, stop) in stops.into_iter().enumerate() {
            // What a later claim voided does not come back.
            let lane = Lane(lane as u32);
            let end = stop.min(self.limit(low, lane));
            self.voids |= end < self.ends[lane.0 as usize];
            self.ends[lane.0 as usize] = end;
        }
        self.numbers.end = low + 1;
        Ok(())
    }

    /// The stamp of the newest mark of that name.
    fn find_mark(&self, archive: &Archive, name: &str) -> Result<Gsn> {
        for number in self.numbers.clone().rev() {
            let head = archive.head(Some(self.log), number)?.ok_or_else(|| archive.missing(number))?;
            let Body::Cut(cut) = &head.body else { continue };
            let counts = |lane, lsn| lsn < self.limit(number, lane);
            let found = cut.marks.iter().filter(|mark| mark.name == name && counts(mark.lane, mark.lsn));
            if let Some(mark) = found.max_by_key(|mark| mark.gsn) {
                return Ok(mark.gsn);
            }
        }
        Err(Error::Config(format!("the archive holds no mark {name:?}")))
    }
}

/// The claims behind the first object, and the newest one.
fn chain(archive: &Archive, log: LogId, first: u64, last: &Object) -> Result<(Vec<Void>, Object)> {
    let read = |number| archive.head(Some(log), number)?.ok_or_else(|| archive.missing(number));
    let newest = read(last.claim_after())?;
    let (mut claims, mut lowest) = (Vec::new(), newest.ends.clone());
    let mut at = newest.clone();
    loop {
        lowest.iter_mut().zip(&at.ends).for_each(|(lowest, end)| *lowest = (*lowest).min(*end));
        claims.push((at.number, lowest.clone()));
        if at.number <= first || at.claim == 0 {
            break;
        }
        at = read(at.claim)?;
        let (Body::Claim(one), Body::Claim(other)) = (&at.body, &newest.body) else {
            return Err(archive.missing(at.number));
        };
        if one.geometry != other.geometry {
            return Err(archive.wrong(at.number, "is a claim that names other sizes than later ones"));
        }
    }
    claims.reverse();
    Ok((claims, newest))
}

fn wanted(geometry: &Geometry, options: &RestoreOptions) -> Result<Vec<bool>> {
    let mut wanted = vec![options.lanes.is_empty(); geometry.lanes as usize];
    for lane in &options.lanes {
        let there = wanted.get_mut(lane.0 as usize);
        let none = || Error::Config(format!("there is no lane {lane}: the log has {}", geometry.lanes));
        *there.ok_or_else(none)? = true;
    }
    Ok(wanted)
}

/// Per lane of an object, the end of its last group stamped at or below `gsn`.
fn ends_at(
    archive: &Archive,
    object: &Object,
    cut: &Cut,
    inline: &[u8],
    gsn: Gsn,
) -> Result<Vec<(Lane, Lsn)>> {
    let mut ends: Vec<(Lane, Lsn)> = cut.runs.iter().map(|run| (run.lane, run.first)).collect();
    for contents in cut.contents() {
        let raw = archive.chunk(object, cut, &contents, inline)?;
        for (run, part) in contents.parts {
            let (lane, seal) = (cut.runs[run].lane, cut.runs[run].seal(object.author.log));
            let mut frames = RunFrames::new(&raw[part.bytes]);
            let mut at = part.first;
            while at < part.end {
                let (header, _) = frames.look(&seal, lane, at)?;
                at = Lsn(at.0 + header.frame_bytes() as u64);
                let stamped = header.is(LAST) && header.kind != Kind::Filler && header.gsn != Gsn(0);
                if stamped && header.gsn <= gsn {
                    ends[run].1 = at;
                }
            }
        }
    }
    // Runs of one lane follow each other: an earlier one that ends the lane is behind a later one's first.
    let mut last: Vec<(Lane, Lsn)> = Vec::new();
    for (run, (lane, end)) in cut.runs.iter().zip(ends) {
        match last.last_mut().filter(|(before, _)| *before == lane) {
            Some((_, before)) if *before == run.first => *before = end,
            Some(_) => {}
            None => last.push((lane, end)),
        }
    }
    Ok(last)
}
