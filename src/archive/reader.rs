//! Reading frames out of the archive: where a position lies is found by bisection, what was unpacked is kept for a while.
//!
//! Invariant: what the caches hold is bounded, by bytes and by count.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use tierlog_tiers::sync::{Mutex, MutexGuard};

use super::base::Base;
use super::object::{Body, Contents, Object, Part, Run};
use super::sequence::Archive;
use crate::error::{Error, Result};
use crate::frame::Header;
use crate::number::{Gsn, Lane, LogId, Lsn};
use crate::runs::{Frames, RunFrames};

/// Unpacked chunks that are kept: the newest ones, one at least.
const CACHE_BYTES_MAX: usize = 64 << 20;
/// Objects whose heads, and what they carry themselves, are kept.
const CACHE_OBJECTS_MAX: usize = 64;

/// A chunk's object and index, and its frames.
type Unpacked = ((u64, usize), Arc<Vec<u8>>);

/// An object.
#[derive(Debug)]
struct Whole {
    head: Object,
    /// What stands behind the head.
    inline: Vec<u8>,
    contents: Vec<Contents>,
    /// Where parts begin: their lane and LSN, their chunk, their number there.
    index: Vec<(Lane, Lsn, usize, usize)>,
}

impl Whole {
    fn new((head, inline): (Object, Vec<u8>)) -> Self {
        let (mut contents, mut index) = (Vec::new(), Vec::new());
        if let Body::Cut(cut) = &head.body {
            contents.extend(cut.contents());
            for of in &contents {
                let parts = of.parts.iter().enumerate();
                index.extend(parts.map(|(i, (run, part))| (cut.runs[*run].lane, part.first, of.index, i)));
            }
            index.sort_unstable();
        }
        Whole { head, inline, contents, index }
    }

    /// The part that holds `lsn`, its run and its chunk.
    fn find(&self, lane: Lane, lsn: Lsn) -> Option<(Run, &Part, &Contents)> {
        let Body::Cut(cut) = &self.head.body else { return None };
        let behind = self.index.partition_point(|(of, first, ..)| (*of, *first) <= (lane, lsn));
        let (of, _, chunk, i) = *self.index.get(behind.checked_sub(1)?)?;
        let contents = &self.contents[chunk];
        let (run, part) = &contents.parts[i];
        let run = cut.runs[*run];
        (of == lane && lsn < part.end.min(run.end)).then_some((run, part, contents))
    }
}

/// Reads a log's archive.
#[derive(Debug)]
pub(crate) struct ArchiveReader {
    archive: Archive,
    log: LogId,
    base: Base,
    /// Where the lanes stand at each claim, ascending: behind it, what earlier objects hold beyond is void.
    claims: Vec<(u64, Vec<Lsn>)>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    objects: VecDeque<(u64, Arc<Whole>)>,
    chunks: VecDeque<Unpacked>,
    /// The first number that was free when last looked at.
    end: u64,
}

/// The frames of one chunk that belong to a run, from a place on.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) run: Run,
    pub(crate) first: Lsn,
    pub(crate) end: Lsn,
    chunk: Arc<Vec<u8>>,
    at: usize,
    upto: usize,
}

impl ArchiveReader {
    /// `None` where nothing was archived yet.
    ///
    /// # Errors
    /// A refusal naming the object, the store's own.
    pub(crate) fn open(archive: Archive, log: LogId) -> Result<Option<Self>> {
        let mut base = archive.base(Some(log))?;
        loop {
            match Self::open_at(archive.clone(), log, base.clone()) {
                Err(Error::Refused(refusal)) => {
                    let now = archive.base(Some(log))?;
                    if now.number == base.number {
                        return Err(refusal.into());
                    }
                    base = now;
                }
                opened => return opened,
            }
        }
    }

    /// Whether the archive begins later by now.
    ///
    /// # Errors
    /// The store's own.
    pub(crate) fn is_behind(&self) -> Result<bool> {
        Ok(self.archive.base(Some(self.log))?.number > self.base.number)
    }

    fn open_at(archive: Archive, log: LogId, base: Base) -> Result<Option<Self>> {
        let head = |number| archive.head(Some(log), number)?.ok_or_else(|| archive.missing(number));
        let first = match archive.head(Some(log), base.number)? {
            Some(first) => first,
            None if base.number == 1 => return Ok(None),
            None => return Err(archive.missing(base.number)),
        };
        let end = archive.end_behind(Some(log), base.number)?;
        let (mut claims, mut at) = (Vec::new(), head(end - 1)?.claim_after());
        while at > base.number {
            let claim = head(at)?;
            claims.push((at, claim.ends));
            at = claim.claim;
        }
        claims.reverse();
        let starts = if base.starts.is_empty() { first.ends } else { base.starts };
        let base = Base { starts, ..base };
        let cache = Mutex::new(Cache { end, ..Cache::default() });
        Ok(Some(ArchiveReader { archive, log, base, claims, cache }))
    }

    /// Where the archive begins in a lane.
    pub(crate) fn oldest(&self, lane: Lane) -> Lsn {
        self.base.starts.get(lane.0 as usize).copied().unwrap_or_default()
    }

