//! No space, and writes that fail half way: appends end in bounded time with the reason, nothing acknowledged is lost,
//! readers go on, and so does the log once there is space again.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::child::{self, Voice};
use support::image::Image;
use support::mount::Mount;
use support::records::{Kept, all, drain, drained, reopened, small};
use tierlog::{Config, Cut, Durability, Error, Log, Medium, Remedy, Writer};

const RECORD_BYTES: usize = 4_000;

/// A log whose NVMe tier lies on a small file system that can be filled.
struct Narrow {
    mount: Mount,
    dir: tempfile::TempDir,
    medium: Medium,
}

impl Narrow {
    fn new(medium: Medium) -> Option<Narrow> {
        let mount = Mount::tmpfs(6 << 20)?;
        Some(Narrow { mount, dir: tempfile::tempdir().unwrap(), medium })
    }

    fn config(&self) -> Config {
        let mut config = small(self.dir.path(), self.medium);
        config.nvme.path = Some(self.nvme());
        config.tail.full_wait_ms_max = 300;
        config
    }

    fn nvme(&self) -> PathBuf {
        self.mount.path().join("nvme")
    }

    fn ballast(&self) -> PathBuf {
        self.mount.path().join("ballast")
    }

    /// Takes what space is left, to the last block.
    fn fill_up(&self) {
        let mut bytes = std::fs::read(self.ballast()).unwrap_or_default().len();
        for step in [64 << 10, 4 << 10] {
            loop {
                let grown = std::fs::write(self.ballast(), vec![1; bytes + step]);
                match grown {
                    Ok(()) => bytes += step,
                    Err(_) => break,
                }
            }
            std::fs::write(self.ballast(), vec![1; bytes]).unwrap();
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

/// Appends records, each its own commit, until one is refused; tells how many were acknowledged.
fn append_until_refused(writer: &mut Writer, from: u32, durability: Durability) -> (u32, Error) {
    for n in from.. {
        let answer = writer.append(n, &record(n)).and_then(|_| writer.commit(durability));
        match answer {
            Ok(commit) => assert!(commit.reached >= durability),
            Err(error) => return (n, error),
        }
        assert!(n < 100_000, "never full");
    }
    unreachable!()
}

fn record(n: u32) -> Vec<u8> {
    n.to_le_bytes().into_iter().cycle().take(RECORD_BYTES).collect()
}

/// The records `0..count` are there, in order, and at most `more` behind them.
fn holds(records: &[Kept], count: u32, more: u32) {
    assert!(records.len() as u32 >= count, "{count} acknowledged, {} there", records.len());
    assert!(records.len() as u32 <= count + more, "{count} acknowledged, {} there", records.len());
    for (n, kept) in records.iter().enumerate() {
        assert!(kept.stream == n as u32 && kept.payload == record(n as u32), "record {n} is another one");
    }
}

fn says_why(error: &Error, path: &Path) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text:?} does not name {}", path.display());
    assert!(text.contains("space"), "{text:?} does not say that space is missing");
}

#[test]
fn an_emulated_tail_is_full_in_bounded_time_and_goes_on() {
    let Some(narrow) = Narrow::new(Medium::Emulated) else { return };
    let (log, _) = Log::open(narrow.config()).unwrap();
    narrow.fill_up();
    let mut writer = log.writer().unwrap();
    let (mut next, mut error) = append_until_refused(&mut writer, 0, Durability::Power);
    for _ in 0..3 {
        assert!(matches!(error, Error::Full { .. }) && error.remedy() == Remedy::Retry, "{error:?}");
        says_why(&error, &narrow.nvme());
        holds(&all(&log), next, 0);
        let since = Instant::now();
        error = writer.append(next, &record(next)).unwrap_err();
        let took = since.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{took:?} for 300 ms");
    }
    assert!(!log.metrics().lanes[writer.lane().0 as usize].poisoned, "nothing is poisoned by a full disk");
    narrow.free();
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(error) = writer.append(next, &record(next)) {
        assert!(matches!(error, Error::Full { .. }) && Instant::now() < until, "{error}");
    }
    writer.commit(Durability::Power).unwrap();
    for n in next + 1..next + 200 {
        writer.append(n, &record(n)).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    next += 200;
    holds(&all(&log), next, 0);
    drop(writer);
    log.close().unwrap();
    holds(&reopened(&narrow.config()), next, 0);
}

#[test]
fn on_an_ordinary_tail_a_commit_without_room_poisons_nothing_and_goes_on() {
    let Some(narrow) = Narrow::new(Medium::File) else { return };
    let (log, _) = Log::open(narrow.config()).unwrap();
    let mut writer = log.writer().unwrap();
    for n in 0..10 {
        writer.append(n, &record(n)).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    drained(&log);
    narrow.fill_up();
    let (next, error) = append_until_refused(&mut writer, 10, Durability::Power);
    assert!(matches!(error, Error::NoRoom { .. }) && error.remedy() == Remedy::Retry, "{error:?}");
    says_why(&error, &narrow.nvme());
    assert!(matches!(writer.commit(Durability::Power), Err(Error::NoRoom { .. })));
    // What needs no room on NVMe goes on, as far as the tail goes.
    writer.append(next + 1, &record(next + 1)).unwrap();
    assert_eq!(writer.commit(Durability::Process).unwrap().reached, Durability::Process);
    holds(&all(&log), next, 2);
    assert!(!log.metrics().lanes.iter().any(|lane| lane.poisoned));
    narrow.free();
    let commit = writer.commit(Durability::Power).unwrap();
    assert_eq!(commit.reached, Durability::Power);
    for n in next + 2..next + 100 {
        writer.append(n, &record(n)).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    drop(writer);
    log.close().unwrap();
    holds(&reopened(&narrow.config()), next + 100, 0);
}

/// One lane's poison is not another's: that one goes on, lap after lap.
#[test]
fn a_poisoned_lane_holds_back_no_other() {
    let Some(narrow) = Narrow::new(Medium::File) else { return };
    let mut config = narrow.config();
    config.tail.full_wait_ms_max = 5_000;
    let (log, _) = Log::open(config).unwrap();
    let (mut first, mut second) = (log.writer().unwrap(), log.writer().unwrap());
    assert!(first.lane() < second.lane(), "the poisoned one comes first in the drainer's round");
    // Something stands where the next segments would be made: no lack of room, which would poison nothing.
    let in_the_way: Vec<PathBuf> = (0..100).map(|n| narrow.nvme().join(format!("{n:08}.seg"))).collect();
    let in_the_way: Vec<PathBuf> = in_the_way.into_iter().filter(|path| !path.exists()).collect();
    in_the_way.iter().for_each(|path| std::fs::write(path, "").unwrap());
    let (_, error) = append_until_refused(&mut first, 0, Durability::Power);
    assert!(matches!(error, Error::Io { .. } | Error::Poisoned { .. }), "{error:?}");
    assert!(matches!(first.commit(Durability::Process), Err(Error::Poisoned { .. })));
    in_the_way.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    // Until the poisoned lane is quiet, and the drainer's turn.
    std::thread::sleep(Duration::from_millis(100));
    for n in 0..200 {
        second.append(n, &record(n)).unwrap();
        second.commit(Durability::Power).unwrap();
    }
    assert!(log.metrics().lanes[second.lane().0 as usize].segments_retired > 2);
    // Nobody spins over what cannot be drained.
    let before = cpu_time();
    std::thread::sleep(Duration::from_secs(1));
    let idle = cpu_time() - before;
    assert!(idle < Duration::from_millis(300), "{idle:?} of processor in an idle second");
}

/// Of the threads of this process that belong to logs: other tests run beside this one.
fn cpu_time() -> Duration {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let Ok(stat) = std::fs::read_to_string(task.unwrap().path().join("stat")) else { continue };
        let (head, tail) = stat.rsplit_once(')').unwrap();
        if head.contains("tierlog-drain") {
            let fields: Vec<u64> =
                tail.split_whitespace().skip(11).take(2).map(|n| n.parse().unwrap()).collect();
            ticks += fields[0] + fields[1];
        }
    }
    Duration::from_millis(ticks * 10)
}

/// A disk that is full when a crashed log without a reserve is opened: refused with the reason, nothing lost, and opened when there is space.
#[test]
fn a_crashed_log_on_a_full_disk_waits_for_space() {
    let Some(narrow) = Narrow::new(Medium::Emulated) else { return };
    let config = || {
        let mut config = narrow.config();
        config.nvme.reserve_bytes = Some(0);
        config
    };
    let (log, _) = Log::open(config()).unwrap();
    narrow.fill_up();
    let mut writer = log.writer().unwrap();
    let (next, _) = append_until_refused(&mut writer, 0, Durability::Power);
    let (tail, nvme) = (Image::take(narrow.dir.path()), Image::take(&narrow.nvme()));
    drop(writer);
    assert!(log.close().is_err(), "there was no space to close");
    tail.put(narrow.dir.path());
    nvme.put(&narrow.nvme());
    std::fs::remove_file(narrow.dir.path().join("owner")).unwrap();
    narrow.fill_up();
    for _ in 0..3 {
        let error = Log::open(config()).unwrap_err();
        says_why(&error, &narrow.nvme());
    }
    narrow.free();
    holds(&reopened(&config()), next, 0);
}

/// Writes that fail in the middle of a segment, with others under way behind them; also where no read-back would find
/// what is missing.
#[test]
fn a_write_that_fails_half_way_leaves_no_hole() {
    let ways = [(true, false, false), (true, false, true), (true, true, false), (false, false, false)];
    for (uring, read_back, checkpoints) in ways {
        let dir = tempfile::tempdir().unwrap();
        let task = format!("{uring} {read_back} {checkpoints} {}", dir.path().display());
        let output = child::command_unsignalled("append_past_a_limit", &task).output().unwrap();
        let said = child::said(&output.stdout);
        let failed = || format!("{task}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said == ["all there"], "{}", failed());
        if !checkpoints {
            let config = wide(dir.path(), uring, read_back);
            holds(&reopened(&config), 600, 0);
            let (log, _) = Log::open(config).unwrap();
            checkpoint_by_and_by(&log);
            log.close().unwrap();
        }
    }
}

/// Gives up record after record: whatever lies behind stays, also in segments that overlap because one was begun anew.
fn checkpoint_by_and_by(log: &Log) {
    let mut reader = log.reader(&Cut::start()).unwrap();
    for n in 0..600 {
        let at = reader.position();
        let record = reader.next().unwrap().unwrap();
        assert_eq!(record.stream, n);
        log.checkpoint(&at).unwrap();
        if n % 5 == 0 {
            let (left, error) = drain(log.reader(&Cut::start()));
            assert!(error.is_none(), "checkpoint at {n}: {error:?}");
            let first = left[0].stream;
            assert!(
                first <= n && left.len() as u32 == 600 - first,
                "checkpoint at {n}: {} from {first}",
                left.len()
            );
        }
    }
}

/// Segments of NVMe ready ahead, so that what lies behind a failed write goes to the next one.
fn wide(dir: &Path, uring: bool, read_back: bool) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.tail.lanes = Some(1);
    config.tail.segments = Some(16);
    config.nvme.spare_segments = 4;
    (config.nvme.uring, config.nvme.read_back) = (uring, read_back);
    config
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn append_past_a_limit() {
    let Some(task) = child::task() else { return };
    let [uring, read_back, checkpoints, dir] = task.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("{task}")
    };
    let (log, _) = Log::open(wide(Path::new(dir), uring == "true", read_back == "true")).unwrap();
    while log.metrics().segments_ready < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut writer = log.writer().unwrap();
    let mut next = 0;
    append(&mut writer, &mut next, 20);
    drained(&log);
    // Below and above the end of what the open segment holds.
    for limit in ["40960", "8192", "98304"] {
        let before = log.metrics().lanes[0].drain_errors;
        limit_files(limit);
        // More than the rest of a segment and a whole one: some runs fail, and later ones do not.
        append(&mut writer, &mut next, 100);
        let until = Instant::now() + Duration::from_secs(20);
        while log.metrics().lanes[0].drain_errors == before {
            assert!(Instant::now() < until, "no write failed below {limit}");
            std::thread::sleep(Duration::from_millis(1));
        }
        limit_files("unlimited");
        append(&mut writer, &mut next, 90);
        drained(&log);
        holds(&all(&log), next, 0);
    }
    append(&mut writer, &mut next, 10);
    drop(writer);
    assert!(log.metrics().lanes[0].segments_retired > 0 && next == 600);
    holds(&all(&log), next, 0);
    if checkpoints == "true" {
        checkpoint_by_and_by(&log);
    }
    log.close().unwrap();
    Voice::new().say("all there");
}

fn append(writer: &mut Writer, next: &mut u32, count: u32) {
    for n in *next..*next + count {
        writer.append(n, &record(n)).unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    *next += count;
}

/// Writes of this process beyond `bytes` of any file fail with EFBIG.
fn limit_files(bytes: &str) {
    let process = std::process::id().to_string();
    let set =
        Command::new("prlimit").args(["--pid", &process, &format!("--fsize={bytes}:")]).status().unwrap();
    assert!(set.success());
}
