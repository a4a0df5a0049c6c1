//! Commits at `Power` where the tail is an ordinary file: each goes to the NVMe tier before it returns; beside the ways in
//! which a program could write the same bytes there by itself. Commits at `Process` beside them.

use std::time::Duration;

use tierlog_tiers::nvme::trial::flushes;
use tierlog_tiers::nvme::{BLOCK_BYTES, Block, Directory, DirectoryOptions, DurableWay, FileName, Nvme};

use super::place::{Place, config, frame_bytes, not_read_back};
use crate::bench::contest::Loop;
use crate::bench::latency::{Latencies, beside, spread};
use crate::bench::parallel::{Done, Parallel};
use crate::bench::probe::{Estimate, Measured, PROCESS, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Skipped};
use crate::bench::sweep::{Sweep, or};
use crate::{Durability, Medium};

const RING_BYTES: u64 = 32 << 20;
/// Small: what is on NVMe goes with the segment of the tail that still has it, and a commit of one line in it is a block there.
const TAIL_SEGMENT_BYTES: u64 = 512 << 10;
/// All are written before.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Turns before those that count, at most.
const WARM_UPS_MAX: u32 = 4;
/// A raw file is overwritten from its beginning on, again and again.
const FILE_BYTES: u64 = 16 << 20;
const OURS: &str = "tierlog";
const ONE: &str = "tierlog, one record";
const SHARED: &str = "tierlog, one lane for all";
const UNREAD: &str = "tierlog, not read back";
const SHARED_UNREAD: &str = "tierlog, one lane, not read back";

/// With a batch, what it costs beside one record.
struct Disk {
    size: u64,
    batch: u32,
    threads: u32,
    level: Durability,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let (sizes, threads) = (or(&sweep.size_bytes, &[64, 4096]), or(&sweep.threads, &[1, 2]));
    let levels = or(&sweep.level, &[Durability::Power, Durability::Process]);
    let batches = or(&sweep.batch, &[1]);
    let mut all: Vec<Box<dyn Probe>> = Vec::new();
    for &level in levels {
        for (&size, &batch) in sizes.iter().flat_map(|size| batches.iter().map(move |batch| (size, batch))) {
            let one =
                |threads: &u32| Box::new(Disk { size, batch, threads: *threads, level }) as Box<dyn Probe>;
            all.extend(threads.iter().map(one));
        }
    }
    all
}

/// How ours commits.
#[derive(Clone, Copy)]
enum Own {
    /// Each thread on a lane of its own.
    Lane { batch: u32 },
    /// By `Shared::commit`, which joins what is committed at the same time.
    Shared,
}

