//! SIGKILL at any moment, again and again on the same directory: every acknowledged record is back, in its lane's order,
//! in whole batches, and nothing that was not written; the log goes on.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use support::chance::Chance;
use support::child::{self, Voice};
use support::count::count;
use support::mount::Mount;
use support::records::{Kept, all, small, viewed};
use tierlog::{Config, Durability, Log, Medium, verify};

/// Kills in sum, over two media and one, two and four lanes; TIERLOG_KILLS says otherwise.
const KILLS: usize = 50;
/// Times that the file system is cut off; TIERLOG_CUTS says otherwise.
const CUTS: usize = 5;
/// As many on one log: each time all of it is read.
const OF_ONE_LOG: usize = 25;

fn config(dir: &Path, medium: Medium, lanes: u32) -> Config {
    let mut config = small(dir, medium);
    config.tail.lanes = Some(lanes);
    config
}

/// Which life of the writing process, which lane.
type Life = (u64, u32);

/// Records of a batch.
fn batch_len(batch: u64) -> u64 {
    1 + batch % 3
}

/// A record that tells which it is, and that no other record looks like.
fn payload((life, lane): Life, batch: u64, index: u64) -> Vec<u8> {
    let name = [life, u64::from(lane), batch, index];
    let mut chance = Chance::from(life << 40 ^ u64::from(lane) << 32 ^ batch << 4 ^ index);
    let rest = chance.below(700);
    name.into_iter().flat_map(u64::to_le_bytes).chain((0..rest).map(|_| chance.next() as u8)).collect()
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn append_until_killed() {
    let Some(task) = child::task() else { return };
    let [life, lanes, medium, dir] = task.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let medium = if medium == "File" { Medium::File } else { Medium::Emulated };
    let voice = Voice::new();
    voice.say("going");
    let (log, _) = Log::open(config(Path::new(dir), medium, lanes.parse().unwrap())).unwrap();
    voice.say("open");
    std::thread::scope(|scope| {
        for _ in 0..lanes.parse::<u32>().unwrap() {
            let (log, life) = (&log, life.parse().unwrap());
            scope.spawn(move || append(log, life));
        }
    });
}

fn append(log: &Log, life: u64) {
    let voice = Voice::new();
    let mut writer = log.writer().unwrap();
    let lane = writer.lane().0;
    for batch in 0.. {
        for index in 0..batch_len(batch) {
            writer.append(lane, &payload((life, lane), batch, index)).unwrap();
        }
        let commit = writer.commit(Durability::Power).unwrap();
        assert!(commit.reached >= Durability::Power);
        voice.say(&format!("{lane} {batch}"));
    }
}

/// What is known of a log over all its lives.
#[derive(Default)]
struct History {
    /// The last batch acknowledged.
    acknowledged: BTreeMap<Life, u64>,
    /// Batches found after the life ended; no later recovery may change it.
    found: BTreeMap<Life, u64>,
    commits: usize,
}

impl History {
    fn heard(&mut self, life: u64, said: &[String]) {
        for line in said.iter().filter(|line| !matches!(line.as_str(), "going" | "open")) {
            let (lane, batch) = line.split_once(' ').unwrap();
            let (key, batch) = ((life, lane.parse().unwrap()), batch.parse().unwrap());
            assert_eq!(
                self.acknowledged.insert(key, batch),
                u64::checked_sub(batch, 1),
                "acknowledged out of order"
            );
            self.commits += 1;
        }
    }

    /// Compares what is there with all that is known.
    fn check(&mut self, records: &[Kept], lives: u64, lanes: u32) {
        assert!(records.is_sorted(), "merged order");
        let mut found: BTreeMap<Life, u64> = BTreeMap::new();
        for lane in 0..lanes {
            let mut of_lane: Vec<&Kept> = records.iter().filter(|kept| kept.lane == lane).collect();
            of_lane.sort_by_key(|kept| kept.lsn);
            found.extend(check_lane(lane, &of_lane));
        }
        for life in (0..lives).flat_map(|life| (0..lanes).map(move |lane| (life, lane))) {
            let there = found.get(&life).copied().unwrap_or(0);
            let acknowledged = self.acknowledged.get(&life).map_or(0, |last| last + 1);
            assert!(there >= acknowledged, "{life:?}: {acknowledged} batches acknowledged, {there} there");
            // One more may have been committed, and not yet acknowledged.
            assert!(there <= acknowledged + 1, "{life:?}: {there} batches, {acknowledged} were acknowledged");
            assert_eq!(
                *self.found.entry(life).or_insert(there),
                there,
                "{life:?}: recovered otherwise before"
            );
        }
        assert!(found.keys().all(|(life, lane)| *life < lives && *lane < lanes), "records of nobody");
    }
}

/// Batches of each life in a lane: consecutive, whole, as they were written.
fn check_lane(lane: u32, records: &[&Kept]) -> BTreeMap<Life, u64> {
    let mut batches = BTreeMap::new();
    let mut rest = records;
    let mut last_life = None;
    while let Some(first) = rest.first() {
        let life = u64::from_le_bytes(first.payload[..8].try_into().unwrap());
        assert!(Some(life) >= last_life, "lane {lane}: life {life} behind {last_life:?}");
        last_life = Some(life);
        let batch = batches.entry((life, lane)).or_insert(0);
        let len = batch_len(*batch) as usize;
        assert!(rest.len() >= len, "lane {lane}, life {life}: half of batch {batch}");
        for (index, kept) in rest[..len].iter().enumerate() {
            let written = kept.payload == payload((life, lane), *batch, index as u64);
            assert!(
                written && kept.stream == lane,
                "lane {lane}, life {life}: not record {index} of batch {batch}"
            );
            assert_eq!(kept.gsn, first.gsn, "one stamp a batch");
        }
        *batch += 1;
        rest = &rest[len..];
    }
    batches
}

fn survives(medium: Medium, lanes: u32, kills: usize, chance: &mut Chance) {
    let mut commits = 0;
    for begun in (0..kills).step_by(OF_ONE_LOG) {
        commits += one_survives(medium, lanes, OF_ONE_LOG.min(kills - begun), chance);
    }
    println!("{medium:?}, {lanes} lanes: {kills} kills, {commits} commits acknowledged, all there");
    assert!(commits > 0, "never lived long enough to commit");
}

/// A log that is killed so often; the commits that were acknowledged.
fn one_survives(medium: Medium, lanes: u32, kills: usize, chance: &mut Chance) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::default();
    // A slow machine's lives are longer, until one is long enough to commit.
    let mut patience = 1;
    for life in 0..kills as u64 {
        let task = format!("{life} {lanes} {medium:?} {}", dir.path().display());
        // Now and then so early that the open itself is killed.
        let (word, micros_max) = if chance.below(4) == 0 { ("going", 60_000) } else { ("open", 150_000) };
        let time = Duration::from_micros(chance.below(micros_max) as u64) * patience;
        let said = child::kill_after(&mut child::command("append_until_killed", &task), word, time);
        history.heard(life, &said);
        if history.commits == 0 {
            patience *= 4;
        }
        let config = config(dir.path(), medium, lanes);
        if !dir.path().join("nvme/superblock").exists() {
            continue;
        }
        // A view recovers without writing: the next life's own open then does it.
        if chance.below(2) == 0 && said.len() > 1 {
            let (records, error) = viewed(&config);
            assert!(error.is_none(), "{error:?}");
            history.check(&records, life + 1, lanes);
        } else {
            let (log, _) = Log::open(config).unwrap();
            history.check(&all(&log), life + 1, lanes);
            log.close().unwrap();
        }
    }
    let config = config(dir.path(), medium, lanes);
    let (log, _) = Log::open(config.clone()).unwrap();
    let records = all(&log);
    history.check(&records, kills as u64, lanes);
    log.close().unwrap();
    let verified = verify(&config).unwrap();
    assert!(verified.findings.is_empty(), "{verified:?}");
    assert_eq!(verified.records, records.len() as u64);
    history.commits
}

