//! Real orders through `tierlog append`, killed with SIGKILL at random moments 50 times, restored from objects alone, and
//! to moments inside a replay.
//!
//! The orders are read from the file that `TIERLOG_ORDERS` names; a generated flow serves without it.
#![cfg(all(feature = "cli", feature = "object"))]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::chance::Chance;

const KILLS: usize = 50;

/// A record as `cat --json` prints it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
struct Line {
    gsn: u64,
    lane: u32,
    lsn: u64,
    stream: u32,
    text: String,
}

/// What `append --acks` prints for a commit.
#[derive(Debug)]
struct Ack {
    lane: u32,
    index: usize,
    gsn: u64,
}

struct Orders {
    file: PathBuf,
    lines: Vec<String>,
    _dir: tempfile::TempDir,
}

impl Orders {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let Some(file) = std::env::var_os("TIERLOG_ORDERS").map(PathBuf::from) else {
            println!("SKIP the real orders: TIERLOG_ORDERS is not set, a generated flow serves");
            let lines: Vec<String> =
                (0..90_000_u64).map(|i| format!("{i},{},100,{}", i % 7, 5_853_300 + i % 991)).collect();
            let file = dir.path().join("orders.csv");
            std::fs::write(&file, lines.join("\n") + "\n").unwrap();
            return Orders { file, lines, _dir: dir };
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_string(&mut text).unwrap();
        Orders { file, lines: text.lines().map(str::to_owned).collect(), _dir: dir }
    }
}

fn tierlog(dir: &Path, archive: &Path, medium: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierlog"));
    command.arg("--dir").arg(dir).args(["--medium", medium, "--accept-local", "--archive"]).arg(archive);
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
    assert!(output.status.success(), "{command:?}: {} {}", said(&output.stderr), said(&output.stdout));
    output
}

fn cat(dir: &Path, archive: &Path, medium: &str) -> Vec<Line> {
    let output = done(tierlog(dir, archive, medium).args(["cat", "--json"]));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Appends until killed; what was acknowledged before.
fn append_and_kill(command: &mut Command, after: Duration) -> Vec<Ack> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let text = reader.join().unwrap().unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(ack).collect()
}

fn ack(line: &str) -> Ack {
    let field = |name: &str| -> u64 {
        let value = line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{line:?} has no {name}")).parse().unwrap()
    };
    Ack { lane: field("lane") as u32, index: field("index") as usize, gsn: field("gsn") }
}

/// One life of the writer, in a stream of its own: each lane holds a prefix of what was dealt to it, and every
/// acknowledged order with its stamp.
fn check_life(life: u32, lanes: usize, orders: &Orders, found: &[Line], acks: &[Ack]) {
    let mut by_lane: BTreeMap<u32, Vec<&Line>> = BTreeMap::new();
    found
        .iter()
        .filter(|line| line.stream == life)
        .for_each(|line| by_lane.entry(line.lane).or_default().push(line));
    for (lane, kept) in &by_lane {
        let starts = (0..lanes).find(|start| {
            let dealt = orders.lines.iter().skip(*start).step_by(lanes);
            dealt.zip(kept).filter(|(order, line)| **order == line.text).count() == kept.len()
        });
        let start = starts
            .unwrap_or_else(|| panic!("life {life}: lane {lane} holds no prefix of what was dealt to it"));
        for ack in acks.iter().filter(|ack| ack.lane == *lane) {
            let line = kept.get((ack.index - start) / lanes);
            assert_eq!(line.map(|line| line.gsn), Some(ack.gsn), "life {life}: {ack:?} was lost");
        }
    }
    let unseen = acks.iter().find(|ack| !by_lane.contains_key(&ack.lane));
    assert!(unseen.is_none(), "life {life}: {unseen:?} was lost");
}

