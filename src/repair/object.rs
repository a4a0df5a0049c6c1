//! A damaged object of the archive made anew, from frames that this machine still has.
//!
//! Order: all frames are had; the old bytes are put aside; data objects are written, and at last the one that names them,
//! if it changes. A crash in between leaves an object that is damaged still, and the next repair goes on.

use std::path::Path;
use std::sync::Arc;

use tierlog_tiers::object::Name;

use super::quarantine;
use super::source::Source;
use crate::archive::{
    Archive, ArchivedMark, Author, Body, Chunk, Cut, INLINE_BYTES_MAX, Object, PATIENCE, Run, archive_error,
    packed, patiently, runs_between,
};
use crate::config::ArchiveConfig;
use crate::error::{Error, Result};
use crate::media::Media;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn};
use crate::restore::{Harm, Harmed, check_objects};

/// Makes objects anew.
#[derive(Debug)]
pub(crate) struct ObjectMender<'a> {
    pub(crate) media: &'a Arc<Media>,
    pub(crate) archive: &'a Archive,
    pub(crate) config: &'a ArchiveConfig,
    /// The newest open of this directory; earlier ones are known by what they wrote.
    pub(crate) newest: (Epoch, Incarnation),
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    object: Object,
    inline: Vec<u8>,
    data: Vec<(usize, Vec<u8>)>,
    /// Whether the object of the sequence is written, too.
    head: bool,
    /// The tiers that frames were taken from.
    pub(crate) from: Vec<&'static str>,
}

/// The outcome of looking for frames: they are there, or why not.
type Had<T> = Result<std::result::Result<T, String>>;