/// Each configuration's part of the kills.
fn part(n: usize) -> usize {
    let kills = count("TIERLOG_KILLS", KILLS);
    kills / 6 + usize::from(n < kills % 6)
}

#[test]
fn an_ordinary_tail() {
    let mut chance = Chance::seeded("killed", "an_ordinary_tail");
    for (n, lanes) in [1, 2, 4].into_iter().enumerate() {
        survives(Medium::File, lanes, part(n), &mut chance);
    }
}

#[test]
fn an_emulated_tail() {
    let mut chance = Chance::seeded("killed", "an_emulated_tail");
    for (n, lanes) in [1, 2, 4].into_iter().enumerate() {
        survives(Medium::Emulated, lanes, part(3 + n), &mut chance);
    }
}

/// Opens that are killed while they recover change nothing of what the one that gets through finds.
#[test]
fn an_open_that_is_killed_loses_nothing() {
    let mut chance = Chance::seeded("killed", "an_open_that_is_killed_loses_nothing");
    for medium in [Medium::File, Medium::Emulated] {
        let dir = tempfile::tempdir().unwrap();
        let task = format!("0 2 {medium:?} {}", dir.path().display());
        let mut history = History::default();
        let time = Duration::from_millis(300);
        history.heard(0, &child::kill_after(&mut child::command("append_until_killed", &task), "open", time));
        let mut killed = 0;
        for life in 1..9 {
            let task = format!("{life} 2 {medium:?} {}", dir.path().display());
            let time = Duration::from_micros(chance.below(120_000) as u64);
            let said = child::kill_after(&mut child::command("append_until_killed", &task), "going", time);
            killed += usize::from(!said.iter().any(|word| word == "open"));
            history.heard(life, &said);
        }
        println!("{medium:?}: {killed} of 8 killed before they were open");
        let (log, _) = Log::open(config(dir.path(), medium, 2)).unwrap();
        history.check(&all(&log), 9, 2);
        log.close().unwrap();
    }
}

