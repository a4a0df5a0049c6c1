//! Torn ends: what a crash leaves of frames that were not committed, or of a commit under way, in all sorts of ways.
//! Recovered is exactly what was committed; the log goes on from there.

mod support;

use std::ops::Range;

use support::chance::Chance;
use support::image::Image;
use support::layout::{self, LINE_BYTES};
use support::records::{Kept, SEGMENT_BYTES, SEGMENTS, adopted, all, drained, fill, reopened, small, viewed};
use tierlog::{Durability, Lane, Log, Medium};

/// A log of which one lane ends in frames that may have reached the medium or not.
struct Ended {
    /// All of them did.
    image: Image,
    /// What lay there one lap before.
    before: Image,
    /// Their lines, in the tail.
    lines: Vec<usize>,
    /// Offsets of their headers in the tail.
    headers: Vec<usize>,
    committed: Vec<Kept>,
    /// With the last batch, if its stamp is among the lines.
    with_last: Option<Vec<Kept>>,
}

impl Ended {
    /// Ends in one batch of records of these lengths, committed or not.
    fn new(lens: &[usize], commit: bool) -> Ended {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
        // Until the rings were used once, and the tail is full of valid frames of an earlier lap.
        fill(&log, 240, 3000);
        drained(&log);
        let before = Image::take(dir.path());
        fill(&log, 40, 3000);
        drained(&log);
        let nvme = Image::take(dir.path());
        let committed = all(&log);
        let mut writer = log.writer().unwrap();
        let lane = writer.lane();
        let start = end_of(&log, lane);
        let lsns: Vec<u64> = lens.iter().map(|len| writer.append(3, &vec![0xa5; *len]).unwrap().0).collect();
        let with_last = commit.then(|| {
            writer.commit(Durability::Power).unwrap();
            all(&log)
        });
        let end = lsns.last().unwrap()
            + (layout::HEADER_BYTES + lens.last().unwrap()).next_multiple_of(LINE_BYTES) as u64;
        let mut image = Image::take(dir.path());
        image.take_from(&nvme, "nvme");
        image.remove("owner");
        drop(writer);
        log.close().unwrap();
        let tail = image.file("tail").clone();
        let place = |lsn| layout::place_of(&tail, lane.0, lsn, SEGMENT_BYTES, SEGMENTS);
        let mut lines: Vec<usize> = (start..end).step_by(LINE_BYTES).filter_map(place).collect();
        // The header of a slot that was opened on the way.
        let slots = lines
            .clone()
            .into_iter()
            .filter(|line| (line - layout::SEGMENT_HEADER_BYTES).is_multiple_of(SEGMENT_BYTES));
        lines.extend(
            slots
                .flat_map(|line| [line - layout::SEGMENT_HEADER_BYTES, line - LINE_BYTES])
                .collect::<Vec<_>>(),
        );
        let headers = lsns.into_iter().filter_map(place).collect();
        Ended { image, before, lines, headers, committed, with_last }
    }

    /// What has to come back of a tail.
    fn expected(&self, torn: &mut Image) -> &[Kept] {
        let whole = self.image.clone().file("tail") == torn.file("tail");
        self.with_last.as_deref().filter(|_| whole).unwrap_or(&self.committed)
    }

    fn set(&self, torn: &mut Image, line: usize, as_in: &mut Image) {
        let range = line..line + LINE_BYTES;
        torn.file("tail")[range.clone()].copy_from_slice(&as_in.file("tail")[range]);
    }

    /// Each line as it was written, zero, or as it was a lap before.
    fn any(&self, chance: &mut Chance) -> Image {
        let (mut torn, mut before) = (self.image.clone(), self.before.clone());
        for line in &self.lines {
            match chance.below(3) {
                0 => torn.file("tail")[*line..line + LINE_BYTES].fill(0),
                1 => self.set(&mut torn, *line, &mut before),
                _ => {}
            }
        }
        torn
    }

    /// A part of one header, of whole words: what a line keeps when only a prefix of its stores arrived.
    fn half_headers(&self) -> impl Iterator<Item = Image> {
        let words: [Range<usize>; 6] = [0..8, 8..16, 16..24, 24..32, 8..32, 16..32];
        self.headers.iter().flat_map(move |header| {
            words.clone().into_iter().flat_map(move |range| {
                let (mut zero, mut stale) = (self.image.clone(), self.image.clone());
                let range = header + range.start..header + range.end;
                zero.file("tail")[range.clone()].fill(0);
                let before = self.before.clone().file("tail")[range.clone()].to_vec();
                stale.file("tail")[range].copy_from_slice(&before);
                [zero, stale]
            })
        })
    }

