//! Every object of an archive, by itself, and that each begins where the one before ended; one that is harmed hides no
//! other.

use crate::archive::{Archive, Body, Contents, Cut, Object};
use crate::error::{Error, Result};
use crate::number::{Gsn, LogId, Lsn};
use crate::runs::{Frames, RunFrames};

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Objects of the sequence, harmed ones among them.
    pub(crate) objects: u64,
    /// Of frames.
    pub(crate) bytes: u64,
    pub(crate) harms: Vec<Harm>,
}

/// An object that is not as it should be.
#[derive(Debug)]
pub(crate) struct Harm {
    pub(crate) number: u64,
    /// Names the object that is missing or damaged.
    pub(crate) what: Error,
    pub(crate) part: Harmed,
}

/// How much of an object is harmed.
#[derive(Debug)]
pub(crate) enum Harmed {
    /// These of its chunks, ascending.
    Chunks(Box<Object>, Vec<usize>),
    /// All of it: it is missing, or its head is damaged. Where the lanes stand before it and how far the stamps go there,
    /// if that is known, and the next object, if that one is whole.
    Whole(Option<(Vec<Lsn>, Gsn)>, Option<Box<Object>>),
    /// None: it does not belong where it stands.
    Place,
}

/// Reads every object from the archive's base on; `read` is told how many bytes of frames, and ends it with false.
///
/// # Errors
/// The store's own, and those of the base.
pub(crate) fn check_objects(
    archive: &Archive,
    log: LogId,
    read: &mut dyn FnMut(u64) -> bool,
) -> Result<Checked> {
    let base = archive.base(Some(log))?;
    let mut checked = Checked::default();
    // Behind the object before, if it could be read.
    let mut stands = Some((base.starts, Gsn(0)));
    let mut number = base.number;
    loop {
        let before = checked.bytes;
        match next(archive, log, number) {
            Ok(Some((object, inline))) => {
                if let Some(Harm { part: Harmed::Whole(_, after), .. }) = checked.harms.last_mut()
                    && stands.is_none()
                {
                    *after = Some(Box::new(object.clone()));
                }
                let harm = check(archive, &object, &inline, stands.take(), &mut checked.bytes)?;
                checked.harms.extend(harm);
                stands = Some((object.ends, object.gsn));
            }
            Ok(None) => break,
            Err(what @ (Error::Refused(_) | Error::Corrupt { .. })) => {
                checked.harms.push(Harm { number, what, part: Harmed::Whole(stands.take(), None) });
            }
            Err(error) => return Err(error),
        }
        number += 1;
        if !read(checked.bytes - before) {
            break;
        }
    }
    checked.objects = number - base.number;
    for harm in std::mem::take(&mut checked.harms) {
        if is_harmed(archive, log, &harm)? {
            checked.harms.push(harm);
        }
    }
    Ok(checked)
}

/// Whether it is harmed still: beside a live owner, what was given up or written meanwhile only looked like it.
///
/// # Errors
/// As for [`check_objects`].
pub(crate) fn is_harmed(archive: &Archive, log: LogId, harm: &Harm) -> Result<bool> {
    if harm.number < archive.base(Some(log))?.number {
        return Ok(false);
    }
    match next(archive, log, harm.number) {
        Ok(None) => Ok(false),
        Ok(Some(_)) if matches!(harm.part, Harmed::Place) => Ok(true),
        Ok(Some((object, inline))) => Ok(check(archive, &object, &inline, None, &mut 0)?.is_some()),
        Err(Error::Refused(_) | Error::Corrupt { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Object `number`; `None` where the sequence ends there.
fn next(archive: &Archive, log: LogId, number: u64) -> Result<Option<(Object, Vec<u8>)>> {
    match archive.object(Some(log), number)? {
        None => archive.check_end(log, number).map(|()| None),
        there => Ok(there),
    }
}

fn check(
    archive: &Archive,
    object: &Object,
    inline: &[u8],
    stands: Option<(Vec<Lsn>, Gsn)>,
    bytes: &mut u64,
) -> Result<Option<Harm>> {
    let harm = |what, part| Some(Harm { number: object.number, what, part });
    let Body::Cut(cut) = &object.body else { return Ok(None) };
    if let Some(what) = stands.and_then(|(stands, _)| misplaced(object, cut, stands)) {
        return Ok(harm(archive.wrong(object.number, what), Harmed::Place));
    }
    let (mut first, mut harmed) = (None, Vec::new());
    for contents in cut.contents() {
        match check_chunk(archive, object, cut, &contents, inline) {
            Ok(read) => *bytes += read,
            Err(error @ (Error::Refused(_) | Error::Corrupt { .. })) => {
                harmed.push(contents.index);
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(first.and_then(|what| harm(what, Harmed::Chunks(Box::new(object.clone()), harmed))))
}

/// Whether the runs do not go on where the lanes `stand`, or do not end where the object says.
fn misplaced(object: &Object, cut: &Cut, mut stands: Vec<Lsn>) -> Option<String> {
    for run in &cut.runs {
        let Some(end) = stands.get_mut(run.lane.0 as usize) else {
            return Some(format!("holds a run of lane {}, which the log does not have", run.lane));
        };
        if *end != run.first {
            let (lane, first) = (run.lane, run.first);
            return Some(format!("a gap in lane {lane}: it ended at {end}, and this run begins at {first}"));
        }
        *end = run.end;
    }
    let elsewhere = object.ends != stands;
    elsewhere.then(|| "says that the lanes stand elsewhere than its frames do".into())
}

/// The chunk's frames, one by one.
///
/// # Errors
/// A refusal naming the object, [`Error::Corrupt`] naming the object and the place; the store's own.
fn check_chunk(
    archive: &Archive,
    object: &Object,
    cut: &Cut,
    contents: &Contents,
    inline: &[u8],
) -> Result<u64> {
    let raw = archive.chunk(object, cut, contents, inline)?;
    for (run, part) in &contents.parts {
        let run = &cut.runs[*run];
        let number = object.number;
        let corrupt = |what: String| Error::Corrupt {
            lane: run.lane,
            lsn: part.first,
            what: format!("object {number} of the archive: {what}"),
        };
        let (seal, mut frames) = (run.seal(object.author.log), RunFrames::new(&raw[part.bytes.clone()]));
        let mut at = part.first;
        while at < part.end {
            let (header, _) = frames.look(&seal, run.lane, at).map_err(|error| corrupt(error.to_string()))?;
            at = Lsn(at.0 + header.frame_bytes() as u64);
        }
        if at != part.end || !frames.is_done() {
            return Err(corrupt("does not hold what it says".into()));
        }
    }
    Ok(raw.len() as u64)
}
