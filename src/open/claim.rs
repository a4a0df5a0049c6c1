//! The archive at an open: whether it may be gone on with, and the claim that makes it this owner's.

use super::begin::Opening;
use super::find::Found;
use crate::archive::{Archive, Archived, Archiver, Author, Claim};
use crate::board::Water;
use crate::config::Config;
use crate::error::{Refusal, Result};
use crate::format::OpenRecord;
use crate::host::Host;
use crate::number::{Epoch, Incarnation, Lane};
use crate::recover::Examined;

/// What is there of this log, and how far.
///
/// # Errors
/// [`Refusal`]s, where it is another one's, or what is there is not what this machine knows.
pub(super) fn look_at_archive(
    config: &Config,
    archive: Option<&Archive>,
    record: &OpenRecord,
    examined: &Examined,
    take_back: bool,
) -> Result<Option<Archived>> {
    if record.superseded && !take_back && !config.fork {
        let (archive, number) = (record.archive.clone(), record.claim);
        return Err(Refusal::Superseded { archive, number }.into());
    }
    let Some(archive) = archive else {
        if !record.archive.is_empty() {
            tracing::warn!(archive = record.archive, "this open does not archive, earlier ones did");
        }
        return Ok(None);
    };
    let address = archive.address.clone();
    let same = record.archive == address;
    if !same {
        if !record.archive.is_empty() && !config.fork {
            let known = record.archive.clone();
            return Err(Refusal::OtherArchive { archive: address, known }.into());
        }
        if !config.archive.accept_unfenced && !archive.fences()? {
            return Err(Refusal::Unfenced { archive: address }.into());
        }
    }
    let claim = if same { record.claim } else { 0 };
    let mut archived = archive.look(record.log, record.lanes, claim, ours(record))?;
    let board = &examined.media.board;
    let local = |lane: usize| board.published(Lane(lane as u32));
    if let Some((number, ends)) = archived.foreign.take() {
        if !take_back {
            return Err(Refusal::Superseded { archive: address, number }.into());
        }
        tracing::warn!(number, "the archive is taken back: what another owner wrote is void");
        archived.ends = ends;
    }
    if archived.claim == 0 {
        // Nothing is there yet: it begins with what this directory still holds.
        archived.ends = examined.media.lanes().map(|lane| examined.media.oldest(lane)).collect();
    }
    for (lane, end) in archived.ends.iter_mut().enumerate() {
        let local = local(lane);
        if *end > local && !(record.voids || take_back) {
            let (archive, lane, archived) = (address, Lane(lane as u32), *end);
            return Err(Refusal::ArchiveAhead { archive, lane, archived, local }.into());
        }
        *end = local.min(*end);
    }
    Ok(Some(archived))
}

/// Whose objects are this directory's own: those of the newest open, and of those since the last claim known.
fn ours(record: &OpenRecord) -> impl Fn(Epoch, Incarnation) -> bool {
    let mut opens = record.opens.clone();
    opens.push((record.epoch, record.incarnation));
    move |epoch, incarnation| opens.contains(&(epoch, incarnation))
}

impl<H: Host> Opening<H> {
    fn author(&self) -> Author {
        let OpenRecord { log, epoch, incarnation, .. } = self.found.record;
        Author { log, epoch, incarnation }
    }

    /// Claims the next number; the record then names the claim.
    pub(super) fn claim(&mut self, config: &Config) -> Result<Option<Archiver>> {
        let author = self.author();
        let Found { geometry, record, examined, archive, archived, take_back, .. } = &mut self.found;
        let (Some(archive), Some(mut archived)) = (archive.clone(), archived.take()) else { return Ok(None) };
        let claimed = loop {
            let claim = Claim { geometry: *geometry, ranges: record.ranges.clone() };
            match archive.claim(author, &archived, claim, ours(record))? {
                Some(claimed) => break claimed,
                // An earlier open's request arrived late: it is settled, and the next number is tried.
                None => {
                    let found = look_at_archive(config, Some(&archive), record, examined, *take_back)?;
                    archived = found.unwrap_or(archived);
                }
            }
        };
        record.claim = claimed.number;
        record.opens.clear();
        (record.voids, record.superseded) = (false, false);
        record.turn += 1;
        self.write_record()?;
        let board = &self.found.examined.media.board;
        for (lane, end) in archived.ends.iter().enumerate() {
            board.raise_water(Lane(lane as u32), Water::Archived, *end);
        }
        Ok(Some(Archiver::new(archive, author, claimed, archived.ends, config)))
    }
}
