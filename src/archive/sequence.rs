//! The sequence as it lies in the store: reading objects, finding its end, what an open makes of it.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tierlog_tiers::checksum::Crc32c;
use tierlog_tiers::object::{Created, Name, ObjectError, Objects};

use super::codec::unpack;
use super::object::{Author, Body, Claim, Contents, Cut, HEAD_BYTES_MAX, OBJECT_VERSION, Object};
use super::retry::patiently;
use crate::config::{ArchiveConfig, Config};
use crate::error::{Error, Refusal, Result};
use crate::format::block_bytes;
use crate::host::{Env, Host};
use crate::number::{Epoch, Gsn, Incarnation, LogId, Lsn};

/// Most heads are smaller, and one request reads them.
const HEAD_BYTES_FIRST: usize = 8 << 10;
/// How long a store that fails is asked again by an open, a restore or a reader. A request under way is waited for: up to
/// `answer_ms_max` more where there is no answer at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How far behind an end a later object is looked for: one request each.
const GAP_DOUBLINGS: u32 = 10;
/// Creators raced for in a probe.
pub(crate) const RACERS: u32 = 32;

/// A store and its address: shared by whoever reads and writes objects of a log.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) address: String,
    pub(crate) env: Arc<dyn Env>,
}

/// A number that is ours: what is written from here on follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) number: u64,
}

/// The sequence as an open finds it.
#[derive(Debug, Clone)]
pub(crate) struct Archived {
    /// Per lane, exclusive end of what it holds.
    pub(crate) ends: Vec<Lsn>,
    /// The next free number.
    pub(crate) next: u64,
    /// The newest claim, 0 for none.
    pub(crate) claim: u64,
    /// The highest epoch seen.
    pub(crate) epoch: Epoch,
    /// The newest stamp.
    pub(crate) gsn: Gsn,
    /// The first claim that is not this directory's own, and where the lanes stood before it.
    pub(crate) foreign: Option<(u64, Vec<Lsn>)>,
}

/// Opens the configured store; `None` if none is configured. What is missing of one in a directory is made where `create`
/// says so.
///
/// # Errors
/// [`Error::Config`] where the store, or this build, cannot serve the address.
pub(crate) fn open_objects(config: &ArchiveConfig, create: bool) -> Result<Option<Arc<dyn Objects>>> {
    if config.address.is_empty() {
        return Ok(None);
    }
    #[cfg(feature = "object")]
    {
        use tierlog_tiers::object::{Sequence, SequenceOptions};
        let endpoint = (!config.endpoint.is_empty()).then(|| config.endpoint.clone());
        let (accept_local, timeout_ms) = (config.accept_local, config.answer_ms());
        let options = SequenceOptions { accept_local, timeout_ms, endpoint, create };
        let sequence = Sequence::open(&config.address, &options).map_err(archive_error)?;
        Ok(Some(Arc::new(sequence)))
    }
    #[cfg(not(feature = "object"))]
    {
        let _ = create;
        Err(Error::Config(format!("{}: this build has no object tier (feature `object`)", config.address)))
    }
}

pub(crate) fn archive_error(error: ObjectError) -> Error {
    match error {
        ObjectError::Refused { .. } => Error::Config(error.to_string()),
        _ => Error::Archive(error.to_string()),
    }
}

/// Races for a name in the archive's store: whether it can keep two owners apart.
///
/// # Errors
/// [`Error::Config`] without an archive, [`Error::Archive`].
pub fn probe_store(config: &Config) -> Result<bool> {
    let objects = open_objects(&config.archive, true)?;
    let objects = objects.ok_or_else(|| Error::Config("no archive is configured".into()))?;
    objects.probe(RACERS).map_err(archive_error)
}

impl Archive {
    /// The archive of a configuration, for its owner; `None` if none is configured.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range; as for [`Host::objects`].
    pub(crate) fn open<H: Host>(host: &Arc<H>, config: &ArchiveConfig) -> Result<Option<Self>> {
        config.check()?;
        Ok(host.objects(config)?.map(|objects| Archive::of(objects, host, config)))
    }

    /// The same for those who read, or write to what is there: nothing is made.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range; as for [`Host::view_objects`].
    pub(crate) fn view<H: Host>(host: &Arc<H>, config: &ArchiveConfig) -> Result<Option<Self>> {
        config.check()?;
        Ok(host.view_objects(config)?.map(|objects| Archive::of(objects, host, config)))
    }

    fn of<H: Host>(objects: Arc<dyn Objects>, host: &Arc<H>, config: &ArchiveConfig) -> Self {
        Archive { objects, address: config.address.clone(), env: host.clone() }
    }

    /// Whether the store keeps two owners apart: creators race for a name.
    ///
    /// # Errors
    /// The store's own, after some patience.
    pub(crate) fn fences(&self) -> Result<bool> {
        patiently(&*self.env, PATIENCE, || self.objects.probe(RACERS).map_err(archive_error))
    }

