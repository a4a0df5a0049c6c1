//! Each page of a crashed log's tail poisoned once, from before its open on (UFFDIO_POISON, in memory): whatever the open
//! makes of it, it never goes on with less than was acknowledged unless told to, and what is acknowledged afterwards is
//! there.
//!
//! Some of the pages, spread over the tail; `TIERLOG_PAGES` says how many.

#[path = "../../tests/support/count.rs"]
mod count;
#[allow(dead_code, reason = "the tests of the engine use the rest")]
#[path = "../../tests/support/image.rs"]
mod image;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use image::Image;
use tempfile::TempDir;
use tierlog::host::Host;
use tierlog::{Config, Cut, Durability, Error, Log, Refusal};
use tierlog_hw_tests::poison::Poisoned;
use tierlog_hw_tests::staged::Staged;

const PAGE_BYTES: u64 = 4096;
const PAGES: usize = 128;
const LANES: u32 = 2;
/// Records of each lane that are on NVMe, that are in the tail alone, and that are appended behind them: a lap and more.
const DRAINED: u32 = 100;
const UNDRAINED: u32 = 60;
const APPENDED: u32 = 300;

fn config(dir: &Path) -> Config {
    let mut config = Config::new(dir).emulated();
    config.nvme.accept_volatile = true;
    config.tail.lanes = Some(LANES);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(128 << 10);
    config.nvme.spare_segments = 1;
    config
}

/// Appends `records` to the lane of stream `of`, each its own commit, until one is refused; how many were acknowledged.
fn commit<H: Host>(log: &Log<H>, of: u32, records: std::ops::Range<u32>) -> Result<(), (u32, Error)> {
    let mut writer = log.writer().map_err(|error| (0, error))?;
    for n in records.clone() {
        let done = writer.append(of, &payload(of, n)).and_then(|_| writer.commit(Durability::Power));
        done.map_err(|error| (n - records.start, error))?;
    }
    Ok(())
}

fn payload(of: u32, n: u32) -> Vec<u8> {
    [of, n].iter().flat_map(|word| word.to_le_bytes()).cycle().take(8 + (n as usize * 61) % 1_800).collect()
}

/// How many records of each stream there are, all of them as they were written.
fn count<H: Host>(log: &Log<H>) -> Result<[u32; LANES as usize], Error> {
    let mut counts = [0; LANES as usize];
    let mut reader = log.reader(&Cut::start())?;
    while let Some(record) = reader.next()? {
        let count = &mut counts[record.stream as usize];
        assert_eq!(record.payload, payload(record.stream, *count), "another record, or one is missing");
        *count += 1;
    }
    Ok(counts)
}

/// A log that was killed while its tail was ahead of NVMe.
fn crashed(dir: &Path) -> Image {
    let (log, _) = Log::open(config(dir)).unwrap();
    (0..LANES).for_each(|of| commit(&log, of, 0..DRAINED).unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    while log.watermarks().iter().any(|lane| lane.durable < lane.published) {
        assert!(Instant::now() < until, "not drained: {:?}", log.watermarks());
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = Image::take(dir);
    (0..LANES).for_each(|of| commit(&log, of, DRAINED..DRAINED + UNDRAINED).unwrap());
    let mut image = Image::take(dir);
    image.take_from(&before, "nvme");
    log.close().unwrap();
    image
}

/// What became of one page.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// Opened with everything, and every lane went on.
    Unharmed,
    /// Opened with everything, and a lane ended that met the page.
    LaneEnded,
    /// Refused, and opened with what NVMe had once the tail was given up.
    Refused,
}

fn poisoned(dir: &Path, page: u64) -> Outcome {
    let held = Arc::new(Mutex::new(None));
    let hold = held.clone();
    let host = Arc::new(Staged::mapped(move |tail| {
        *hold.lock().unwrap() = Some(Poisoned::page(tail, page * PAGE_BYTES).unwrap());
    }));
    let all = [DRAINED + UNDRAINED; LANES as usize];
    let log = match Log::open_on(host.clone(), config(dir)) {
        Ok((log, _)) => log,
        Err(error) => {
            match &error {
                // Nothing in it can be told to be this log's newest.
                Error::Refused(Refusal::TailLost { .. }) => {}
                // It has to be given up by hand.
                Error::Corrupt { .. } => std::fs::remove_file(dir.join("tail")).unwrap(),
                other => panic!("page {page}: {other:?}"),
            }
            let (log, recovered) = Log::open_on(host, Config { accept_loss: true, ..config(dir) }).unwrap();
            assert!(!recovered.tails_lost.is_empty(), "page {page}: {error}");
            let counts = count(&log).unwrap();
            assert!(counts.iter().all(|count| (DRAINED..=all[0]).contains(count)), "page {page}: {counts:?}");
            log.close().unwrap();
            return Outcome::Refused;
        }
    };
    assert_eq!(count(&log).unwrap(), all, "page {page}");
    let mut expected = all;
    let mut outcome = Outcome::Unharmed;
    for of in 0..LANES {
        let acknowledged = match commit(&log, of, all[0]..all[0] + APPENDED) {
            Ok(()) => APPENDED,
            Err((acknowledged, error)) => {
                assert!(matches!(error, Error::Poisoned { .. }), "page {page}: {error:?}");
                outcome = Outcome::LaneEnded;
                acknowledged
            }
        };
        expected[of as usize] += acknowledged;
    }
    let closed = log.close();
    assert!(closed.is_ok() || outcome == Outcome::LaneEnded, "page {page}: {closed:?}");
    drop(held);
    let (log, _) = Log::open(config(dir)).unwrap();
    let counts = count(&log).unwrap();
    // The one that was refused may have been written all the same.
    let there = counts.iter().zip(expected).all(|(count, expected)| (expected..expected + 2).contains(count));
    assert!(there, "page {page}: {counts:?} there, {expected:?} acknowledged");
    log.close().unwrap();
    outcome
}

#[test]
fn every_page_of_a_crashed_log() {
    let dir = TempDir::new_in("/dev/shm").unwrap();
    let image = crashed(dir.path());
    let (log, _) = Log::open(config(dir.path())).unwrap();
    if let Err(error) = Poisoned::page(&dir.path().join("tail"), 0) {
        return println!("SKIP: userfaultfd cannot poison here: {error}");
    }
    drop(log);
    let all = std::fs::metadata(dir.path().join("tail")).unwrap().len() / PAGE_BYTES;
    let count = all.min(count::count("TIERLOG_PAGES", PAGES) as u64);
    let pages: Vec<u64> = (0..count).map(|i| i * all / count).collect();
    let outcomes: Vec<Outcome> = pages
        .iter()
        .map(|page| {
            image.put(dir.path());
            poisoned(dir.path(), *page)
        })
        .collect();
    let number = |of: Outcome| outcomes.iter().filter(|outcome| **outcome == of).count();
    let [unharmed, ended, refused] = [Outcome::Unharmed, Outcome::LaneEnded, Outcome::Refused].map(number);
    println!(
        "{} of {all} pages: {unharmed} without harm, {ended} ended a lane, {refused} refused by name; nothing acknowledged missing",
        pages.len()
    );
    assert!(unharmed > 0 && ended > 0 && refused > 0);
}
