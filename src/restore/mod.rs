//! A log from objects alone: all of it, up to a point, or some lanes.
//!
//! Contents: [`plan`] (which objects, and how far each lane counts), [`fetch`] (objects and chunks, several at a time,
//! in order), [`groups`] (that batches are whole), [`target`] (the log that is being made), [`check`] (every object,
//! without making a log).

mod check;
mod fetch;
mod groups;
mod plan;
mod target;

use std::sync::Arc;

use crate::archive::Archive;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::{Host, Machine};
use crate::number::{Gsn, Lane, LogId, Lsn};

pub(crate) use check::{Harm, Harmed, check_objects, is_harmed};

/// Where a restore ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Until {
    /// With everything there is.
    #[default]
    End,
    /// With the last batch stamped at or below. A time is its nanoseconds since 1970.
    Gsn(Gsn),
    /// With the batch that holds the newest mark of this name.
    Mark(String),
}

/// What is restored.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Where it ends; a batch is restored whole or not at all.
    pub until: Until,
    /// Only these lanes; the others go on from where they stood, what they hold stays in the archive. Empty for all.
    pub lanes: Vec<Lane>,
    /// Requests at a time; 0 stands for the default of 8. Memory: three times as many data objects.
    pub readers: usize,
}

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The object in hand.
    pub number: u64,
    /// The last one needed.
    pub last: u64,
    /// Bytes of frames written so far.
    pub frame_bytes: u64,
}

/// What a restore wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The log.
    pub log: LogId,
    /// Objects of the sequence, from where it begins to where the restore ends.
    pub objects: u64,
    /// Bytes of frames written.
    pub frame_bytes: u64,
    /// Bytes of frames that an interrupted restore had written before.
    pub frame_bytes_kept: u64,
    /// Per lane, where it goes on.
    pub ends: Vec<Lsn>,
}

/// Makes the log that `config.archive` holds in the empty directory `config.dir`: [`restore_to`] with the defaults.
///
/// # Errors
/// As for [`restore_to`].
pub fn restore(config: &Config) -> Result<Restored> {
    restore_to(config, &RestoreOptions::default(), &mut |_| ())
}

/// Makes the log that `config.archive` holds, as far as `options` say, in the empty directory `config.dir`; every frame
/// is verified as it is written. The next open goes on from there and claims the sequence: whoever wrote it before is
/// fenced off, and what a restore to a point left out is void from then on.
///
/// An interrupted restore leaves no log behind; the same call goes on with what was written. `progress` is told after each
/// object.
///
/// # Errors
/// [`Error::Config`] without an archive, where the directory holds something else, or for a point that is not there;
/// a [`Refusal`](crate::Refusal) naming the object that is missing, damaged or foreign; [`Error::Corrupt`],
/// [`Error::Archive`], I/O errors.
pub fn restore_to(
    config: &Config,
    options: &RestoreOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restored> {
    run(&Arc::new(Machine::detect()), config, options, progress)
}

/// As [`restore`], on another host than this machine.
///
/// # Errors
/// As for [`restore_to`].
pub fn restore_on<H: Host>(host: &Arc<H>, config: &Config) -> Result<Restored> {
    run(host, config, &RestoreOptions::default(), &mut |_| ())
}

fn run<H: Host>(
    host: &Arc<H>,
    config: &Config,
    options: &RestoreOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restored> {
    let archive = Archive::view(host, &config.archive)?;
    let archive =
        archive.ok_or_else(|| Error::Config("restore needs an archive: none is configured".into()))?;
    let plan = plan::Plan::make(&archive, options)?;
    let mut target = target::Target::make(host, config, &plan)?;
    let threads = match host.threads() {
        0 | 1 => 1,
        _ if options.readers == 0 => 8,
        _ => options.readers,
    };
    let kept = target.kept();
    fetch::fetch(&archive, &plan, &kept, threads, &mut |piece| {
        let number = piece.number;
        target.take(piece)?;
        progress(Progress { number, last: plan.numbers.end - 1, frame_bytes: target.frame_bytes });
        Ok(())
    })?;
    target.finish(&**host, config, &plan)
}