/// One of our own: its name, how it commits, and whether the log's drainers read back what they wrote.
type Ours = (&'static str, Own, bool);

/// The logs that are committed to.
struct Places {
    place: Place,
    unread: Option<Place>,
}

impl Places {
    fn of(&self, read_back: bool) -> &Place {
        self.unread.as_ref().filter(|_| !read_back).unwrap_or(&self.place)
    }
}

/// A contestant's runs.
#[derive(Default)]
struct Runs {
    by: &'static str,
    per_s: Vec<f64>,
    latencies: Latencies,
    operations: u64,
    /// That the disk was sent meanwhile.
    flushes: Option<u64>,
}

impl Runs {
    fn add(&mut self, done: &Done, flushes: Option<u64>) {
        self.per_s.push(done.per_s);
        self.latencies.add(&done.latencies);
        self.operations += done.operations;
        self.flushes = flushes.map(|count| self.flushes.unwrap_or(0) + count);
    }
}

impl Probe for Disk {
    fn title(&self) -> String {
        let Disk { size, batch, threads, level } = self;
        format!("commit({level}) on an ordinary tail, {batch} of {size} B, {threads} threads")
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let (own, ways) = (self.own().len() as u32, self.ways().len() as u32);
        let contestants = own + ways;
        // 20 us a write at least.
        let writes = pace.time.as_micros() as u64 / 20 * u64::from(self.threads);
        let frames = frame_bytes(self.size) * u64::from(self.batch);
        let bytes = writes * frames.next_multiple_of(BLOCK_BYTES as u64);
        let nvme_bytes = bytes * u64::from(contestants) + u64::from(self.threads) * FILE_BYTES;
        let logs = 1 + u64::from(self.against_raw());
        let tail_bytes = logs * u64::from(self.threads + 1) * RING_BYTES;
        let warm_up = pace.time / pace.runs * own * WARM_UPS_MAX / 2;
        Estimate {
            time: pace.time * contestants + warm_up + Duration::from_millis(800),
            tail_bytes,
            nvme_bytes,
        }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let (own, ways) = (self.own(), self.ways());
        let places = Places {
            place: self.open(session, true)?,
            unread: self.against_raw().then(|| self.open(session, false)).transpose()?,
        };
        let names = own.iter().map(|(by, ..)| *by).chain(ways.iter().map(|way| way.name()));
        let mut all: Vec<Runs> = names.map(|by| Runs { by, ..Runs::default() }).collect();
        for (_, own, read_back) in &own {
            self.warm_up(session, places.of(*read_back), *own)?;
        }
        for run in 0..session.pace.runs {
            // Who begins changes.
            for turn in 0..all.len() {
                let who = (run as usize + turn) % all.len();
                match own.get(who) {
                    Some((_, own, read_back)) => {
                        let place = places.of(*read_back);
                        self.ours(session, place, *own, &mut all[who])?;
                        place.settle()?;
                    }
                    None => {
                        let way = ways[who - own.len()];
                        if let Err(error) = self.raw(session, way, &mut all[who])
                            && run == 0
                        {
                            let what = format!("{}: {way}", self.title());
                            session.skipped.push(Skipped { what, why: error.to_string() });
                        }
                    }
                }
            }
            (session.progress)(f64::from(run + 1) / f64::from(session.pace.runs));
        }
        places.unread.into_iter().chain([places.place]).try_for_each(Place::close)?;
        Ok(self.figures(session, &all))
    }
}

impl Disk {
    fn own(&self) -> Vec<Ours> {
        let mut own = vec![(OURS, Own::Lane { batch: self.batch }, true)];
        if self.batch > 1 {
            own.push((ONE, Own::Lane { batch: 1 }, true));
        } else if self.against_raw() && self.threads > 1 {
            own.extend([(SHARED, Own::Shared, true), (SHARED_UNREAD, Own::Shared, false)]);
        } else if self.against_raw() {
            own.push((UNREAD, Own::Lane { batch: 1 }, false));
        }
        own
    }

    /// Whether the raw ways stand beside it, and a log that reads nothing back.
    fn against_raw(&self) -> bool {
        self.level == Durability::Power && self.batch == 1
    }

    /// The raw ways beside it: none has a batch, or promises less.
    fn ways(&self) -> &'static [DurableWay] {
        if self.against_raw() { &DurableWay::ALL } else { &[] }
    }

    fn open(&self, session: &Session<'_>, read_back: bool) -> Measured<Place> {
        // One lane more: that which is shared is set aside.
        let mut config = config(session, self.threads + 1, RING_BYTES);
        config.tail.medium = Medium::File;
        config.tail.segment_bytes = Some(TAIL_SEGMENT_BYTES);
        config.tail.segments = Some((RING_BYTES / TAIL_SEGMENT_BYTES) as u32);
        config.nvme.segment_bytes = Some(SEGMENT_BYTES);
        let config = if read_back { config } else { not_read_back(session, config) };
        Place::open(session, config, self.threads as usize)
    }

    /// Until its segments are there and go round, as the raw files have been written before; what a log costs while it
    /// grows is in `rotation`.
    fn warm_up(&self, session: &Session<'_>, place: &Place, own: Own) -> Measured<()> {
        let mut bytes = 0;
        for _ in 0..WARM_UPS_MAX {
            self.ours(session, place, own, &mut Runs::default())?;
            place.settle()?;
            let before = std::mem::replace(&mut bytes, place.log.metrics().nvme_bytes);
            if before == bytes {
                break;
            }
        }
        Ok(())
    }

    fn parallel(&self, session: &Session<'_>) -> Parallel {
        Parallel {
            threads: self.threads,
            time: session.pace.time / session.pace.runs,
            operations_max: u64::MAX,
            chunk: if self.level == Durability::Power { 1 } else { 64 },
            latencies: true,
        }
    }

    fn ours(&self, session: &Session<'_>, place: &Place, own: Own, into: &mut Runs) -> Measured<()> {
        let (size, level) = (self.size as usize, self.level);
        let lane = |batch: u32| -> Measured<Box<dyn Loop>> {
            let (mut writer, payload) = (place.log.writer()?, vec![0x5a_u8; size]);
            Ok(Box::new(move || -> Measured<()> {
                for _ in 0..batch {
                    writer.append(7, &payload)?;
                }
                writer.commit(level)?;
                Ok(())
            }))
        };
        // The same lane for all of them.
        let share = || -> Measured<Box<dyn Loop>> {
            let (shared, payload) = (place.log.shared()?, vec![0x5a_u8; size]);
            Ok(Box::new(move || -> Measured<()> {
                shared.commit(level, |writer| writer.append(7, &payload).map(drop))?;
                Ok(())
            }))
        };
        let before = flushes(&session.nvme_dir);
        let done = self.parallel(session).run(session.cpus, session.ticks, &|_| match own {
            Own::Lane { batch } => lane(batch),
            Own::Shared => share(),
        })?;
        into.add(&done, since(before, session));
        Ok(())
    }

    /// Each thread in a file of its own, written before.
    fn raw(&self, session: &Session<'_>, way: DurableWay, into: &mut Runs) -> Measured<()> {
        let options =
            DirectoryOptions { create: true, durable_way: Some(way), ..DirectoryOptions::default() };
        let directory = Directory::open(session.nvme_dir.join("raw"), &options)?;
        let bytes = frame_bytes(self.size).next_multiple_of(BLOCK_BYTES as u64);
        let make = |nth: u32| -> Measured<Box<dyn Loop>> {
            let name = FileName::Segment(nth + 1);
            let file = match directory.open(name, true) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    directory.create(name, FILE_BYTES)?
                }
                opened => opened?,
            };
            let (mut block, mut at) = (Block::zeroed(bytes as usize), 0);
            block.fill(0x5a);
            Ok(Box::new(move || -> Measured<()> {
                file.write_durable(at, &block)?;
                at = if at + 2 * bytes <= FILE_BYTES { at + bytes } else { 0 };
                Ok(())
            }))
        };
        let before = flushes(&session.nvme_dir);
        let done = self.parallel(session).run(session.cpus, session.ticks, &make)?;
        into.add(&done, since(before, session));
        Ok(())
    }

    fn figures(&self, session: &Session<'_>, all: &[Runs]) -> Vec<Figure> {
        let batch = (self.batch > 1).then_some(self.batch);
        let (size_bytes, threads) = (Some(self.size), Some(self.threads));
        let at = Point { size_bytes, batch, threads, ..Point::default() };
        let power = self.level == Durability::Power;
        let what = if power { "commit through" } else { "commit(process)" };
        let promise = if power { session.grounds.nvme_promise } else { PROCESS };
        let medium = if power { "nvme" } else { "tail" };
        let figure = |runs: &Runs| {
            let mut figure = Figure::new(Group::Engine, what, runs.by, at.clone(), medium, promise);
            figure.runs = runs.per_s.len() as u32;
            figure.per_s = spread(&runs.per_s);
            figure.latency = runs.latencies.quantiles();
            if let Some(flushes) = runs.flushes.filter(|_| power) {
                let each = flushes as f64 / runs.operations as f64;
                figure.counted.insert("device_flushes_per_commit".into(), each);
            }
            figure
        };
        let mut figures: Vec<Figure> = all.iter().filter(|runs| !runs.per_s.is_empty()).map(figure).collect();
        // A batch stands beside one record, all others beside the best raw way.
        let (compared, others) = all.split_at(if self.batch > 1 { 1 } else { self.own().len() });
        let median = |runs: &&Runs| spread(&runs.per_s).map_or(0.0, |speed| speed.median);
        let best = others.iter().max_by(|one, other| median(one).total_cmp(&median(other)));
        let best = best.filter(|best| best.per_s.len() == all[0].per_s.len());
        for (figure, runs) in figures.iter_mut().zip(compared) {
            let Some(best) = best else { break };
            figure.ratio = beside(best.by, &runs.per_s, &best.per_s);
        }
        figures
    }
}

fn since(before: Option<u64>, session: &Session<'_>) -> Option<u64> {
    Some(flushes(&session.nvme_dir)? - before?)
}
