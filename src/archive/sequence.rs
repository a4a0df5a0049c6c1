//! The sequence as an open finds it: read from the last claim known, claim the next number.

use std::sync::Arc;

use tierlog_tiers::object::{Created, ObjectError, Objects};

use super::object::{Author, Body, Claim, Object};
use crate::config::ArchiveConfig;
use crate::error::{Error, Refusal, Result};
use crate::format::{FORMAT_VERSION, Unreadable};
use crate::host::Env;
use crate::number::{Epoch, Incarnation, LogId, Lsn};

/// The sequence, read to its end.
#[derive(Debug)]
pub(crate) struct Archived {
    /// Per lane, exclusive end of what it holds.
    pub(crate) ends: Vec<Lsn>,
    /// The next free number.
    pub(crate) next: u64,
    /// The highest epoch seen.
    pub(crate) epoch: Epoch,
}

/// A number that is ours: what is written from here on follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) number: u64,
}

/// Opens the configured store; `None` if none is configured.
///
/// # Errors
/// [`Error::Config`] where the store, or this build, cannot serve the address.
pub(crate) fn open_objects(config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
    if config.address.is_empty() {
        return Ok(None);
    }
    #[cfg(feature = "object")]
    {
        use tierlog_tiers::object::{Sequence, SequenceOptions};
        let options = SequenceOptions { accept_local: config.accept_local, ..SequenceOptions::default() };
        let sequence = Sequence::open(&config.address, &options).map_err(archive_error)?;
        Ok(Some(Arc::new(sequence)))
    }
    #[cfg(not(feature = "object"))]
    Err(Error::Config(format!("{}: this build has no object tier (feature `object`)", config.address)))
}

pub(crate) fn archive_error(error: ObjectError) -> Error {
    match error {
        ObjectError::Refused { .. } => Error::Config(error.to_string()),
        _ => Error::Archive(error.to_string()),
    }
}

/// Reads object `number`, verified; `None` if the number is free.
pub(crate) fn read(
    objects: &dyn Objects,
    address: &str,
    log: Option<LogId>,
    number: u64,
) -> Result<Option<Object>> {
    let Some(bytes) = objects.read(number).map_err(archive_error)? else { return Ok(None) };
    decode(address, log, number, &bytes).map(Some)
}

fn decode(address: &str, log: Option<LogId>, number: u64, bytes: &[u8]) -> Result<Object> {
    let path = || format!("{address}/seq/{number:020}").into();
    let foreign = |what: String| Error::from(Refusal::Foreign { path: path(), what });
    match Object::decode(bytes) {
        Ok(object) if log.is_some_and(|log| log != object.author.log) => {
            Err(foreign(format!("an object of log {}", object.author.log)))
        }
        Ok(object) if object.number != number => {
            Err(foreign(format!("says that it is object {}", object.number)))
        }
        Ok(object) => Ok(object),
        Err(Unreadable::Version(version)) => {
            Err(Refusal::Newer { path: path(), version, known: FORMAT_VERSION }.into())
        }
        Err(Unreadable::Blank | Unreadable::Damaged) => {
            Err(foreign("damaged, or not an object of tierlog".into()))
        }
    }
}

/// Reads from our own last claim (0: none was ever made) to the end. An object of this directory's own earlier opens is
/// settled: its frames are below stable already. Anything foreign is refused.
pub(crate) fn read_from(
    objects: &dyn Objects,
    address: &str,
    log: LogId,
    lanes: u32,
    claim: u64,
    ours: impl Fn(Epoch, Incarnation) -> bool,
) -> Result<Archived> {
    if claim > 0 && read(objects, address, Some(log), claim)?.is_none() {
        let (path, what) =
            (address.into(), format!("object {claim}, this log's claim, is not there: put the archive back"));
        return Err(Refusal::Foreign { path, what }.into());
    }
    let mut archived = Archived { ends: vec![Lsn(0); lanes as usize], next: claim.max(1), epoch: Epoch(0) };
    while let Some(object) = read(objects, address, Some(log), archived.next)? {
        if !ours(object.author.epoch, object.author.incarnation) {
            return Err(Refusal::Superseded { archive: address.into(), number: archived.next }.into());
        }
        archived.epoch = archived.epoch.max(object.author.epoch);
        match &object.body {
            Body::Claim(claim) => {
                archived.ends.iter_mut().zip(&claim.archived).for_each(|(end, at)| *end = *at)
            }
            Body::Runs(runs) => runs.iter().for_each(|run| {
                if let Some(end) = archived.ends.get_mut(run.lane.0 as usize) {
                    *end = run.end.max(*end);
                }
            }),
        }
        archived.next += 1;
    }
    Ok(archived)
}

/// Creates the claim at the next number.
///
/// # Errors
/// [`Refusal::Superseded`] if somebody else has it; the store's own.
pub(crate) fn claim(
    env: &dyn Env,
    objects: &dyn Objects,
    address: &str,
    author: Author,
    number: u64,
    claim: Claim,
) -> Result<Claimed> {
    let tag = crate::open::random(env);
    let body = Object { author, number, tag, body: Body::Claim(claim) }.encode();
    match objects.create(number, &body).map_err(archive_error)? {
        Created::Ours => Ok(Claimed { number }),
        Created::Taken(_) => Err(Refusal::Superseded { archive: address.into(), number }.into()),
    }
}
