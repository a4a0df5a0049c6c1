//! Where a sequence begins by now: the object `base`, raised before numbers are deleted.

use tierlog_tiers::object::Name;

use super::retry::patiently;
use super::sequence::{Archive, PATIENCE, archive_error};
use crate::error::{Error, Refusal, Result};
use crate::format::{Reader, Unreadable, Writer, seal_block_of, unseal_block_of};
use crate::number::{Gsn, LogId, Lsn};

const MAGIC: [u8; 8] = *b"TIERBAS1";
const BASE_VERSION: u32 = 2;
/// Said nothing about what was deleted.
const FIRST_VERSION: u32 = 1;
/// A thousand lanes.
const BASE_BYTES_MAX: usize = 64 << 10;

/// The first number that is still whole, and where each lane begins there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) log: LogId,
    pub(crate) number: u64,
    pub(crate) starts: Vec<Lsn>,
    /// Below this number everything but claims is deleted; from it up to `number` some of it may be there still.
    pub(crate) swept: u64,
}

impl Base {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(&self.log.0).u64(self.number).u32(self.starts.len() as u32).u32(0);
        self.starts.iter().for_each(|lsn| {
            out.u64(lsn.0);
        });
        out.u64(self.swept);
        seal_block_of(MAGIC, BASE_VERSION, &out.0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (body, first) = match unseal_block_of(MAGIC, BASE_VERSION, bytes) {
            Err(Unreadable::Version(FIRST_VERSION)) => (unseal_block_of(MAGIC, FIRST_VERSION, bytes)?, true),
            body => (body?, false),
        };
        let mut from = Reader(body);
        let mut take = || {
            let (log, number, lanes, _) = (LogId(from.id()?), from.counter()?, from.u32()?, from.u32()?);
            let starts = from.many(lanes, 8, Reader::lsn)?;
            // What the first version left behind is not looked for.
            let swept = if first { number } else { from.counter()? };
            Some(Base { log, number, starts, swept })
        };
        take().ok_or(Unreadable::Damaged)
    }
}

impl Archive {
    /// Where the sequence begins; number 1 where nothing was ever deleted.
    ///
    /// # Errors
    /// A refusal naming the object, the store's own.
    pub(crate) fn base(&self, log: Option<LogId>) -> Result<Base> {
        let read = || self.objects.read(Name::Base, Some(BASE_BYTES_MAX)).map_err(archive_error);
        let Some(bytes) = patiently(&*self.env, PATIENCE, read)? else {
            return Ok(Base { log: log.unwrap_or_default(), number: 1, starts: Vec::new(), swept: 1 });
        };
        match Base::decode(&bytes) {
            Ok(base) if log.is_some_and(|log| log != base.log) => {
                Err(self.foreign(Name::Base, format!("of log {}", base.log)))
            }
            Ok(base) => Ok(base),
            Err(unreadable) => Err(self.unreadable(Name::Base, unreadable, BASE_VERSION)),
        }
    }

    /// Where the archive begins in each lane.
    ///
    /// # Errors
    /// As for [`base`](Archive::base).
    pub(super) fn starts(&self, log: LogId) -> Result<Vec<Lsn>> {
        let base = self.base(Some(log))?;
        if !base.starts.is_empty() {
            return Ok(base.starts);
        }
        // Nothing was given up yet: the first object is a claim, which says where the lanes began.
        Ok(self.head(Some(log), base.number)?.ok_or_else(|| self.missing(base.number))?.ends)
    }

    /// Raises the base, so that a restore begins there, or what is swept below it; false if somebody else did meanwhile.
    fn raise_base(&self, base: &Base) -> Result<bool> {
        let old = self.objects.read(Name::Base, Some(BASE_BYTES_MAX)).map_err(archive_error)?;
        if let Some(bytes) = &old
            && Base::decode(bytes).is_ok_and(|there| (there.number, there.swept) >= (base.number, base.swept))
        {
            return Ok(false);
        }
        self.objects.replace(Name::Base, old.as_deref(), &base.encode()).map_err(archive_error)
    }

