//! Marks: what they stand for, and that they outlive crashes and go wherever frames go.

mod support;

use support::records::{all, reopened, small};
use tierlog::{Cut, Durability, Error, Log, Medium, View};

fn payloads(log: &Log, from: &Cut) -> Vec<Vec<u8>> {
    let mut reader = log.reader(from).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        found.push(record.payload.to_vec());
    }
    found
}

#[test]
fn a_mark_stands_for_all_that_was_committed_before_it_in_every_lane() {
    for medium in [Medium::Emulated, Medium::File] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = small(dir.path(), medium);
        config.tail.lanes = Some(3);
        let (log, _) = Log::open(config.clone()).unwrap();
        let (mut one, mut two) = (log.writer().unwrap(), log.writer().unwrap());
        for n in 0..50_u8 {
            let writer = if n % 2 == 0 { &mut one } else { &mut two };
            writer.append(0, &[n]).unwrap();
            writer.commit(Durability::Process).unwrap();
        }
        let marked = log.mark("half").unwrap();
        for n in 50..100_u8 {
            let writer = if n % 3 == 0 { &mut one } else { &mut two };
            writer.append(0, &[n]).unwrap();
            writer.commit(Durability::Power).unwrap();
        }
        let marks = log.marks().unwrap();
        assert_eq!(marks.len(), 1);
        assert_eq!((marks[0].name.as_str(), marks[0].gsn), ("half", marked.stamp.gsn));
        let cut = log.seek(marks[0].gsn).unwrap();
        let behind: Vec<Vec<u8>> = (50..100_u8).map(|n| vec![n]).collect();
        assert_eq!(payloads(&log, &cut), behind, "{medium:?}");
        drop((one, two));
        log.close().unwrap();
        let view = View::open(&config).unwrap();
        assert_eq!(view.marks().unwrap(), marks);
        assert_eq!(reopened(&config).len(), 100, "a mark is no record");
    }
}

#[test]
fn a_mark_is_part_of_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writer = log.writer().unwrap();
    writer.append(1, b"kept").unwrap();
    writer.mark("kept").unwrap();
    let commit = writer.commit(Durability::Power).unwrap();
    writer.mark("taken back").unwrap();
    writer.append(1, b"taken back").unwrap();
    writer.abort().unwrap();
    let marks = log.marks().unwrap();
    assert_eq!(marks.iter().map(|mark| mark.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(marks[0].gsn, commit.stamp.gsn);
    let cut = log.seek(marks[0].gsn).unwrap();
    assert_eq!(cut.lane(writer.lane()).unwrap().lsn, commit.at, "its own batch is in");
    assert_eq!(all(&log).len(), 1);
    for name in ["", "two\nlines", &"x".repeat(256)] {
        assert!(matches!(writer.mark(name), Err(Error::Config(_))), "{name:?}");
    }
    writer.mark(&"x".repeat(255)).unwrap();
    writer.commit(Durability::Power).unwrap();
}

#[test]
fn without_a_free_lane_the_log_cannot_mark_and_a_writer_can() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
    assert!(matches!(log.mark("now"), Err(Error::NoLane { .. })));
    writers[0].mark("now").unwrap();
    writers[0].commit(Durability::Power).unwrap();
    assert_eq!(log.marks().unwrap().len(), 1);
}