impl ObjectMender<'_> {
    /// What is wrong with the archive.
    ///
    /// # Errors
    /// The store's own.
    pub(crate) fn harms(&self) -> Result<Vec<Harm>> {
        Ok(check_objects(self.archive, self.media.log, &mut |_| true)?.harms)
    }

    /// Gets hold of all frames; why not, where that cannot be.
    ///
    /// # Errors
    /// The store's own.
    pub(crate) fn plan(&self, harm: &Harm) -> Had<Rebuilt> {
        match &harm.part {
            Harmed::Chunks(object, harmed) => self.chunks(object, harmed),
            Harmed::Whole(Some((starts, gsn)), Some(after)) => self.whole(harm.number, starts, *gsn, after),
            Harmed::Whole(..) => Ok(Err(
                "what it held is not known: the object before it or behind it is missing, or damaged as well"
                    .into(),
            )),
            Harmed::Place => Ok(Err("it is whole by itself".into())),
        }
    }

    /// Some chunks of an object whose head is whole.
    fn chunks(&self, object: &Object, harmed: &[usize]) -> Had<Rebuilt> {
        let Body::Cut(old) = &object.body else { return Ok(Err("a claim has none".into())) };
        let there = self.archive.object(Some(self.media.log), object.number)?;
        let behind = there.map(|(_, inline)| inline).unwrap_or_default();
        let mut rebuilt = Rebuilt::new(object.clone());
        let mut chunks = old.chunks.clone();
        for (contents, chunk) in old.contents().zip(&old.chunks) {
            let (index, at) = (contents.index, contents.inline_at);
            if harmed.binary_search(&index).is_err() {
                let kept = chunk.inline.then(|| behind.get(at..at + chunk.stored_bytes as usize)).flatten();
                rebuilt.inline.extend_from_slice(kept.unwrap_or_default());
                continue;
            }
            let mut raw = Vec::new();
            for (run, part) in contents.parts {
                let run = Run { first: part.first, end: part.end, ..old.runs[run] };
                if let Err(why) = self.frames(&run, &mut raw, &mut rebuilt.from, &mut |_, _| Ok(()))? {
                    return Ok(Err(why));
                }
            }
            if raw.len() != chunk.raw_bytes as usize {
                return Ok(Err("what this machine has of it is not what was archived".into()));
            }
            let new = rebuilt.pack(chunk.compression, chunk.lsn, raw, index, chunk.inline)?;
            rebuilt.head |= chunk.inline || new != *chunk;
            chunks[index] = new;
        }
        rebuilt.object.body = Body::Cut(Cut { chunks, ..old.clone() });
        Ok(Ok(rebuilt))
    }

    /// An object that is missing, or whose head is damaged: the ones around it say what it held.
    fn whole(&self, number: u64, starts: &[Lsn], gsn: Gsn, after: &Object) -> Had<Rebuilt> {
        if after.claim == number || after.claim == 0 {
            return Ok(Err("it was a claim, which nobody can make anew: put it back".into()));
        }
        let author = match &after.body {
            Body::Cut(_) => after.author,
            Body::Claim(_) => match self.archive.head(Some(self.media.log), after.claim)? {
                Some(claim) => claim.author,
                None => return Ok(Err("its owner's claim is not there".into())),
            },
        };
        if !self.is_ours(&author) {
            return Ok(Err("none of the opens that this directory knows wrote it".into()));
        }
        let ends = ends_before(after, starts);
        let (runs, marks) = match self.runs(&author, starts, &ends)? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let newest = runs.iter().map(|run| run.gsn).max().unwrap_or(gsn);
        let tag = crate::open::random(&*self.archive.env);
        let body = Body::Cut(Cut { runs: runs.clone(), chunks: Vec::new(), marks: marks.clone() });
        let claim = after.claim;
        let mut rebuilt =
            Rebuilt::new(Object { author, number, tag, claim, gsn: newest.max(gsn), ends, body });
        rebuilt.head = true;
        match self.fill(&runs, &mut rebuilt)? {
            Ok(chunks) => rebuilt.object.body = Body::Cut(Cut { runs, chunks, marks }),
            Err(why) => return Ok(Err(why)),
        }
        Ok(Ok(rebuilt))
    }

    fn is_ours(&self, author: &Author) -> bool {
        let of = (author.epoch, author.incarnation);
        let wrote = |lane| self.media.ranges(lane).iter().any(|range| (range.epoch, range.incarnation) == of);
        of == self.newest || self.media.lanes().any(wrote)
    }

    /// What lies between two places in every lane, as it was cut.
    fn runs(&self, author: &Author, starts: &[Lsn], ends: &[Lsn]) -> Had<(Vec<Run>, Vec<ArchivedMark>)> {
        let (mut runs, mut marks) = (Vec::new(), Vec::new());
        for (lane, (start, end)) in (0..).map(Lane).zip(starts.iter().zip(ends)) {
            let found = runs_between(self.media, lane, *start, *end);
            let Some((of_lane, of_marks)) =
                found.filter(|(of_lane, _)| of_lane.iter().all(|run| run.epoch <= author.epoch))
            else {
                return Ok(Err(format!("no other tier has all of lane {lane} from {start} to {end}")));
            };
            runs.extend(of_lane);
            marks.extend(of_marks);
        }
        if runs.is_empty() {
            return Ok(Err("nothing is missing between the objects around it".into()));
        }
        Ok(Ok((runs, marks)))
    }

    /// Packs the frames of `runs` as an archiver does.
    fn fill(&self, runs: &[Run], into: &mut Rebuilt) -> Had<Vec<Chunk>> {
        let inline = runs.iter().map(|run| run.bytes).sum::<u64>() <= INLINE_BYTES_MAX;
        let bytes_min = if inline { usize::MAX } else { self.config.object_bytes() };
        let (mut chunks, mut first, mut raw, mut from) = (Vec::new(), Lsn(0), Vec::new(), Vec::new());
        for run in runs {
            let mut flush = |raw: &mut Vec<u8>, at: Lsn| {
                if raw.len() >= bytes_min {
                    let full = std::mem::take(raw);
                    let chunk = into.pack(self.config.compression, first, full, chunks.len(), inline)?;
                    chunks.push(chunk);
                }
                if raw.is_empty() {
                    first = at;
                }
                Ok(())
            };
            if let Err(why) = self.frames(run, &mut raw, &mut from, &mut flush)? {
                return Ok(Err(why));
            }
        }
        chunks.push(into.pack(self.config.compression, first, raw, chunks.len(), inline)?);
        into.from = from;
        Ok(Ok(chunks))
    }

    /// Appends the frames of a run, from this machine's tiers; `each` is called before each with its LSN.
    fn frames(
        &self,
        run: &Run,
        into: &mut Vec<u8>,
        from: &mut Vec<&'static str>,
        each: &mut dyn FnMut(&mut Vec<u8>, Lsn) -> Result<()>,
    ) -> Had<()> {
        let mut source = Source::new(self.media, run.lane, run.first).without_archive();
        let mut at = run.first;
        while at < run.end {
            each(into, at)?;
            let of = (run.epoch, run.incarnation);
            let range =
                self.media.range_of(run.lane, at).filter(|range| (range.epoch, range.incarnation) == of);
            let Some(header) = range.map(|range| source.frame(&range, at, into)).transpose()?.flatten()
            else {
                return Ok(Err(format!("no other tier has lane {} at {at}", run.lane)));
            };
            at = Lsn(at.0 + header.frame_bytes() as u64);
        }
        source.from.iter().for_each(|tier| {
            if !from.contains(tier) {
                from.push(tier)
            }
        });
        Ok(Ok(()))
    }

    /// Writes what was planned; what it replaces goes to `aside`.
    ///
    /// # Errors
    /// The store's own; [`Error::Archive`] where somebody changed the object meanwhile.
    pub(crate) fn carry_out(&self, rebuilt: &Rebuilt, aside: &Path) -> Result<()> {
        let Rebuilt { object, inline, data, head, .. } = rebuilt;
        let objects = &self.archive.objects;
        for (index, stored) in data {
            let name = Name::Data(object.data_name(*index));
            self.put_aside(name, aside)?;
            let stored: Arc<[u8]> = stored.as_slice().into();
            self.ask(|| objects.put(name, stored.clone()).map_err(archive_error))?;
        }
        if !head {
            return Ok(());
        }
        let name = Name::Number(object.number);
        let old = self.put_aside(name, aside)?;
        let mut body = object.encode();
        body.extend_from_slice(inline);
        if !self.ask(|| objects.replace(name, old.as_deref(), &body).map_err(archive_error))? {
            return Err(Error::Archive(format!("{name} changed while it was mended: repair again")));
        }
        self.clear_unnamed(object, aside)
    }

    /// Puts aside and deletes what only the object that was replaced had named: it may have been cut otherwise.
    fn clear_unnamed(&self, object: &Object, aside: &Path) -> Result<()> {
        let (objects, Author { epoch, incarnation, .. }) = (&self.archive.objects, &object.author);
        let Body::Cut(cut) = &object.body else { return Ok(()) };
        let is_named = |index: u32| cut.chunks.get(index as usize).is_some_and(|chunk| !chunk.inline);
        let all = self.ask(|| objects.list(epoch.0, incarnation.0, object.number).map_err(archive_error))?;
        for data in all.into_iter().filter(|data| data.number == object.number && !is_named(data.index)) {
            self.put_aside(Name::Data(data), aside)?;
            self.ask(|| objects.delete(Name::Data(data)).map_err(archive_error))?;
        }
        Ok(())
    }

    fn put_aside(&self, name: Name, aside: &Path) -> Result<Option<Vec<u8>>> {
        let old = self.ask(|| self.archive.objects.read(name, None).map_err(archive_error))?;
        if let Some(bytes) = &old {
            quarantine::keep(aside, &name.to_string().replace('/', "-"), bytes)?;
        }
        Ok(old)
    }

    fn ask<T>(&self, work: impl FnMut() -> Result<T>) -> Result<T> {
        patiently(&*self.archive.env, PATIENCE, work)
    }
}

impl Rebuilt {
    fn new(object: Object) -> Self {
        Rebuilt { object, inline: Vec::new(), data: Vec::new(), head: false, from: Vec::new() }
    }

    fn pack(
        &mut self,
        how: crate::archive::Compression,
        lsn: Lsn,
        raw: Vec<u8>,
        index: usize,
        inline: bool,
    ) -> Result<Chunk> {
        let (chunk, stored) = packed(how, lsn, raw, inline)?;
        if inline {
            self.inline.extend(stored)
        } else {
            self.data.push((index, stored))
        }
        Ok(chunk)
    }
}

/// Where the lanes stood before `after`.
fn ends_before(after: &Object, starts: &[Lsn]) -> Vec<Lsn> {
    let mut ends = after.ends.clone();
    match &after.body {
        // Runs of a lane ascend: the first one is what remains.
        Body::Cut(cut) => cut.runs.iter().rev().for_each(|run| ends[run.lane.0 as usize] = run.first),
        // What it voided is not asked for.
        Body::Claim(_) => ends.iter_mut().zip(starts).for_each(|(end, start)| *end = (*end).max(*start)),
    }
    ends
}
