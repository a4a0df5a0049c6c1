//! Order across lanes: a record comes after everything that its writer had read, for every reader, now and after a crash.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use support::chance::Chance;
use support::child::{self, Voice};
use support::image::Image;
use support::records::{Kept, adopted, all, drain, reopened, small};
use tierlog::{Commit, Config, Cut, Durability, Lane, Log, Medium, Merged, View};

const MEDIA: [Medium; 2] = [Medium::File, Medium::Emulated];
const LONG: Duration = Duration::from_secs(30);

fn lanes(config: Config, lanes: u32) -> Config {
    let mut config = config;
    config.tail.lanes = Some(lanes);
    config
}

/// What a record says: who wrote it, its number there, and the last number read of every lane.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    lane: u32,
    number: u64,
    seen: BTreeMap<u32, u64>,
}

impl Word {
    fn bytes(&self) -> Vec<u8> {
        let seen = self.seen.iter().flat_map(|(lane, number)| [u64::from(*lane), *number]);
        [u64::from(self.lane), self.number].into_iter().chain(seen).flat_map(u64::to_le_bytes).collect()
    }

    fn from(bytes: &[u8]) -> Word {
        let words: Vec<u64> =
            bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        let seen = words[2..].chunks_exact(2).map(|pair| (pair[0] as u32, pair[1])).collect();
        Word { lane: words[0] as u32, number: words[1], seen }
    }
}

/// Reads on, noting the last number of each lane; every record must come after what it names.
fn read_on(reader: &mut Merged, seen: &mut BTreeMap<u32, u64>, records_max: usize) -> usize {
    for n in 0..records_max {
        let Some(record) = reader.next().unwrap() else { return n };
        let word = Word::from(record.payload);
        check(&word, seen);
        seen.insert(word.lane, word.number);
    }
    records_max
}

fn check(word: &Word, before: &BTreeMap<u32, u64>) {
    let expected = before.get(&word.lane).map_or(0, |last| last + 1);
    assert_eq!(word.number, expected, "{word:?} behind {before:?}: once, and in its lane's order");
    for (lane, number) in &word.seen {
        assert!(
            before.get(lane).is_some_and(|last| last >= number),
            "{word:?} before what it names: {before:?}"
        );
    }
}

fn check_all(records: &[Kept]) {
    let mut seen = BTreeMap::new();
    for record in records {
        let word = Word::from(&record.payload);
        check(&word, &seen);
        seen.insert(word.lane, word.number);
    }
    assert!(records.is_sorted_by_key(|kept| (kept.gsn, kept.lane, kept.lsn)));
}

/// One thread: reads what there is, then says what it saw, `times` times, at a level by chance.
fn converse(log: &Log, times: u64, mut chance: Chance) {
    let mut writer = log.writer().unwrap();
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut seen = BTreeMap::new();
    let lane = writer.lane().0;
    for number in 0..times {
        let most = chance.below(40);
        read_on(&mut reader, &mut seen, most);
        writer.append(lane, &Word { lane, number, seen: seen.clone() }.bytes()).unwrap();
        match chance.below(8) {
            0 => writer.commit(Durability::Power).map(drop).unwrap(),
            1 => drop(writer.submit(Durability::Power).unwrap()),
            2 => writer.commit(Durability::Buffered).map(drop).unwrap(),
            _ => writer.commit(Durability::Process).map(drop).unwrap(),
        }
        if chance.below(4) == 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn writers_that_read_each_other_come_after_what_they_read() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = lanes(small(dir.path(), medium), 4);
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut chance = Chance::seeded("order", "writers_that_read_each_other_come_after_what_they_read");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (log, chance) = (&log, Chance::from(chance.next()));
                scope.spawn(move || converse(log, 600, chance));
            }
        });
        let records = all(&log);
        assert_eq!(records.len(), 2_400, "{medium:?}");
        check_all(&records);
        let named: usize = records.iter().map(|kept| Word::from(&kept.payload).seen.len()).sum();
        assert!(named > 2_400, "they hardly read each other: {named}");
        log.close().unwrap();
        assert_eq!(reopened(&config), records, "{medium:?}");
    }
}

