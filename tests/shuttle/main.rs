//! The whole engine under shuttle: writers, readers, a drainer, the keeper, the reaper, the archiver, and a close in the
//! middle, over simulated tiers, in many schedules: `./scripts/models`. Random ones, and by PCT (Burckhardt, Kothari,
//! Musuvathi and Nagarakatte, ASPLOS 2010). A failure says how to replay it.

#![cfg(shuttle)]

mod host;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Barrier;
use shuttle::{Config as Checker, FailurePersistence, MaxSteps, Runner, thread};
use tierlog::{Config, Cut, Durability, Error, Lane, LaneReader, Log, Merged, Result, Writer};
use tierlog_tiers::sim::SimTail;
use tierlog_tiers::tail::TailMedium;

use host::Checked;

/// Who wrote a record: the first writer, the one that reads it, those that take turns.
const FIRST: u32 = 1;
const READING: u32 = 2;
const TAKING_TURNS: u32 = 3;
const RECORDS: u64 = 3;
/// A ring takes twelve.
const FRAMES_MAX: u64 = 16;

fn config(archive: bool) -> Config {
    let mut config = Config::new("simulated");
    config.tail.lanes = Some(3);
    config.tail.segments = Some(4);
    config.tail.segment_bytes = Some(4 << 10);
    config.tail.full_wait_ms_max = 3_600_000;
    config.nvme.segment_bytes = Some(16 << 10);
    config.nvme.spare_segments = 1;
    if archive {
        config.archive.address = "memory:simulated".into();
        config.archive.linger_ms_max = 5;
    }
    config
}

/// What was acknowledged at `Power` or above, by writer and number.
type Kept = Arc<Mutex<Vec<(u32, u64)>>>;

fn payload(number: u64, read: u64) -> Vec<u8> {
    // Three of them fill a segment.
    [number.to_le_bytes(), read.to_le_bytes()].concat().into_iter().chain([0; 900]).collect()
}

fn numbers(payload: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
    (word(0), word(8))
}

/// An end that a close brings about, or a bug.
fn closed<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Closed) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Up to a ring and more: slots are used again.
fn write(mut writer: Writer<SimTail>, kept: &Kept) -> Option<()> {
    for number in 1..=thread_rng().gen_range(1..=FRAMES_MAX) {
        closed(writer.append(FIRST, &payload(number, 0)))?;
        // The first is Buffered, and covered by the second's commit.
        let level = if number == 1 { Durability::Buffered } else { Durability::Power };
        closed(writer.commit(level))?;
        if level == Durability::Power {
            kept.lock().unwrap().extend((1..=number).map(|number| (FIRST, number)));
        }
    }
    Some(())
}

/// Says in each record how many of the first writer's it has read, of its lane or of all in their order.
fn read_and_write(
    mut merged: Merged,
    mut lane: LaneReader,
    mut writer: Writer<SimTail>,
    kept: &Kept,
) -> Option<()> {
    let mut read = 0;
    for number in 1..=RECORDS {
        while let Some(record) = if number == 2 { merged.next() } else { lane.next() }.unwrap() {
            read = numbers(record.payload).0.max(read);
        }
        closed(writer.append(READING, &payload(number, read)))?;
        if number == RECORDS {
            let ticket = closed(writer.submit(Durability::Power))?;
            closed(ticket.wait())?;
        } else {
            closed(writer.commit(Durability::Power))?;
        }
        kept.lock().unwrap().push((READING, number));
    }
    Some(())
}

/// A batch in the shared lane, at `Machine`.
fn take_turn(mut writer: Writer<SimTail>, number: u64, level: Durability, kept: &Kept) -> Option<()> {
    closed(writer.append(TAKING_TURNS, &payload(number, 0)))?;
    let ticket = closed(writer.submit(level))?;
    drop(writer);
    closed(ticket.wait())?;
    kept.lock().unwrap().push((TAKING_TURNS, number));
    Some(())
}

/// What a merged reader has seen so far, checked as it goes.
#[derive(Default)]
struct Seen {
    last: (u64, u32, u64),
    newest: BTreeMap<u32, u64>,
    all: Vec<(u32, u64)>,
}

impl Seen {
    fn read(&mut self, merged: &mut Merged) {
        while let Some(record) = merged.next().unwrap() {
            let (number, read) = numbers(record.payload);
            let at = (record.gsn.0, record.lane.0, record.lsn.0);
            assert!(at > self.last, "out of order");
            self.last = at;
            let newest = self.newest.entry(record.stream).or_default();
            if record.stream != TAKING_TURNS {
                assert_eq!(number, *newest + 1, "a record of stream {} is missing", record.stream);
            }
            *newest = number;
            let first = self.newest.get(&FIRST).copied().unwrap_or(0);
            assert!(read <= first, "before what it had read");
            self.all.push((record.stream, number));
        }
    }
}

