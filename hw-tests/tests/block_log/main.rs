//! Power cuts of a disk with a volatile cache, put together from what it was told: a real file system on a disk of our
//! own ([`device`]), a log on it, and then the disk as it may have been at many moments ([`crash`]), mounted, opened, and
//! held against what had been acknowledged by then.
//!
//! As root, with /dev/fuse and loop devices; `TIERLOG_IMAGES` says how many disks are looked at.

#[allow(dead_code, reason = "the tests of the engine use the rest")]
#[path = "../../../tests/support/chance.rs"]
mod chance;
#[path = "../../../tests/support/count.rs"]
mod count;
mod crash;
mod device;
#[allow(dead_code, reason = "the tests of the engine use the rest")]
#[path = "../../../tests/support/mount.rs"]
mod mount;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use chance::Chance;
use crash::{Cuts, Kept};
use device::{Disk, Entry};
use mount::Mount;
use tierlog::{Config, Durability, DurableWith, Log, Medium, verify};
use tierlog_hw_tests::counts::{Counts, WRITERS, check, commit_counted};
use tierlog_hw_tests::staged::Staged;

const DISK_BYTES: usize = 48 << 20;
/// Records of each writer in a recording.
const RECORDS: u64 = 300;
/// Disks in sum, over five ways to a durable write; `TIERLOG_IMAGES` says otherwise.
const IMAGES: usize = 50;
/// Disks put together from one recording.
const IMAGES_OF_ONE: usize = 100;

fn config(dir: &Path, way: DurableWith) -> Config {
    let mut config = Config::new(dir.join("log"));
    config.tail.medium = Medium::File;
    config.tail.lanes = Some(WRITERS as u32);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(128 << 10);
    config.nvme.spare_segments = 1;
    config.nvme.durable = Some(way);
    config
}

/// What the disk was told while a log was made, written to and closed.
struct Recording {
    /// Before all that.
    disk: Vec<u8>,
    entries: Vec<Entry>,
    /// What was acknowledged, and how much the disk had been told by then.
    acknowledged: Vec<(usize, usize, u64)>,
}

impl Recording {
    /// `None`, said and counted, where it cannot be had.
    fn new(way: DurableWith, durability: Durability) -> Option<Recording> {
        let disk = match Disk::new(DISK_BYTES) {
            Ok(disk) => disk,
            Err(error) => {
                println!("SKIP: no FUSE here: {error}");
                return None;
            }
        };
        // Nothing that the file system itself would do later.
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"])
            .arg(disk.path());
        if !mkfs.output().is_ok_and(|output| output.status.success()) {
            println!("SKIP: no mkfs.ext4 here");
            return None;
        }
        let before = disk.begin();
        let mount = Mount::of(&disk.path())?;
        let (log, _) = Log::open(config(mount.path(), way)).unwrap();
        let media = log.media();
        assert!(media.nvme.contains("volatile write cache"), "{media:?}");
        let acknowledged = Mutex::new(Vec::new());
        let seen: [AtomicU64; WRITERS] = Default::default();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (log, seen, disk, acknowledged) = (&log, &seen, &disk, &acknowledged);
                scope.spawn(move || {
                    commit_counted(log, writer, seen, durability, |count| {
                        acknowledged.lock().unwrap().push((disk.noted(), writer, count));
                        Ok(count < RECORDS)
                    })
                    .unwrap();
                });
            }
        });
        log.close().unwrap();
        let entries = disk.take();
        drop(mount);
        let mut acknowledged = acknowledged.into_inner().unwrap();
        acknowledged.sort_unstable();
        Some(Recording { disk: before, entries, acknowledged })
    }

    /// What had been acknowledged once the disk had been told so much.
    fn acknowledged_at(&self, at: usize) -> Counts {
        let mut counts = Counts::default();
        for (_, writer, count) in self.acknowledged.iter().take_while(|(noted, ..)| *noted <= at) {
            counts[*writer] = *count;
        }
        counts
    }

    /// Moments to cut the power at, in order: every other one is that of an acknowledgement.
    fn moments(&self, count: usize, chance: &mut Chance) -> Vec<usize> {
        let mut moments: Vec<usize> = (0..count)
            .map(|i| match i % 2 {
                0 => self.acknowledged[chance.below(self.acknowledged.len())].0,
                _ => chance.below(self.entries.len() + 1),
            })
            .collect();
        moments.sort_unstable();
        moments
    }
}

