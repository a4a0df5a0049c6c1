//! Objects and their chunks: read several at a time, handed on in order, a bounded number in memory.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Plan;
use super::target::Kept;
use crate::archive::{Archive, Body, Contents, Object, Part, Run};
use crate::error::{Error, Result};
use crate::number::Lsn;

/// One chunk, unpacked, and which of its frames are wanted.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) number: u64,
    pub(super) frames: Vec<u8>,
    pub(super) parts: Vec<(Run, Part)>,
}

/// A chunk that is wanted.
struct Wanted {
    object: Arc<(Object, Vec<u8>)>,
    contents: Contents,
    parts: Vec<(Run, Part)>,
}

/// Hands every piece that the plan wants, and that is not there yet, to `take`.
pub(super) fn fetch(
    archive: &Archive,
    plan: &Plan,
    kept: &Kept,
    threads: usize,
    take: &mut dyn FnMut(Piece) -> Result<()>,
) -> Result<()> {
    let read = |number: u64| {
        let read = archive.object(Some(plan.log), number)?;
        read.map(Arc::new).ok_or_else(|| archive.missing(number))
    };
    let unpack = |wanted: Result<Wanted>| {
        let Wanted { object, contents, parts } = wanted?;
        let Body::Cut(cut) = &object.0.body else { return Err(archive.missing(object.0.number)) };
        let frames = archive.chunk(&object.0, cut, &contents, &object.1)?;
        Ok(Piece { number: object.0.number, frames, parts })
    };
    std::thread::scope(|scope| {
        let objects = Ordered::new(scope, threads, plan.numbers.clone(), &read);
        let chunks = objects.flat_map(|object| match object {
            Ok(object) => wanted_of(plan, kept, object),
            Err(error) => vec![Err(error)],
        });
        for piece in Ordered::new(scope, threads, chunks, &unpack) {
            take(piece?)?;
        }
        Ok(())
    })
}

/// The chunks of an object that hold something wanted.
fn wanted_of(plan: &Plan, kept: &Kept, object: Arc<(Object, Vec<u8>)>) -> Vec<Result<Wanted>> {
    let Body::Cut(cut) = &object.0.body else { return Vec::new() };
    let number = object.0.number;
    let mut all = Vec::new();
    for contents in cut.contents() {
        let mut parts: Vec<(Run, Part)> = Vec::new();
        for (run, part) in &contents.parts {
            let run = cut.runs[*run];
            let limit = plan.limit(number, run.lane);
            if !plan.wants(run.lane) || part.first >= limit {
                continue;
            }
            if run.epoch > plan.author.epoch {
                let what =
                    format!("object {number} of the archive: of an epoch that nobody claimed, {}", run.epoch);
                all.push(Err(Error::Corrupt { lane: run.lane, lsn: part.first, what }));
                continue;
            }
            let end = part.end.min(limit);
            match kept.covers(&run, part.first, end) {
                Ok(true) => {}
                Ok(false) => parts.push((run, Part { end, ..part.clone() })),
                Err(what) => all.push(Err(Error::Config(what))),
            }
        }
        if !parts.is_empty() {
            all.push(Ok(Wanted { object: object.clone(), contents, parts }));
        }
    }
    all
}

/// Work done ahead by several threads, its results in order.
struct Ordered<T, R, I, F> {
    tasks: I,
    work: F,
    /// None where there is no thread but this one: work is then done when its result is asked for.
    jobs: Option<SyncSender<(T, SyncSender<R>)>>,
    running: VecDeque<Receiver<R>>,
    ahead: usize,
}

impl<T, R, I, F> Ordered<T, R, I, F>
where
    T: Send,
    R: Send,
    I: Iterator<Item = T>,
    F: Fn(T) -> R + Sync + Copy,
{
    fn new<'scope, 'env>(
        scope: &'scope std::thread::Scope<'scope, 'env>,
        threads: usize,
        tasks: I,
        work: F,
    ) -> Self
    where
        T: 'scope,
        R: 'scope,
        F: Send + 'scope,
    {
        let mut jobs = None;
        if threads > 1 {
            let (give, queue) = sync_channel::<(T, SyncSender<R>)>(threads);
            let queue = Arc::new(Mutex::new(queue));
            let started = (0..threads).map_while(|_| {
                let queue = queue.clone();
                let run = move || loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((task, reply)) = job else { return };
                    // Nobody waits any more where an earlier one failed.
                    drop(reply.send(work(task)));
                };
                std::thread::Builder::new().spawn_scoped(scope, run).ok()
            });
            jobs = (started.count() > 0).then_some(give);
        }
        Ordered { tasks, work, jobs, running: VecDeque::new(), ahead: threads }
    }
}

impl<T, R, I: Iterator<Item = T>, F: Fn(T) -> R> Iterator for Ordered<T, R, I, F> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        let Some(jobs) = &self.jobs else { return self.tasks.next().map(&self.work) };
        while self.running.len() < self.ahead
            && let Some(task) = self.tasks.next()
        {
            let (reply, answer) = sync_channel(1);
            self.running.push_back(answer);
            jobs.send((task, reply)).ok()?;
        }
        self.running.pop_front()?.recv().ok()
    }
}

impl super::target::Kept {
    /// Whether `first..end` of a run was written by the restore that was interrupted.
    fn covers(&self, run: &Run, first: Lsn, end: Lsn) -> Result<bool, String> {
        let Some(ranges) = self.lanes.get(&run.lane) else { return Ok(false) };
        let of = |range: &&crate::format::EpochRange| {
            (range.epoch, range.incarnation) == (run.epoch, run.incarnation)
        };
        let Some(range) = ranges.iter().find(of) else {
            let stands = ranges.last().is_some_and(|range| range.end > first);
            let what = "the directory holds something else than an interrupted restore of this: empty it";
            return if stands { Err(format!("lane {}: {what}", run.lane)) } else { Ok(false) };
        };
        Ok(range.first <= first && end <= range.end)
    }
}