    /// A view gives what is expected, twice.
    fn look(&self, dir: &std::path::Path, torn: &mut Image) {
        torn.put(dir);
        for _ in 0..2 {
            let (seen, error) = viewed(&adopted(dir, Medium::Emulated));
            assert!(error.is_none(), "{error:?}");
            self.is(&seen, self.expected(torn));
        }
    }

    fn is(&self, seen: &[Kept], expected: &[Kept]) {
        let (seen_n, expected_n, committed) = (seen.len(), expected.len(), self.committed.len());
        assert!(seen == expected, "{seen_n} records, expected {expected_n}; {committed} were committed");
    }

    /// An open gives it too; it crashes at once and is opened again; goes on, and is closed and opened.
    fn go_on(&self, torn: &mut Image) {
        let dir = torn.copy();
        let config = adopted(dir.path(), Medium::Emulated);
        let (log, recovered) = Log::open(config.clone()).unwrap();
        assert!(!recovered.clean);
        self.is(&all(&log), self.expected(torn));
        let again = Image::take(dir.path()).copy();
        let (second, after) = Log::open(adopted(again.path(), Medium::Emulated)).unwrap();
        self.is(&all(&second), self.expected(torn));
        let ends = |lanes: &[tierlog::LaneRecovered]| lanes.iter().map(|lane| lane.end).collect::<Vec<_>>();
        assert_eq!(ends(&after.lanes), ends(&recovered.lanes), "recovered twice is recovered once");
        for log in [log, second] {
            fill(&log, 30, 3000);
        }
        for dir in [&dir, &again] {
            let config = adopted(dir.path(), Medium::Emulated);
            let more = reopened(&config);
            self.is(&more[..more.len() - 60], self.expected(torn));
            assert_eq!(reopened(&config), more);
        }
    }
}

fn end_of(log: &Log, lane: Lane) -> u64 {
    log.watermarks().iter().find(|marks| marks.lane == lane).map_or(0, |marks| marks.published.0)
}

fn tear(test: &str, lens: &[usize], commit: bool, times: usize) {
    let mut chance = Chance::seeded("torn", test);
    let ended = Ended::new(lens, commit);
    assert!(!ended.lines.is_empty() && !ended.headers.is_empty());
    let dir = ended.image.copy_in_memory();
    ended.look(dir.path(), &mut ended.image.clone());
    ended.go_on(&mut ended.image.clone());
    for (n, mut torn) in ended.half_headers().enumerate() {
        ended.look(dir.path(), &mut torn);
        if n % 23 == 0 {
            ended.go_on(&mut torn);
        }
    }
    for n in 0..times {
        let mut torn = ended.any(&mut chance);
        ended.look(dir.path(), &mut torn);
        if n % (times / 8) == 0 {
            ended.go_on(&mut torn);
        }
    }
}

#[test]
fn a_batch_that_was_never_committed() {
    tear("a_batch_that_was_never_committed", &[200, 0, 31, 500, 33], false, 100);
}

#[test]
fn a_batch_that_was_never_committed_over_two_segments() {
    tear(
        "a_batch_that_was_never_committed_over_two_segments",
        &[16_000, 10, 16_000, 16_000, 16_000, 16_000, 7],
        false,
        60,
    );
}

#[test]
fn a_commit_under_way() {
    tear("a_commit_under_way", &[40, 100, 20], true, 100);
}

#[test]
fn a_commit_of_one_line_under_way() {
    tear("a_commit_of_one_line_under_way", &[5], true, 16);
}

#[test]
fn a_commit_under_way_over_two_segments() {
    let lens = [16_000, 10, 16_000, 16_000, 16_000, 16_000, 7];
    tear("a_commit_under_way_over_two_segments", &lens, true, 60);
}

/// Frames behind the end that are valid, but of an earlier lap, or another place: nothing of them counts.
#[test]
fn a_valid_frame_in_the_wrong_place() {
    let ended = Ended::new(&[20, 20, 20, 20], false);
    let dir = ended.image.copy_in_memory();
    let mut chance = Chance::seeded("torn", "a_valid_frame_in_the_wrong_place");
    for _ in 0..100 {
        let mut torn = ended.image.clone();
        let tail = torn.file("tail");
        for line in &ended.lines {
            let from =
                layout::RINGS_AT + chance.below((tail.len() - layout::RINGS_AT) / LINE_BYTES) * LINE_BYTES;
            tail.copy_within(from..from + LINE_BYTES, *line);
        }
        ended.look(dir.path(), &mut torn);
    }
}