/// Mounts the disk and opens the log that is on it, as if the machine had been started anew: what there is of it.
fn look(disk: &[u8], way: DurableWith, acked: Counts, chance: &mut Chance) -> Result<Counts, String> {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), disk).unwrap();
    let mount = Mount::of(image.path()).ok_or("not mounted")?;
    let config = config(mount.path(), way);
    let tail = config.dir.join("tail");
    if chance.below(2) == 0 && tail.exists() {
        // Whatever of an ordinary tail came to the disk, the log owes it nothing.
        std::fs::remove_file(tail).map_err(|error| error.to_string())?;
    }
    let boot_id = std::array::from_fn(|_| chance.next() as u8);
    let host = Arc::new(Staged::started_anew(boot_id));
    let (log, _) = Log::open_on(host, config.clone()).map_err(|error| error.to_string())?;
    let counts = check(&log, acked)?;
    log.close().map_err(|error| error.to_string())?;
    let verified = verify(&config).map_err(|error| error.to_string())?;
    if verified.findings.is_empty() { Ok(counts) } else { Err(format!("{:?}", verified.findings)) }
}

fn survives(way: DurableWith, test: &str) {
    let mut chance = Chance::seeded("block_log", test);
    let images = count::count("TIERLOG_IMAGES", IMAGES).div_ceil(5);
    let mut looked = 0;
    while looked < images {
        let Some(recording) = Recording::new(way, Durability::Power) else { return };
        let mut cuts = Cuts::new(recording.disk.clone(), &recording.entries);
        let flushes = recording.entries.iter().filter(|entry| matches!(entry, Entry::Flush)).count();
        let (count, mut behind) = (IMAGES_OF_ONE.min(images - looked), 0);
        for at in recording.moments(count, &mut chance) {
            let kept = [Kept::Nothing, Kept::Everything, Kept::Some, Kept::Torn][chance.below(4)];
            let acked = recording.acknowledged_at(at);
            let disk = cuts.at(at, kept, &mut chance);
            let counts = look(&disk, way, acked, &mut chance).unwrap_or_else(|what| {
                let (_, path) = tempfile::NamedTempFile::new().unwrap().keep().unwrap();
                std::fs::write(&path, &disk).unwrap();
                let of = recording.entries.len();
                panic!(
                    "cut at {at} of {of}, {kept:?} kept, {acked:?} acknowledged: {what}; the disk: {}",
                    path.display()
                )
            });
            behind += usize::from(counts > acked);
            looked += 1;
        }
        println!(
            "{way:?}: {} writes, {flushes} flushes, {} acknowledgements; {count} disks, {behind} with more than was \
             acknowledged, nothing acknowledged missing",
            recording.entries.len() - flushes,
            recording.acknowledged.len()
        );
    }
}

#[test]
fn one_write_that_is_durable() {
    survives(DurableWith::Odsync, "one_write_that_is_durable");
}

#[test]
fn a_write_then_fdatasync() {
    survives(DurableWith::Fdatasync, "a_write_then_fdatasync");
}

#[test]
fn one_write_that_is_polled_for() {
    survives(DurableWith::Polled, "one_write_that_is_polled_for");
}

#[test]
fn one_durable_write_by_io_uring() {
    survives(DurableWith::UringDsync, "one_durable_write_by_io_uring");
}

#[test]
fn a_write_linked_with_fdatasync() {
    survives(DurableWith::Linked, "a_write_linked_with_fdatasync");
}

/// It can fail: what is only promised to survive the process is not there.
#[test]
fn commits_at_process_are_missed() {
    let mut chance = Chance::seeded("block_log", "commits_at_process_are_missed");
    let Some(recording) = Recording::new(DurableWith::Fdatasync, Durability::Process) else { return };
    let mut cuts = Cuts::new(recording.disk.clone(), &recording.entries);
    let missed = recording.acknowledged[..4].iter().filter(|(at, ..)| {
        let acked = recording.acknowledged_at(*at);
        let disk = cuts.at(*at, Kept::Nothing, &mut chance);
        let looked = look(&disk, DurableWith::Fdatasync, acked, &mut chance);
        println!("{looked:?}");
        looked.is_err()
    });
    assert!(missed.count() > 0, "nothing is missed at the first acknowledgements");
}