/// A file system that ends at any moment, its journal where it was: what was acknowledged is there when it is mounted again.
#[test]
fn a_file_system_that_is_cut_off() {
    let mut chance = Chance::seeded("killed", "a_file_system_that_is_cut_off");
    let (cuts, mut commits) = (count("TIERLOG_CUTS", CUTS), 0);
    for begun in (0..cuts).step_by(OF_ONE_LOG) {
        let Some(mount) = Mount::ext4(256 << 20) else { return };
        commits += one_is_cut_off(mount, OF_ONE_LOG.min(cuts - begun), &mut chance);
    }
    println!("{cuts} cuts, {commits} commits acknowledged, all there");
    assert!(commits > 0, "never lived long enough to commit");
}

/// A file system that is cut off so often; the commits that were acknowledged.
fn one_is_cut_off(mut mount: Mount, cuts: usize, chance: &mut Chance) -> usize {
    const LANES: u32 = 2;
    let mut history = History::default();
    for life in 0..cuts as u64 {
        let dir = mount.path().join("log");
        let task = format!("{life} {LANES} File {}", dir.display());
        let time = Duration::from_micros(chance.below(150_000) as u64);
        let word = if chance.below(4) == 0 { "going" } else { "open" };
        let command = &mut child::command("append_until_killed", &task);
        let said = child::end_after(command, word, time, |child| {
            assert!(mount.cut(), "ext4 is not cut off");
            // It may have ended by the errors that it was given.
            let _ended = child.kill();
            child.wait().unwrap();
        });
        history.heard(life, &said);
        mount = mount.again().expect("mounted again");
        let config = config(&mount.path().join("log"), Medium::File, LANES);
        if config.dir.join("nvme/superblock").exists() {
            let (log, _) = Log::open(config.clone()).unwrap();
            history.check(&all(&log), life + 1, LANES);
            log.close().unwrap();
            assert!(verify(&config).unwrap().findings.is_empty());
        }
    }
    history.commits
}