    pub(crate) fn path(&self, name: Name) -> PathBuf {
        format!("{}/{name}", self.address).into()
    }

    pub(super) fn foreign(&self, name: Name, what: String) -> Error {
        Refusal::Foreign { path: self.path(name), what }.into()
    }

    /// Reads the head of object `number`, verified; `None` if the number is free.
    ///
    /// # Errors
    /// A refusal naming the object; the store's own, after some patience.
    pub(crate) fn head(&self, log: Option<LogId>, number: u64) -> Result<Option<Object>> {
        let name = Name::Number(number);
        let read = |bytes: usize| {
            patiently(&*self.env, PATIENCE, || self.objects.read(name, Some(bytes)).map_err(archive_error))
        };
        let Some(mut bytes) = read(HEAD_BYTES_FIRST)? else { return Ok(None) };
        let len = block_bytes(&bytes);
        if len > bytes.len() && bytes.len() == HEAD_BYTES_FIRST && len <= HEAD_BYTES_MAX {
            match read(len)? {
                Some(whole) => bytes = whole,
                None => return Ok(None),
            }
        }
        self.decode(log, number, &bytes).map(Some)
    }

    /// Reads object `number` as a whole: its head, and what it carries itself.
    ///
    /// # Errors
    /// As for [`head`](Archive::head).
    pub(crate) fn object(&self, log: Option<LogId>, number: u64) -> Result<Option<(Object, Vec<u8>)>> {
        let name = Name::Number(number);
        let read = patiently(&*self.env, PATIENCE, || self.objects.read(name, None).map_err(archive_error))?;
        let Some(mut bytes) = read else { return Ok(None) };
        let object = self.decode(log, number, &bytes)?;
        bytes.drain(..block_bytes(&bytes).min(bytes.len()));
        Ok(Some((object, bytes)))
    }

    fn decode(&self, log: Option<LogId>, number: u64, bytes: &[u8]) -> Result<Object> {
        let name = Name::Number(number);
        match Object::decode(bytes) {
            Ok(object) if log.is_some_and(|log| log != object.author.log) => {
                Err(self.foreign(name, format!("an object of log {}", object.author.log)))
            }
            Ok(object) if object.number != number => {
                Err(self.foreign(name, format!("says that it is object {}", object.number)))
            }
            Ok(object) => Ok(object),
            Err(unreadable) => Err(self.unreadable(name, unreadable, OBJECT_VERSION)),
        }
    }

