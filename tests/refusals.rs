//! What an open refuses: with a typed error that names the file and says what to do, and without writing a byte.

mod support;

use std::path::{Path, PathBuf};

use support::image::Image;
use support::layout::{self, BLOCK_BYTES, OPEN_RECORD_BYTES, OPEN_RECORD_VERSION, RINGS_AT};
use support::records::{Kept, SEGMENT_BYTES, SEGMENTS, adopted, all, drained, fill, reopened, small, viewed};
use tempfile::TempDir;
use tierlog::{Config, Error, FORMAT_VERSION, Log, Medium, Refusal, View};

const MEDIA: [Medium; 2] = [Medium::File, Medium::Emulated];

/// A log in its second epoch that holds `drained` on NVMe and `all` in both tiers together.
struct Written {
    dir: TempDir,
    medium: Medium,
    drained: Vec<Kept>,
    all: Vec<Kept>,
    /// As a crash leaves it, and as a close leaves it.
    crashed: Image,
    closed: Image,
    /// Its tail before the last open.
    earlier_tail: Image,
}

impl Written {
    fn new(medium: Medium) -> Written {
        let dir = tempfile::tempdir().unwrap();
        let config = small(dir.path(), medium);
        let (log, _) = Log::open(config.clone()).unwrap();
        // More than a lap of each ring.
        fill(&log, 300, 3000);
        log.close().unwrap();
        let earlier_tail = Image::take(dir.path());
        let (log, _) = Log::open(config).unwrap();
        fill(&log, 300, 3000);
        drained(&log);
        let nvme = Image::take(dir.path());
        let drained = all(&log);
        let mut writer = log.writer().unwrap();
        for i in 0..30_u8 {
            writer.append(9, &[i; 100]).unwrap();
            writer.commit(tierlog::Durability::Process).unwrap();
        }
        let mut crashed = Image::take(dir.path());
        crashed.take_from(&nvme, "nvme");
        crashed.remove("owner");
        let all = all(&log);
        drop(writer);
        log.close().unwrap();
        let closed = Image::take(dir.path());
        Written { dir, medium, drained, all, crashed, closed, earlier_tail }
    }

    fn config(&self) -> Config {
        small(self.dir.path(), self.medium)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts `image` into the log's own files, and says how it is refused.
    fn refused(&self, image: &Image) -> Error {
        image.put(self.dir.path());
        refused(&self.config())
    }
}

/// The error of an open; nothing may have been written.
fn refused(config: &Config) -> Error {
    let before = Image::take(&config.dir);
    let error = match Log::open(config.clone()) {
        Err(error) => error,
        Ok((_, recovered)) => panic!("not refused: {recovered:?}"),
    };
    let changed = Image::take(&config.dir).difference(&before);
    assert!(changed.is_empty(), "refused with {error}, and yet written: {changed:#?}");
    // A view gives what an open would recover: nothing, then. Of a copy it gives what is there.
    if !matches!(error, Error::Refused(Refusal::Cloned { .. }) | Error::Config(_)) {
        let (seen, of_view) = viewed(config);
        assert!(of_view.is_some(), "{error}; and a view gives {} records as if that were all", seen.len());
    }
    error
}

/// Whether the error names `path` and says what to do: one of `remedies`.
fn says(error: &Error, path: &Path, remedies: &[&str]) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text:?} does not name {}", path.display());
    assert!(remedies.iter().any(|remedy| text.contains(remedy)), "{text:?} says none of {remedies:?}");
}

fn is_lost(error: &Error, path: &Path) {
    assert!(matches!(error, Error::Refused(Refusal::TailLost { .. })), "{error:?}");
    says(error, path, &["put it back"]);
}

fn is_foreign(error: &Error, path: &Path) {
    assert!(matches!(error, Error::Refused(Refusal::Foreign { .. })), "{error:?}");
    says(error, path, &["move it away", "put that log"]);
}

#[test]
fn a_lost_tail_is_refused_until_the_loss_is_accepted() {
    for medium in MEDIA {
        let written = Written::new(medium);
        let mut gone = written.crashed.clone();
        gone.remove("tail");
        is_lost(&written.refused(&gone), &written.path("tail"));
        let (_, error) = viewed(&written.config());
        is_lost(&error.expect("a view of what was lost"), &written.path("tail"));
        let config = Config { accept_loss: true, ..written.config() };
        let (log, recovered) = Log::open(config).unwrap();
        assert_eq!(recovered.tails_lost, [written.path("tail")]);
        assert_eq!(all(&log), written.drained, "{medium:?}: exactly what NVMe had");
        fill(&log, 5, 300);
        let more = all(&log);
        assert_eq!(more[..written.drained.len()], written.drained, "what is appended comes behind");
        log.close().unwrap();
        assert_eq!(reopened(&written.config()), more, "{medium:?}");
    }
}

