//! Damage: one byte changed, anywhere. Reading gives exactly the same records, or an error, or verify a finding; never
//! other records, and never fewer in silence.
//!
//! The one limit (docs/DURABILITY.md): of a log that crashed, rot in a lane's last fenced group looks like a torn end. How
//! many changes fell under it is printed.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::chance::Chance;
use support::image::Image;
use support::layout::{self, BLOCK_BYTES, LINE_BYTES};
use support::records::{Kept, SEGMENT_BYTES, SEGMENTS, adopted, all, drain, drained, fill, small, viewed};
use tierlog::{Cut, Durability, Log, Medium, verify};

/// Places tried beside the fields of headers, in each log.
const SAMPLES: usize = 2_000;

/// A log at rest, and what it holds.
struct Subject {
    medium: Medium,
    image: Image,
    records: Vec<Kept>,
    /// It crashed: the last group of each lane may be taken for a torn end.
    crashed: bool,
}

impl Subject {
    fn closed(medium: Medium) -> Subject {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(small(dir.path(), medium)).unwrap();
        fill(&log, 60, 600);
        let records = all(&log);
        log.close().unwrap();
        Subject { medium, image: Image::take(dir.path()), records, crashed: false }
    }

    /// Everything was acknowledged at Power; a part is on NVMe only, a part in the tail only (of an emulated one).
    fn crashed(medium: Medium) -> Subject {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(small(dir.path(), medium)).unwrap();
        fill(&log, 200, 3000);
        drained(&log);
        let before = Image::take(dir.path());
        for (lane, mut writer) in [log.writer().unwrap(), log.writer().unwrap()].into_iter().enumerate() {
            for i in 0..40_usize {
                writer.append(i as u32, &vec![0xa0 + lane as u8; i * 41 % 900]).unwrap();
                writer.commit(Durability::Power).unwrap();
            }
        }
        let mut image = Image::take(dir.path());
        if medium == Medium::Emulated {
            image.take_from(&before, "nvme");
        }
        // The board of the owner, who lives, is not for copies.
        image.remove("owner");
        let records = all(&log);
        log.close().unwrap();
        Subject { medium, image, records, crashed: true }
    }

    /// Every byte of every header, and a sample of all others; the tail's only where it counts.
    fn places(&self, chance: &mut Chance) -> Vec<Place> {
        let counts = |name: &Path| self.crashed || name != Path::new("tail");
        // A crashed log may have a segment that was only just made.
        let files = self.image.files().filter(|(name, bytes)| counts(name) && !bytes.is_empty());
        let files: Vec<(&Path, &Vec<u8>)> = files.collect();
        let mut places = Vec::new();
        for (name, bytes) in &files {
            let place = |at| Place { file: name.to_path_buf(), at };
            places.extend(header_bytes(bytes, name.ends_with("tail")).into_iter().map(place));
        }
        let headers = places.len();
        // Zeros that nobody reads are most of it: nine in ten places lie in lines that hold something.
        let used =
            |bytes: &[u8]| bytes.chunks(LINE_BYTES).map(|line| line.iter().any(|byte| *byte != 0)).collect();
        let used: Vec<Vec<bool>> = files.iter().map(|(_, bytes)| used(bytes)).collect();
        while places.len() < headers + SAMPLES {
            let file = chance.below(files.len());
            let at = chance.below(files[file].1.len());
            if used[file][at / LINE_BYTES] || chance.below(10) == 0 {
                places.push(Place { file: files[file].0.to_path_buf(), at });
            }
        }
        println!("{} bytes of headers, {SAMPLES} others", headers);
        places
    }

    /// Whether `seen` is what was written, but for the last batch of a lane or two.
    fn lacks_last_groups_only(&self, seen: &[Kept]) -> bool {
        let last = |lane| self.records.iter().filter(|kept| kept.lane == lane).map(|kept| kept.gsn).max();
        let lost: Vec<&Kept> = self.records.iter().filter(|kept| !seen.contains(kept)).collect();
        seen.iter().all(|kept| self.records.contains(kept))
            && lost.iter().all(|kept| last(kept.lane) == Some(kept.gsn))
    }
}

/// A byte of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    at: usize,
}