/// A crash that takes the tail with it (an ordinary one holds nothing that was promised): what is left is closed under
/// order, and has everything that was acknowledged at Power.
#[test]
fn what_a_power_cut_leaves_is_closed_under_order() {
    let mut chance = Chance::seeded("order", "what_a_power_cut_leaves_is_closed_under_order");
    let (mut promised_in_all, mut there_in_all) = (0, 0);
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let task = format!("{} {}", chance.next(), dir.path().display());
        let time = Duration::from_millis(10 + chance.below(150) as u64);
        let said = child::kill_after(&mut child::command("converse_until_killed", &task), "open", time);
        let promised = said.iter().filter(|line| *line != "open").map(|line| {
            let (lane, number) = line.split_once(' ').unwrap();
            (lane.parse().unwrap(), number.parse().unwrap())
        });
        let promised: BTreeSet<(u32, u64)> = promised.collect();
        std::fs::remove_file(dir.path().join("tail")).unwrap();
        let config = Config { accept_loss: true, ..lanes(small(dir.path(), Medium::File), 3) };
        let (log, _) = Log::open(config).unwrap();
        let records = all(&log);
        check_all(&records);
        let words = records.iter().map(|kept| Word::from(&kept.payload));
        let there: BTreeSet<(u32, u64)> = words.map(|word| (word.lane, word.number)).collect();
        let lost: Vec<_> = promised.difference(&there).collect();
        assert!(lost.is_empty(), "acknowledged at Power, and lost: {lost:?} of {}", promised.len());
        (promised_in_all, there_in_all) = (promised_in_all + promised.len(), there_in_all + there.len());
        log.close().unwrap();
    }
    println!("{promised_in_all} commits promised, {there_in_all} records there");
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn converse_until_killed() {
    let Some(task) = child::task() else { return };
    let (seed, dir) = task.split_once(' ').unwrap();
    let mut chance = Chance::from(seed.parse::<u64>().unwrap());
    let (log, _) = Log::open(lanes(small(Path::new(dir), Medium::File), 3)).unwrap();
    Voice::new().say("open");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (log, chance) = (&log, Chance::from(chance.next()));
            scope.spawn(move || converse_aloud(log, chance));
        }
    });
}

/// As [`converse`], for ever, telling what was acknowledged at Power.
fn converse_aloud(log: &Log, mut chance: Chance) {
    let voice = Voice::new();
    let mut writer = log.writer().unwrap();
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut seen = BTreeMap::new();
    let lane = writer.lane().0;
    for number in 0.. {
        let most = chance.below(20);
        read_on(&mut reader, &mut seen, most);
        writer.append(lane, &Word { lane, number, seen: seen.clone() }.bytes()).unwrap();
        if chance.below(6) == 0 {
            writer.commit(Durability::Power).unwrap();
            voice.say(&format!("{lane} {number}"));
        } else {
            writer.commit(Durability::Process).unwrap();
        }
    }
}

/// Reads `count` records as they come, however slowly: each once, in order, whatever idle lanes do.
fn follow_all(mut reader: Merged, count: usize) -> Vec<(u64, u32, u64)> {
    let (mut seen, mut got) = (BTreeMap::new(), Vec::new());
    let mut until = Instant::now() + LONG;
    while got.len() < count {
        assert!(Instant::now() < until, "none in {LONG:?} behind {} of {count} records", got.len());
        let Some(record) = reader.follow(Duration::from_millis(200)).unwrap() else { continue };
        let word = Word::from(record.payload);
        check(&word, &seen);
        seen.insert(word.lane, word.number);
        got.push((record.gsn.0, record.lane.0, record.lsn.0));
        until = Instant::now() + LONG;
    }
    assert!(got.is_sorted(), "not in merged order");
    assert!(reader.follow(Duration::from_millis(30)).unwrap().is_none(), "more than was written");
    got
}

#[test]
fn followers_see_every_record_once_and_pass_idle_lanes() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = lanes(small(dir.path(), medium), 4);
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut chance = Chance::seeded("order", "followers_see_every_record_once_and_pass_idle_lanes");
        // An idle lane with an open batch, and one with nothing.
        let mut idle = log.writer().unwrap();
        idle.append(0, b"never committed").unwrap();
        let (own, viewed) = std::thread::scope(|scope| {
            let (log, config) = (&log, &config);
            let own = scope.spawn(move || follow_all(log.reader(&Cut::start()).unwrap(), 1_600));
            let viewed = scope.spawn(move || {
                let view = View::open(config).unwrap();
                assert!(view.is_live());
                follow_all(view.reader(&Cut::start()).unwrap(), 1_600)
            });
            for _ in 0..2 {
                let chance = Chance::from(chance.next());
                scope.spawn(move || converse(log, 800, chance));
            }
            (own.join().unwrap(), viewed.join().unwrap())
        });
        let end: Vec<(u64, u32, u64)> =
            all(&log).into_iter().map(|kept| (kept.gsn, kept.lane, kept.lsn)).collect();
        assert!(own == end && viewed == end, "{medium:?}: {} {} {}", own.len(), viewed.len(), end.len());
        drop(idle);
        log.close().unwrap();
    }
}