    /// The frames of a chunk, unpacked; `inline` is what stands behind the object's head.
    ///
    /// # Errors
    /// A refusal naming the object that is missing, cut short or damaged; the store's own, after some patience.
    pub(crate) fn chunk(&self, object: &Object, cut: &Cut, of: &Contents, inline: &[u8]) -> Result<Vec<u8>> {
        let chunk = &cut.chunks[of.index];
        let name = match chunk.inline {
            true => Name::Number(object.number),
            false => Name::Data(object.data_name(of.index)),
        };
        let wrong = |what: &str| {
            self.foreign(name, format!("{what}; put the object back, or restore what does not need it"))
        };
        let stored: Cow<'_, [u8]> = if chunk.inline {
            let at = of.inline_at;
            inline.get(at..at + chunk.stored_bytes as usize).ok_or_else(|| wrong("is cut short"))?.into()
        } else {
            let read =
                patiently(&*self.env, PATIENCE, || self.objects.read(name, None).map_err(archive_error))?;
            let stored = read.ok_or_else(|| {
                let by = Name::Number(object.number);
                wrong(&format!("is not there, and {by} names it"))
            })?;
            if stored.len() != chunk.stored_bytes as usize {
                let (len, want) = (stored.len(), chunk.stored_bytes);
                return Err(wrong(&format!("has {len} bytes instead of {want}")));
            }
            stored.into()
        };
        if Crc32c::new().bytes(&stored).finish() != chunk.crc {
            return Err(wrong("is damaged: its checksum is wrong"));
        }
        unpack(chunk.compression, stored, chunk.raw_bytes as usize)
            .map_err(|error| wrong(&format!("cannot be unpacked: {error}")))
    }

    /// The first free number behind `from`, which is taken: by bisection, since the sequence has no gaps.
    pub(crate) fn end_behind(&self, log: Option<LogId>, from: u64) -> Result<u64> {
        let (mut taken, mut step) = (from, 1);
        while self.head(log, taken + step)?.is_some() {
            (taken, step) = (taken + step, step * 2);
        }
        let mut free = taken + step;
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            match self.head(log, middle)? {
                Some(_) => taken = middle,
                None => free = middle,
            }
        }
        Ok(free)
    }

    /// Whether nothing lies behind `free`, where the sequence seems to end: an object that was taken out of it ends no
    /// sequence.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] naming that object; as for [`head`](Archive::head).
    pub(crate) fn check_end(&self, log: LogId, free: u64) -> Result<()> {
        for doublings in 0..=GAP_DOUBLINGS {
            if self.head(Some(log), free + (1 << doublings))?.is_some() {
                return Err(self.missing(free));
            }
        }
        Ok(())
    }

    /// The first of `numbers` that goes as far as `gsn`, or the last one: by bisection, since stamps only grow.
    pub(crate) fn first_at(&self, log: LogId, numbers: Range<u64>, gsn: Gsn) -> Result<u64> {
        let (mut low, mut high) = (numbers.start, numbers.end - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let head = self.head(Some(log), middle)?.ok_or_else(|| self.missing(middle))?;
            if head.gsn >= gsn { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// The sequence from our own last claim (0: none was ever made) to its end: its newest object says where the lanes
    /// stand, and claims lead back from it.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] naming an object that is damaged, missing or another log's; the store's own.
    pub(crate) fn look(
        &self,
        log: LogId,
        lanes: u32,
        claim: u64,
        ours: impl Fn(Epoch, Incarnation) -> bool,
    ) -> Result<Archived> {
        let base = self.base(Some(log))?;
        if claim > 0 && self.head(Some(log), claim)?.is_none() {
            return Err(
                self.foreign(Name::Number(claim), "this log's claim is not there: put it back".into())
            );
        }
        let start = claim.max(base.number);
        let nothing = Archived {
            ends: vec![Lsn(0); lanes as usize],
            next: 1,
            claim: 0,
            epoch: Epoch(0),
            gsn: Gsn(0),
            foreign: None,
        };
        if self.head(Some(log), start)?.is_none() {
            return if start == 1 { Ok(nothing) } else { Err(self.missing(start)) };
        }
        let next = self.end_behind(Some(log), start)?;
        let last = self.head(Some(log), next - 1)?.ok_or_else(|| self.missing(next - 1))?;
        self.check_lanes(Name::Number(last.number), &last.ends, lanes)?;
        let (ends, gsn) = (last.ends.clone(), last.gsn);
        let mut archived = Archived { ends, next, gsn, claim: last.claim_after(), ..nothing };
        let (mut epoch, mut at, mut kept) = (last.author.epoch, archived.claim, archived.ends.clone());
        while at > claim {
            let found = self.head(Some(log), at)?.ok_or_else(|| self.missing(at))?;
            self.check_lanes(Name::Number(at), &found.ends, lanes)?;
            epoch = epoch.max(found.author.epoch);
            kept.iter_mut().zip(&found.ends).for_each(|(kept, end)| *kept = (*kept).min(*end));
            if !ours(found.author.epoch, found.author.incarnation) {
                archived.foreign = Some((at, kept.clone()));
            }
            at = found.claim;
        }
        if at < claim {
            // The chain does not lead through our claim: it is another log's, or was tampered with.
            return Err(self.foreign(Name::Number(claim), "later claims do not know it".into()));
        }
        archived.epoch = epoch;
        Ok(archived)
    }

    /// Whether an object, or a base, is of a log of so many lanes.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] naming it.
    pub(crate) fn check_lanes(&self, name: Name, ends: &[Lsn], lanes: u32) -> Result<()> {
        if ends.len() == lanes as usize {
            return Ok(());
        }
        Err(self.foreign(name, format!("of a log of {} lanes, not {lanes}", ends.len())))
    }

    /// A refusal of object `number`.
    pub(crate) fn wrong(&self, number: u64, what: impl Into<String>) -> Error {
        self.foreign(Name::Number(number), what.into())
    }

    pub(crate) fn missing(&self, number: u64) -> Error {
        self.wrong(number, "is not there, and later objects are: put it back")
    }

    /// Creates the claim at number `at.next`. `None` where an earlier open of this directory turned out to have that
    /// number, or where the sequence was cut beyond it: look again.
    ///
    /// # Errors
    /// [`Refusal::Superseded`] if somebody else has it; the store's own, after some patience.
    pub(crate) fn claim(
        &self,
        author: Author,
        at: &Archived,
        claim: Claim,
        ours: impl Fn(Epoch, Incarnation) -> bool,
    ) -> Result<Option<Claimed>> {
        let number = at.next;
        let (ends, gsn, tag, body) =
            (at.ends.clone(), at.gsn, crate::open::random(&*self.env), Body::Claim(claim));
        let body = Object { author, number, tag, claim: at.claim, gsn, ends, body }.encode();
        let create = || self.objects.create(Name::Number(number), &body).map_err(archive_error);
        match patiently(&*self.env, PATIENCE, create)? {
            Created::Ours => {
                let base = self.base(Some(author.log))?;
                Ok((base.number <= number).then_some(Claimed { number }))
            }
            Created::Taken(bytes) => {
                let there = self.decode(Some(author.log), number, &bytes)?;
                match ours(there.author.epoch, there.author.incarnation) {
                    true => Ok(None),
                    false => Err(Refusal::Superseded { archive: self.address.clone(), number }.into()),
                }
            }
        }
    }
}