#[test]
fn every_acknowledged_order_survives_kills_and_the_loss_of_the_machine() {
    let mut chance =
        Chance::seeded("orders", "every_acknowledged_order_survives_kills_and_the_loss_of_the_machine");
    let orders = Orders::new();
    let (mut kills, mut acknowledged) = (0, 0);
    for (lanes, medium) in [(1, "file"), (2, "emulated"), (4, "file")] {
        let place = tempfile::tempdir().unwrap();
        let (dir, archive) = (place.path().join("log"), place.path().join("archive"));
        let mut before: Vec<Line> = Vec::new();
        let until = [17, 34, KILLS][(lanes as usize).ilog2() as usize];
        while kills < until {
            let mut command = tierlog(&dir, &archive, medium);
            command.args([
                "append",
                "--acks",
                "--stream",
                &kills.to_string(),
                "--lanes-used",
                &lanes.to_string(),
            ]);
            command.arg(&orders.file);
            let acks = append_and_kill(&mut command, Duration::from_millis(150 + chance.below(450) as u64));
            if !dir.join("nvme/superblock").exists() {
                continue;
            }
            let Ok(view) = tierlog::View::open(&tierlog::Config::new(&dir)) else { continue };
            drop(view);
            let found = cat(&dir, &archive, medium);
            check_life(kills as u32, lanes as usize, &orders, &found, &acks);
            assert!(
                found.is_sorted_by_key(|line| (line.gsn, line.lane, line.lsn)),
                "not in the order of the stamps"
            );
            assert!(found.starts_with(&before), "kill {kills} changed what was there before");
            acknowledged += acks.len();
            before = found;
            kills += 1;
        }
        // A last open recovers, closes and archives the rest.
        let mut last = tierlog(&dir, &archive, medium);
        done(last.args(["append", "--level", "machine", "--stream", "999999", "/dev/null"]));
        done(tierlog(&dir, &archive, medium).arg("verify"));
        let restored = place.path().join("restored");
        done(tierlog(&restored, &archive, medium).arg("restore"));
        assert_eq!(cat(&restored, &archive, medium), before, "restored from objects alone: not the same");
        println!("{lanes} lanes, {medium}: {} orders", before.len());
    }
    println!("{kills} kills, {acknowledged} acknowledged orders, none lost");
    assert!(acknowledged > 0);
}

/// Appends everything; after each so many acknowledgements, the moment, and what was acknowledged since the one before.
fn moments(command: &mut Command, count: usize, acks: usize) -> Vec<(Duration, Vec<Ack>)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut moments = Vec::new();
    for _ in 0..count {
        let acks = lines.by_ref().take(acks).map(|line| ack(&line.unwrap())).collect();
        // A log's clock may be a little ahead of the system's.
        std::thread::sleep(Duration::from_millis(20));
        moments.push((SystemTime::now().duration_since(UNIX_EPOCH).unwrap(), acks));
    }
    assert!(lines.count() > 0, "it goes on behind the last moment");
    assert!(child.wait().unwrap().success());
    moments
}

#[test]
fn a_replay_is_restored_to_moments_inside_it() {
    let orders = Orders::new();
    let place = tempfile::tempdir().unwrap();
    let (dir, archive) = (place.path().join("log"), place.path().join("archive"));
    let mut command = tierlog(&dir, &archive, "emulated");
    command.args(["append", "--acks", "--rate", "30000", "--lanes-used", "2", "--batch", "3"]);
    let moments = moments(command.arg(&orders.file), 3, 3_000);
    let all = cat(&dir, &archive, "emulated");
    assert_eq!(all.len(), orders.lines.len());
    for (i, (moment, acks)) in moments.iter().enumerate() {
        let (restored, nowhere) = (place.path().join(format!("restored-{i}")), place.path().join("nowhere"));
        let until = format!("@{}.{:09}", moment.as_secs(), moment.subsec_nanos());
        done(tierlog(&restored, &archive, "emulated").args(["restore", "--until-time", &until]));
        let committed = all.partition_point(|line| u128::from(line.gsn) <= moment.as_nanos());
        // From what was restored alone: where the archive is looked for there is no object.
        std::fs::create_dir_all(nowhere.join("seq")).unwrap();
        assert_eq!(
            cat(&restored, &nowhere, "emulated"),
            all[..committed],
            "not what was committed by {until}"
        );
        let newest = acks.iter().map(|ack| ack.gsn).max().unwrap();
        assert!(u128::from(newest) <= moment.as_nanos(), "acknowledged before {until}, and stamped {newest}");
        assert!(committed > 0 && committed < all.len());
        println!("{until}: {committed} of {} orders", all.len());
    }
}