#[test]
fn a_closed_log_needs_nothing_of_its_tail() {
    for medium in MEDIA {
        let written = Written::new(medium);
        let mut gone = written.closed.clone();
        gone.remove("tail");
        let mut older = written.closed.clone();
        older.take_from(&written.earlier_tail, "tail");
        for image in [gone, older] {
            image.put(written.dir.path());
            let (seen, error) = viewed(&written.config());
            assert!(error.is_none() && seen == written.all, "{medium:?}: {error:?}");
            assert_eq!(reopened(&written.config()), written.all, "{medium:?}");
        }
    }
}

#[test]
fn a_truncated_tail_is_refused() {
    for medium in MEDIA {
        let written = Written::new(medium);
        let tail = written.path("tail");
        for len in [0, 1, 4096, 64 << 10, (2 << 20) - 1, (2 << 20) + 4096] {
            let mut image = written.crashed.clone();
            image.file("tail").truncate(len);
            says(&written.refused(&image), &tail, &["move it away", "put it back"]);
        }
        let mut image = written.crashed.clone();
        image.file("tail").truncate(2 << 20);
        is_lost(&written.refused(&image), &tail);
        image.file("tail").clear();
        image.put(written.dir.path());
        let (_, error) = viewed(&written.config());
        says(&error.expect("a view of a truncated tail"), &tail, &["move it away", "put it back", "mend"]);
    }
}

#[test]
fn an_older_tail_is_refused() {
    for medium in MEDIA {
        let written = Written::new(medium);
        let mut image = written.crashed.clone();
        image.take_from(&written.earlier_tail, "tail");
        is_lost(&written.refused(&image), &written.path("tail"));
    }
}

#[test]
fn another_logs_tail_is_refused_and_left_alone() {
    for medium in MEDIA {
        let (written, other) = (Written::new(medium), Written::new(medium));
        for mut image in [written.crashed.clone(), written.closed.clone()] {
            image.take_from(&other.crashed, "tail");
            let error = written.refused(&image);
            assert!(matches!(error, Error::Refused(_)), "{error:?}");
            says(&error, &written.path("tail"), &["put it back", "move it away"]);
        }
        let mut junk = written.closed.clone();
        *junk.file("tail") = b"not a tail at all ".repeat(1 << 20)[..4 << 20].to_vec();
        is_foreign(&written.refused(&junk), &written.path("tail"));
    }
}

#[test]
fn a_foreign_file_among_the_segments_is_refused() {
    let written = Written::new(Medium::Emulated);
    for name in ["notes.txt", "1.seg", "00000001.seg.bak", "superblock~"] {
        for mut image in [written.crashed.clone(), written.closed.clone()] {
            image.add(&format!("nvme/{name}"), b"not yours".to_vec());
            let error = written.refused(&image);
            says(&error, &written.path(Path::new("nvme").join(name)), &["move it away"]);
            let (_, error) = viewed(&written.config());
            says(&error.expect("a view"), &written.path(Path::new("nvme").join(name)), &["move it away"]);
        }
    }
    written.closed.put(written.dir.path());
    let link = written.path("nvme/00000077.seg");
    std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
    says(&refused(&written.config()), &link, &["move it away"]);
    std::fs::remove_file(&link).unwrap();
    std::fs::create_dir(&link).unwrap();
    says(&refused(&written.config()), &link, &["move it away"]);
    std::fs::remove_dir(&link).unwrap();
    assert_eq!(reopened(&written.config()), written.all);
}

#[test]
fn a_segment_of_another_log_is_refused() {
    for medium in MEDIA {
        let (written, other) = (Written::new(medium), Written::new(medium));
        let mut stranger = other.crashed.clone();
        let name = stranger.segments()[0].clone();
        for mut image in [written.crashed.clone(), written.closed.clone()] {
            let ours = image.clone();
            image.add("nvme/00000099.seg", stranger.file(&name).clone());
            is_foreign(&written.refused(&image), &written.path("nvme/00000099.seg"));
            let mut image = ours;
            image.take_from(&stranger, name.to_str().unwrap());
            is_foreign(&written.refused(&image), &written.path(&name));
        }
        for name in ["nvme/superblock", "nvme/watermarks"] {
            let mut image = written.crashed.clone();
            image.take_from(&other.crashed, name);
            let error = written.refused(&image);
            assert!(matches!(error, Error::Refused(_)), "{name}: {error:?}");
            says(&error, written.dir.path(), &["move it away", "adopt", "put it back"]);
        }
    }
}