/// The bytes of all blocks with a magic, and of some frame headers: first, last, a few between, and of each
/// lane's newest, which a crashed log may have in its tail only.
fn header_bytes(bytes: &[u8], tail: bool) -> Vec<usize> {
    let blocks = layout::blocks(bytes).into_iter();
    let mut all: Vec<usize> = blocks.flat_map(|at| at..at + layout::block_bytes(&bytes[at..])).collect();
    let frames_at = if tail { layout::RINGS_AT } else { BLOCK_BYTES };
    let lsn = |at: &usize| u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
    let is_frame = |at: &usize| {
        matches!(bytes[at + 24], 1..=8) && bytes[at + 25] <= 7 && lsn(at) % 64 == 0 && lsn(at) < 1 << 32
    };
    let frames = (frames_at..bytes.len().saturating_sub(LINE_BYTES)).step_by(LINE_BYTES).filter(is_frame);
    let frames: Vec<usize> = frames.collect();
    let mut chosen: Vec<usize> = frames.iter().copied().step_by(frames.len().div_ceil(4).max(1)).collect();
    chosen.extend(frames.last());
    for lane in 0..if tail { 2 } else { 0 } {
        let ring = layout::RINGS_AT + lane * SEGMENTS * SEGMENT_BYTES;
        let in_ring = |at: &&usize| (ring..ring + SEGMENTS * SEGMENT_BYTES).contains(*at);
        let mut of_lane: Vec<usize> = frames.iter().filter(in_ring).copied().collect();
        of_lane.sort_by_key(|at| std::cmp::Reverse(lsn(at)));
        chosen.extend(of_lane.into_iter().step_by(5).take(6));
    }
    all.extend(chosen.into_iter().flat_map(|at| at..at + layout::HEADER_BYTES));
    all
}

/// What became of the changes.
#[derive(Debug, Default)]
struct Counts {
    harmless: AtomicUsize,
    refused: AtomicUsize,
    reading_ends: AtomicUsize,
    found_by_verify: AtomicUsize,
    last_group: AtomicUsize,
}

impl Subject {
    /// Changes each place in turn and looks, on all processors.
    fn try_all(&self, places: &[Place], seed: &mut Chance) {
        let counts = Counts::default();
        let wrong = Mutex::new(Vec::new());
        let masks: Vec<u8> = places.iter().map(|_| seed.mask()).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let dir = self.image.copy_in_memory();
                    while let Some((place, mask)) = {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        places.get(n).map(|place| (place, masks[n]))
                    } {
                        if let Err(what) = self.change(dir.path(), place, mask, &counts) {
                            wrong.lock().unwrap().push(format!("{place:?} ^ {mask:#04x}: {what}"));
                        }
                    }
                });
            }
        });
        let (wrong, kind) = (wrong.into_inner().unwrap(), if self.crashed { "crashed" } else { "closed" });
        println!("{:?}, {kind}: {counts:?} of {}", self.medium, places.len());
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), places.len(), some_of(&wrong));
        assert!(counts.harmless.into_inner() < places.len(), "nothing was ever noticed");
        let tail_alone = self.crashed && self.medium == Medium::Emulated;
        assert_eq!(
            counts.last_group.into_inner() > 0,
            tail_alone,
            "the limit, where it applies and only there"
        );
    }

    fn change(&self, dir: &Path, place: &Place, mask: u8, counts: &Counts) -> Result<(), String> {
        let file = File::options().read(true).write(true).open(dir.join(&place.file)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, place.at as u64).unwrap();
        file.write_all_at(&[byte[0] ^ mask], place.at as u64).unwrap();
        let answer = std::panic::catch_unwind(|| self.look(dir, counts));
        file.write_all_at(&byte, place.at as u64).unwrap();
        answer.unwrap_or_else(|_| Err("a panic".into()))
    }

    fn look(&self, dir: &Path, counts: &Counts) -> Result<(), String> {
        let config = adopted(dir, self.medium);
        let (seen, error) = viewed(&config);
        let count = |counter: &AtomicUsize| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        if seen == self.records && error.is_none() {
            return count(&counts.harmless);
        }
        if seen.iter().any(|kept| !self.records.contains(kept)) {
            return Err("records that nobody wrote".into());
        }
        match error {
            Some(_) if seen.is_empty() => return count(&counts.refused),
            Some(_) if self.records.starts_with(&seen) => return count(&counts.reading_ends),
            Some(error) => return Err(format!("out of order before {error}")),
            None => {}
        }
        if verify(&config).is_ok_and(|verified| !verified.findings.is_empty()) {
            return count(&counts.found_by_verify);
        }
        if self.crashed && self.lacks_last_groups_only(&seen) {
            return count(&counts.last_group);
        }
        Err(format!("{} records of {} in silence", seen.len(), self.records.len()))
    }
}

fn some_of(wrong: &[String]) -> String {
    let step = wrong.len().div_ceil(40).max(1);
    wrong.iter().step_by(step).cloned().collect::<Vec<_>>().join("\n")
}