    /// Gives up what is stamped below `before`, as far as it fills objects in the front of the sequence. Returns how many
    /// objects were deleted.
    ///
    /// # Errors
    /// A refusal naming an object, the store's own.
    pub(crate) fn trim_before(&self, log: LogId, before: Gsn) -> Result<u64> {
        let base = self.base(Some(log))?;
        let end = self.end_behind(Some(log), base.number)?;
        let keep = self.first_at(log, base.number..end, before)?;
        self.trim(&base, log, keep)
    }

    /// Gives up everything before number `keep`: raises the base to it, then [sweeps](Archive::sweep).
    pub(super) fn trim(&self, base: &Base, log: LogId, keep: u64) -> Result<u64> {
        let Some(last) = self.head(Some(log), keep.saturating_sub(1))? else { return Ok(0) };
        if keep <= base.number {
            return self.sweep(base, u64::MAX);
        }
        let after = Base { log, number: keep, starts: last.ends, swept: base.swept };
        if self.raise_base(&after)? { self.sweep(&after, u64::MAX) } else { Ok(0) }
    }

    /// Deletes what lies below the base, of `numbers_max` numbers at most, data first, all but claims, and writes down that it
    /// is gone. Interrupted, it leaves objects that nothing reads, for the next one. Returns how many went.
    ///
    /// # Errors
    /// The store's own.
    pub(super) fn sweep(&self, base: &Base, numbers_max: u64) -> Result<u64> {
        let upto = base.number.min(base.swept.saturating_add(numbers_max));
        if base.swept >= upto {
            return Ok(0);
        }
        let mut deleted = 0;
        for number in base.swept..upto {
            deleted += match self.delete_cut(base.log, number) {
                // Which data it named is not known, and it may be a claim.
                Err(Error::Refused(refusal)) => {
                    tracing::warn!(number, %refusal, "a damaged object below the base stays");
                    0
                }
                deleted => deleted?,
            };
        }
        self.raise_base(&Base { swept: upto, ..base.clone() })?;
        Ok(deleted)
    }

    fn delete_cut(&self, log: LogId, number: u64) -> Result<u64> {
        let Some(object) = self.head(Some(log), number)? else { return Ok(0) };
        let super::Body::Cut(cut) = &object.body else { return Ok(0) };
        let data = cut.chunks.iter().enumerate().filter(|(_, chunk)| !chunk.inline);
        let mut deleted = 0;
        for (index, _) in data {
            self.objects.delete(Name::Data(object.data_name(index))).map_err(archive_error)?;
            deleted += 1;
        }
        self.objects.delete(Name::Number(number)).map_err(archive_error)?;
        Ok(deleted + 1)
    }

    /// Deletes data objects that earlier opens left behind unnamed: those of an author at or above the number at which
    /// its successor claimed. Called by the owner, after its claim `upto`. Returns how many.
    ///
    /// # Errors
    /// A refusal naming an object, the store's own.
    pub(crate) fn collect_orphans(&self, log: LogId, upto: u64) -> Result<u64> {
        let Some(claim) = self.head(Some(log), upto)? else { return Ok(0) };
        if claim.claim == 0 {
            return Ok(0);
        }
        let Some(before) = self.head(Some(log), claim.claim)? else { return Ok(0) };
        let author = before.author;
        let unnamed = self.objects.list(author.epoch.0, author.incarnation.0, upto).map_err(archive_error)?;
        let unnamed: Vec<_> = unnamed.into_iter().filter(|name| name.number >= upto).collect();
        for name in &unnamed {
            self.objects.delete(Name::Data(*name)).map_err(archive_error)?;
        }
        Ok(unnamed.len() as u64)
    }

    /// A refusal of an object that cannot be read.
    pub(super) fn unreadable(&self, name: Name, unreadable: Unreadable, known: u32) -> crate::error::Error {
        match unreadable {
            Unreadable::Version(version) => Refusal::Newer { path: self.path(name), version, known }.into(),
            Unreadable::Blank | Unreadable::Damaged => {
                self.foreign(name, "damaged, or not an object of tierlog".into())
            }
        }
    }
}