    /// The frames from `lsn` on, up to the end of a run or of a chunk; `None` if the archive does not hold it.
    ///
    /// # Errors
    /// A refusal naming the object that is missing or damaged; the store's own.
    pub(crate) fn piece(&self, lane: Lane, lsn: Lsn) -> Result<Option<Piece>> {
        let (numbers, limit) = self.between_claims(lane, lsn)?;
        let Some(number) = self.first_beyond(numbers, |object| object.end(lane) > lsn)? else {
            return Ok(None);
        };
        let Some(whole) = self.object(number)? else { return Ok(None) };
        let Some((run, part, contents)) = whole.find(lane, lsn) else { return Ok(None) };
        let chunk = self.chunk(&whole, contents)?;
        let run = Run { end: run.end.min(limit), ..run };
        let mut frames = RunFrames::new(&chunk[part.bytes.clone()]);
        let (seal, mut at) = (run.seal(self.log), part.first);
        while at < lsn {
            at = Lsn(at.0 + frames.look(&seal, lane, at)?.0.frame_bytes() as u64);
        }
        let from = part.bytes.end - frames.left();
        let (end, upto) = (part.end.min(limit), part.bytes.end);
        Ok(Some(Piece { run, first: lsn, end, chunk, at: from, upto }))
    }

    /// Where each lane stands before the first object that goes beyond `gsn`; `None` if none does.
    ///
    /// # Errors
    /// As for [`piece`](ArchiveReader::piece).
    pub(crate) fn before(&self, gsn: Gsn) -> Result<Option<Vec<Lsn>>> {
        let numbers = self.base.number..self.end()?;
        let Some(number) = self.first_beyond(numbers, |object| object.gsn > gsn)? else { return Ok(None) };
        let mut stands = match number == self.base.number {
            true => self.base.starts.clone(),
            false => {
                self.object(number - 1)?.ok_or_else(|| self.archive.missing(number - 1))?.head.ends.clone()
            }
        };
        for (_, ends) in self.claims.iter().filter(|(claim, _)| *claim >= number) {
            stands.iter_mut().zip(ends).for_each(|(stands, end)| *stands = (*stands).min(*end));
        }
        Ok(Some(stands))
    }

    /// The numbers between two claims in which `lsn` counts, and up to where it does there.
    fn between_claims(&self, lane: Lane, lsn: Lsn) -> Result<(Range<u64>, Lsn)> {
        let (mut upper, mut limit) = (self.end()?, Lsn(u64::MAX));
        for (number, ends) in self.claims.iter().rev() {
            let end = ends.get(lane.0 as usize).copied().unwrap_or_default();
            if end <= lsn {
                return Ok((*number..upper, limit));
            }
            (upper, limit) = (*number, limit.min(end));
        }
        Ok((self.base.number..upper, limit))
    }

    /// The first free number by now.
    fn end(&self) -> Result<u64> {
        let known = self.cache().end;
        let end = self.archive.end_behind(Some(self.log), known - 1)?;
        self.cache().end = end;
        Ok(end)
    }

    /// The first of `numbers` of which `beyond` is true, as of all behind it.
    fn first_beyond(&self, numbers: Range<u64>, beyond: impl Fn(&Object) -> bool) -> Result<Option<u64>> {
        let (mut low, mut high) = (numbers.start, numbers.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let whole = self.object(middle)?.ok_or_else(|| self.archive.missing(middle))?;
            if beyond(&whole.head) { high = middle } else { low = middle + 1 }
        }
        Ok((low < numbers.end).then_some(low))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, number: u64) -> Result<Option<Arc<Whole>>> {
        if let Some((_, found)) = self.cache().objects.iter().find(|(of, _)| *of == number) {
            return Ok(Some(found.clone()));
        }
        let Some(whole) = self.archive.object(Some(self.log), number)? else { return Ok(None) };
        let whole = Arc::new(Whole::new(whole));
        let mut cache = self.cache();
        cache.objects.push_back((number, whole.clone()));
        if cache.objects.len() > CACHE_OBJECTS_MAX {
            cache.objects.pop_front();
        }
        Ok(Some(whole))
    }

    fn chunk(&self, whole: &Whole, contents: &Contents) -> Result<Arc<Vec<u8>>> {
        let key = (whole.head.number, contents.index);
        if let Some((_, found)) = self.cache().chunks.iter().find(|(of, _)| *of == key) {
            return Ok(found.clone());
        }
        let Body::Cut(cut) = &whole.head.body else { return Err(self.archive.missing(key.0)) };
        let chunk = Arc::new(self.archive.chunk(&whole.head, cut, contents, &whole.inline)?);
        let mut cache = self.cache();
        cache.chunks.push_back((key, chunk.clone()));
        let held = |cache: &Cache| cache.chunks.iter().map(|(_, chunk)| chunk.len()).sum::<usize>();
        while cache.chunks.len() > 1 && held(&cache) > CACHE_BYTES_MAX {
            cache.chunks.pop_front();
        }
        Ok(chunk)
    }
}

impl Piece {
    /// Whether the next frame is that at `lsn`.
    pub(crate) fn stands_at(&self, lsn: Lsn) -> bool {
        self.first == lsn && lsn < self.end
    }

    /// Appends the next frame to `into` and moves behind it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where there is none.
    pub(crate) fn frame(&mut self, log: LogId, into: &mut Vec<u8>) -> Result<Header> {
        let mut frames = RunFrames::new(&self.chunk[self.at..self.upto]);
        let (header, len) = frames.look(&self.run.seal(log), self.run.lane, self.first)?;
        into.extend_from_slice(&self.chunk[self.at..self.at + len]);
        self.at += len;
        self.first = Lsn(self.first.0 + header.frame_bytes() as u64);
        Ok(header)
    }
}