fn every_change_is_harmless_or_noticed(subject: &Subject, test: &str) {
    let mut chance = Chance::seeded("damage", test);
    let places = subject.places(&mut chance);
    subject.try_all(&places, &mut chance);
}

#[test]
fn a_closed_log_on_an_ordinary_tail() {
    every_change_is_harmless_or_noticed(&Subject::closed(Medium::File), "a_closed_log_on_an_ordinary_tail");
}

#[test]
fn a_closed_log_on_an_emulated_tail() {
    every_change_is_harmless_or_noticed(
        &Subject::closed(Medium::Emulated),
        "a_closed_log_on_an_emulated_tail",
    );
}

#[test]
fn a_crashed_log_on_an_ordinary_tail() {
    every_change_is_harmless_or_noticed(&Subject::crashed(Medium::File), "a_crashed_log_on_an_ordinary_tail");
}

#[test]
fn a_crashed_log_on_an_emulated_tail() {
    every_change_is_harmless_or_noticed(
        &Subject::crashed(Medium::Emulated),
        "a_crashed_log_on_an_emulated_tail",
    );
}

/// The same through a writing open, which builds on what it finds: it goes on from there, the next open sees the same, and
/// what was written is not written over, however damaged it looks.
#[test]
fn a_writing_open_builds_on_nothing_else() {
    let mut chance = Chance::seeded("damage", "a_writing_open_builds_on_nothing_else");
    for subject in [Subject::closed(Medium::File), Subject::crashed(Medium::Emulated)] {
        let mut places = subject.places(&mut chance);
        let dir = subject.image.copy();
        let mut refused = 0;
        // The header of each segment, and 30 other places.
        let headers = subject.image.segments().into_iter().map(|file| Place { file, at: 40 });
        let mut chosen: Vec<Place> = headers.collect();
        chosen.extend((0..30).map(|_| places.swap_remove(chance.below(places.len()))));
        let tried = chosen.len();
        for place in chosen {
            let mut image = subject.image.clone();
            image.file(&place.file)[place.at] ^= chance.mask();
            image.put(dir.path());
            let told = subject.go_on(dir.path()).unwrap_or_else(|what| panic!("{place:?}: {what}"));
            refused += usize::from(!told);
            // Without its watermark all of a lane is moved to fresh segments, and the old ones are free.
            if place.file != Path::new("nvme/watermarks") {
                subject.segments_stay(&mut Image::take(dir.path()), &place);
            }
        }
        println!("{:?}: {refused} of {tried} refused", subject.medium);
    }
}

impl Subject {
    /// Opens, reads, appends, closes and reads again; `false` if the open was refused.
    fn go_on(&self, dir: &Path) -> Result<bool, String> {
        let config = adopted(dir, self.medium);
        let Ok((log, _)) = Log::open(config.clone()) else { return Ok(false) };
        let (seen, error) = drain(log.reader(&Cut::start()));
        if !self.records.starts_with(&seen) && !self.lacks_last_groups_only(&seen) {
            return Err(format!("{} records, not of those {}", seen.len(), self.records.len()));
        }
        if error.is_none() && seen != self.records && !(self.crashed && self.lacks_last_groups_only(&seen)) {
            return Err(format!("{} records of {} in silence", seen.len(), self.records.len()));
        }
        fill(&log, 4, 300);
        let more = drain(log.reader(&Cut::start())).0;
        log.close().map_err(|error| format!("close: {error}"))?;
        let again = viewed(&config);
        if again.0 != more || again.1.is_some() != error.is_some() {
            return Err(format!(
                "{} records, and after a close {} and {:?}",
                more.len(),
                again.0.len(),
                again.1
            ));
        }
        if error.is_none() && more.len() != seen.len() + 7 {
            return Err(format!("{} records and 7 more are {}", seen.len(), more.len()));
        }
        Ok(true)
    }

    /// No block of a segment that held something was written again; the changed byte itself aside.
    fn segments_stay(&self, after: &mut Image, place: &Place) {
        let mut before = self.image.clone();
        for name in before.segments() {
            let (old, mut now) = (before.file(&name).clone(), after.file(&name).clone());
            if name == place.file {
                now[place.at] = old[place.at];
            }
            let blocks = old.chunks(BLOCK_BYTES).zip(now.chunks(BLOCK_BYTES));
            let rewritten =
                blocks.filter(|(old, new)| old != new && old.iter().any(|byte| *byte != 0)).count();
            assert_eq!(rewritten, 0, "{place:?}: blocks of {} were written over", name.display());
        }
    }
}
