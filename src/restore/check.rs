//! Every object of an archive, by itself, and that each begins where the one before ended.

use crate::archive::{Archive, Body, Cut, Object};
use crate::error::{Error, Result};
use crate::number::{LogId, Lsn};
use crate::runs::{Frames, RunFrames};

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Objects of the sequence.
    pub(crate) objects: u64,
    /// Of frames.
    pub(crate) bytes: u64,
}

/// Reads every object from the archive's base on.
///
/// # Errors
/// A refusal naming the object, [`Error::Corrupt`] naming the object and the place; the store's own.
pub(crate) fn check_objects(archive: &Archive, log: LogId) -> Result<Checked> {
    let base = archive.base(Some(log))?;
    let mut checked = Checked::default();
    let mut ends: Vec<Lsn> = base.starts;
    let mut number = base.number;
    while let Some((object, inline)) = archive.object(Some(log), number)? {
        match &object.body {
            Body::Claim(_) => ends.clone_from(&object.ends),
            Body::Cut(cut) => checked.bytes += check_cut(archive, &object, cut, &inline, &mut ends)?,
        }
        if object.ends != ends {
            return Err(archive.wrong(number, "says that the lanes stand elsewhere than its frames do"));
        }
        number += 1;
    }
    archive.check_end(log, number)?;
    checked.objects = number - base.number;
    Ok(checked)
}

fn check_cut(archive: &Archive, object: &Object, cut: &Cut, inline: &[u8], ends: &mut [Lsn]) -> Result<u64> {
    let mut bytes = 0;
    for index in 0..cut.chunks.len() {
        let raw = archive.chunk(object, cut, index, inline)?;
        bytes += raw.len() as u64;
        for (run, part) in cut.parts(index) {
            let run = &cut.runs[run];
            let number = object.number;
            let corrupt = |what: String| Error::Corrupt {
                lane: run.lane,
                lsn: part.first,
                what: format!("object {number} of the archive: {what}"),
            };
            let end = ends.get_mut(run.lane.0 as usize);
            let end = end.ok_or_else(|| corrupt("a lane that the log does not have".into()))?;
            if *end != part.first {
                return Err(corrupt(format!("a gap before this run: the lane ended at {end}")));
            }
            let (seal, mut frames) = (run.seal(object.author.log), RunFrames::new(&raw[part.bytes]));
            let mut at = part.first;
            while at < part.end {
                let (header, _) =
                    frames.look(&seal, run.lane, at).map_err(|error| corrupt(error.to_string()))?;
                at = Lsn(at.0 + header.frame_bytes() as u64);
            }
            if at != part.end || !frames.is_done() {
                return Err(corrupt("does not hold what it says".into()));
            }
            *end = at;
        }
    }
    Ok(bytes)
}