/// The smallest executor: polls when woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread, AtomicUsize);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(unpark.clone());
    let mut future = pin!(future);
    let mut context = Context::from_waker(&waker);
    let mut woken = 0;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let until = Instant::now() + LONG;
        while unpark.1.load(Ordering::SeqCst) == woken {
            assert!(Instant::now() < until, "never woken");
            std::thread::park_timeout(Duration::from_millis(100));
        }
        woken = unpark.1.load(Ordering::SeqCst);
    }
}

#[test]
fn tickets_are_waited_for_awaited_or_dropped() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut writer = log.writer().unwrap();
        let stable = |log: &Log, lane: Lane| log.watermarks()[lane.0 as usize].stable;
        let mut last = None;
        for i in 0..150_u32 {
            writer.append(i, &i.to_le_bytes()).unwrap();
            let ticket = writer.submit(Durability::Power).unwrap();
            let commit: Option<Commit> = match i % 3 {
                0 => Some(ticket.wait().unwrap()),
                1 => Some(block_on(ticket).unwrap()),
                _ => {
                    drop(ticket);
                    None
                }
            };
            if let Some(commit) = commit {
                assert!(commit.reached >= Durability::Power, "{medium:?} {commit:?}");
                assert!(stable(&log, writer.lane()) >= commit.at, "{medium:?}: done and not stable");
                last = Some(commit.at);
            }
        }
        // The last one was dropped.
        let until = Instant::now() + LONG;
        let end = log.watermarks()[writer.lane().0 as usize].published;
        assert!(Some(end) > last);
        while stable(&log, writer.lane()) < end {
            assert!(Instant::now() < until, "a dropped ticket's commit was never completed");
            std::thread::sleep(Duration::from_millis(1));
        }
        let records = all(&log);
        assert_eq!(records.len(), 150);
        // Tickets outlive the writer, and the log.
        writer.append(150, b"last").unwrap();
        let ticket = writer.submit(Durability::Power).unwrap();
        drop(writer);
        log.close().unwrap();
        assert!(ticket.wait().unwrap().reached >= Durability::Power);
        assert_eq!(reopened(&config).len(), 151);
    }
}

#[test]
fn buffered_commits_appear_with_the_next_stamp() {
    for medium in MEDIA {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, _) = Log::open(config.clone()).unwrap();
        let mut writer = log.writer().unwrap();
        let mut reader = log.reader(&Cut::start()).unwrap();
        for i in 0..20_u8 {
            writer.append(0, &[i]).unwrap();
            writer.append(0, &[i, i]).unwrap();
            assert_eq!(writer.commit(Durability::Buffered).unwrap().reached, Durability::Buffered);
            assert!(reader.next().unwrap().is_none(), "{medium:?}: seen before its stamp");
        }
        // Not even after a crash.
        let mut image = Image::take(dir.path());
        image.remove("owner");
        writer.append(0, b"stamped").unwrap();
        let commit = writer.commit(Durability::Process).unwrap();
        let (records, error) = drain(log.reader(&Cut::start()));
        assert!(error.is_none() && records.len() == 41, "{medium:?}: {error:?} {}", records.len());
        assert!(records.iter().all(|kept| kept.gsn == commit.stamp.gsn.0), "one stamp covers them all");
        for i in 0..10_u8 {
            writer.append(0, &[100 + i]).unwrap();
            writer.commit(Durability::Buffered).unwrap();
        }
        writer.append(0, b"never committed").unwrap();
        drop((writer, reader, log));
        let after = reopened(&config);
        let payloads: Vec<Vec<u8>> = after.iter().skip(41).map(|kept| kept.payload.clone()).collect();
        assert_eq!(payloads, (100..110_u8).map(|i| vec![i]).collect::<Vec<_>>(), "{medium:?}");
        let copy = image.copy();
        assert!(
            reopened(&adopted(copy.path(), medium)).is_empty(),
            "{medium:?}: never stamped, and recovered"
        );
    }
}

#[test]
fn a_lane_of_its_own_reader_follows_only_its_lane() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::File)).unwrap();
    let (mut one, mut two) = (log.writer().unwrap(), log.writer().unwrap());
    let mut reader = log.lane(two.lane(), None).unwrap();
    for i in 0..50_u8 {
        one.append(0, b"one").unwrap();
        one.commit(Durability::Process).unwrap();
        two.append(0, &[i]).unwrap();
        two.commit(Durability::Process).unwrap();
        let record = reader.follow(LONG).unwrap().unwrap();
        assert_eq!((record.lane, record.payload), (two.lane(), &[i][..]));
    }
    assert!(reader.next().unwrap().is_none());
}