/// One run of everything.
fn run(medium: TailMedium, archive: bool) {
    let host = Checked::new(medium);
    let (log, _) = Log::open_on(host.clone(), config(archive)).unwrap();
    let (log, kept) = (Arc::new(log), Kept::default());
    // A close comes when nobody needs the log any more: in the middle, if they begin their work together then.
    let ready = Arc::new(Barrier::new([1, 5][thread_rng().gen_range(0..2)]));
    let mut threads = Vec::new();
    let mut start = |work: Box<dyn FnOnce(Arc<Log<Checked>>, Kept, &Barrier) + Send>| {
        let (log, kept, ready) = (log.clone(), kept.clone(), ready.clone());
        threads.push(thread::spawn(move || work(log, kept, &ready)));
    };
    let lane = Arc::new(Mutex::new(None));
    let wrote = lane.clone();
    start(Box::new(move |log, kept, ready| {
        let writer = log.writer().unwrap();
        drop(log);
        *wrote.lock().unwrap() = Some(writer.lane());
        ready.wait();
        write(writer, &kept);
    }));
    start(Box::new(move |log, kept, ready| {
        let merged = log.reader(&Cut::start()).unwrap().stream(FIRST);
        // Its own lane, while it is not known which one the first writer has.
        let writer = log.writer().unwrap();
        let lane: Lane = lane.lock().unwrap().unwrap_or(writer.lane());
        let lane = log.lane(lane, None).unwrap().stream(FIRST);
        drop(log);
        ready.wait();
        read_and_write(merged, lane, writer, &kept);
    }));
    for number in 1..=2 {
        start(Box::new(move |log, kept, ready| {
            let shared = log.shared();
            drop(log);
            ready.wait();
            let level = if archive { Durability::Machine } else { Durability::Power };
            take_turn(shared.unwrap().turn(), number, level, &kept);
        }));
    }
    let mut merged = log.reader(&Cut::start()).unwrap();
    let mut seen = Seen::default();
    ready.wait();
    for _ in 0..(1 << thread_rng().gen_range(0..7)) - 1 {
        seen.read(&mut merged);
        thread::yield_now();
    }
    end(log);
    for thread in threads {
        thread.join().unwrap();
    }
    drop(merged);
    let (log, recovered) = Log::open_on(host, config(archive)).unwrap();
    assert!(recovered.clean);
    let mut after = Seen::default();
    after.read(&mut log.reader(&Cut::start()).unwrap());
    assert!(after.all.starts_with(&seen.all), "read, and gone or in another order");
    for record in kept.lock().unwrap().iter() {
        assert!(after.all.contains(record), "acknowledged, and gone: {record:?}");
    }
    log.close().unwrap();
}

/// Closes the log while its writers are about.
fn end(mut log: Arc<Log<Checked>>) {
    loop {
        match Arc::try_unwrap(log) {
            Ok(log) => return log.close().unwrap(),
            Err(shared) => log = shared,
        }
        thread::yield_now();
    }
}

fn checker() -> Checker {
    let mut checker = Checker::new();
    checker.stack_size = 256 << 10;
    checker.max_steps = MaxSteps::FailAfter(2_000_000);
    checker.failure_persistence = FailurePersistence::File(std::env::var_os("SCHEDULES_DIR").map(Into::into));
    checker
}

/// So many schedules of each kind, from a seed that is told.
fn explore(name: &str, model: fn()) {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    if let Ok(schedule) = std::env::var("SCHEDULE") {
        return shuttle::replay_from_file(model, schedule);
    }
    let schedules = number("SCHEDULES").unwrap_or(100) as usize;
    let seed = number("SEED").unwrap_or(1);
    let kinds: [(&str, Box<dyn Scheduler + Send>); 2] = [
        ("random", Box::new(RandomScheduler::new_from_seed(seed, schedules.div_ceil(2)))),
        ("PCT", Box::new(PctScheduler::new_from_seed(seed, 3, schedules / 2))),
    ];
    for (kind, scheduler) in kinds {
        let schedules = Runner::new(scheduler, checker()).run(model);
        println!("SHUTTLE {name}, {kind} from seed {seed}: {schedules} schedules");
    }
}

#[test]
fn visible_before_durable() {
    explore("visible before durable", || run(TailMedium::File, false));
}

#[test]
fn durable_before_visible() {
    explore("durable before visible", || run(TailMedium::FsDax { eadr: false }, false));
}

#[test]
fn archived() {
    explore("archived", || run(TailMedium::FsDax { eadr: false }, true));
}