#[test]
fn a_newer_version_is_refused_wherever_it_stands() {
    for medium in MEDIA {
        let written = Written::new(medium);
        let segment = written.crashed.segments()[0].clone();
        let places: [(&Path, &[usize], u32); 4] = [
            (Path::new("nvme/superblock"), &[0, OPEN_RECORD_BYTES], OPEN_RECORD_VERSION),
            (Path::new("nvme/watermarks"), &[0, BLOCK_BYTES], FORMAT_VERSION),
            (&segment, &[0], FORMAT_VERSION),
            (Path::new("tail"), &[0, OPEN_RECORD_BYTES], OPEN_RECORD_VERSION),
        ];
        for (name, offsets, version) in places {
            for at in offsets {
                let mut image = written.crashed.clone();
                layout::set_version(&mut image.file(name)[*at..], version + 1);
                is_newer(&written.refused(&image), &written.path(name), version);
            }
        }
        // A segment in the tail that a newer program wrote is not one that was never written.
        let headers = layout::blocks(&written.crashed.clone().file("tail")[RINGS_AT..]);
        assert!(!headers.is_empty());
        for at in headers {
            let mut image = written.crashed.clone();
            layout::set_version(&mut image.file("tail")[RINGS_AT + at..], FORMAT_VERSION + 1);
            is_newer(&written.refused(&image), &written.path("tail"), FORMAT_VERSION);
        }
    }
}

fn is_newer(error: &Error, path: &Path, version: u32) {
    let Error::Refused(Refusal::Newer { version: newer, known, .. }) = error else { panic!("{error:?}") };
    assert_eq!((*newer, *known), (version + 1, version));
    says(error, path, &["use one that knows it"]);
}

#[test]
fn a_copied_directory_is_refused_until_it_is_adopted() {
    for medium in MEDIA {
        let written = Written::new(medium);
        for image in [&written.crashed, &written.closed] {
            let copy = image.copy();
            let error = refused(&small(copy.path(), medium));
            assert!(matches!(error, Error::Refused(Refusal::Cloned { .. })), "{error:?}");
            says(&error, copy.path(), &["adopt"]);
            assert_eq!(reopened(&adopted(copy.path(), medium)), written.all, "{medium:?}");
            assert_eq!(reopened(&small(copy.path(), medium)), written.all, "{medium:?}: it is at home now");
        }
    }
}

#[test]
fn a_blank_or_missing_superblock_is_refused() {
    for medium in MEDIA {
        let written = Written::new(medium);
        for image in [&written.crashed, &written.closed] {
            let mut blank = image.clone();
            blank.file("nvme/superblock").fill(0);
            let mut junk = image.clone();
            junk.file("nvme/superblock").fill(0x5a);
            let mut short = image.clone();
            short.file("nvme/superblock").truncate(4096);
            let mut missing = image.clone();
            missing.remove("nvme/superblock");
            let mut empty = image.clone();
            empty.remove("nvme");
            for image in [blank, junk, short, missing, empty] {
                is_foreign(&written.refused(&image), &written.path("nvme"));
            }
            let mut segments_only = image.clone();
            segments_only.remove("nvme/superblock");
            segments_only.remove("tail");
            is_foreign(&written.refused(&segments_only), &written.path("nvme"));
        }
    }
}

#[test]
fn a_log_of_one_open_is_not_made_anew_over_its_tail() {
    let dir = tempfile::tempdir().unwrap();
    let config = small(dir.path(), Medium::Emulated);
    let (log, _) = Log::open(config.clone()).unwrap();
    fill(&log, 20, 300);
    let crashed = Image::take(dir.path());
    let written = all(&log);
    log.close().unwrap();
    let mut image = crashed.clone();
    image.remove("nvme");
    image.put(dir.path());
    is_foreign(&refused(&config), &dir.path().join("nvme"));
    // Put back, it is a copy: its directory was made anew.
    crashed.put(dir.path());
    assert_eq!(reopened(&adopted(dir.path(), Medium::Emulated)), written);
}

#[test]
fn no_log_is_made_where_none_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(&dir.path().join("nothing"), Medium::File);
    config.create = false;
    let error = Log::open(config.clone()).unwrap_err();
    says(&error, &config.dir, &["there is no log here"]);
    says(&View::open(&config).unwrap_err(), &config.dir, &["there is no log here"]);
    assert!(!config.dir.exists());
}

#[test]
fn a_ring_of_other_sizes_is_refused() {
    let written = Written::new(Medium::File);
    written.closed.put(written.dir.path());
    let mut config = written.config();
    config.tail.segments = Some(SEGMENTS as u32 * 2);
    says(&refused(&config), written.dir.path(), &["leave it out"]);
    config = written.config();
    config.tail.segment_bytes = Some(2 * SEGMENT_BYTES as u64);
    config.nvme.segment_bytes = None;
    says(&refused(&config), written.dir.path(), &["leave it out"]);
}
