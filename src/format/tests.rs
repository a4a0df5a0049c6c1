use tierlog_tiers::tail::Shutdowns;

use super::*;
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

fn header() -> SegmentHeader {
    SegmentHeader {
        log: LogId([0xa1; 16]),
        lane: Lane(2),
        epoch: Epoch(3),
        incarnation: Incarnation(0x1122_3344_5566_7788),
        sequence: 4,
        first: Lsn(0x4000),
        gsn_before: Gsn(9),
    }
}

fn mark() -> Watermark {
    Watermark {
        log: LogId([0xa1; 16]),
        epoch: Epoch(3),
        incarnation: Incarnation(5),
        turn: 6,
        drained: Lsn(640),
        gsn: Gsn(7),
        checkpoint: Lsn(128),
        trimmed: Lsn(64),
    }
}

fn record() -> OpenRecord {
    let (lane, epoch, incarnation) = (Lane(1), Epoch(2), Incarnation(8));
    let shutdowns = Some(Shutdowns { dimms: 13, count: 14 });
    OpenRecord {
        log: LogId([0xa1; 16]),
        epoch: Epoch(3),
        incarnation: Incarnation(5),
        turn: 6,
        boot: [0xb0; 16],
        fingerprint: 10,
        closed: true,
        voids: false,
        superseded: false,
        lanes: 2,
        tail_segment_bytes: 1 << 16,
        tail_segments: 4,
        nvme_segment_bytes: 1 << 18,
        gsn: Gsn(11),
        claim: 12,
        opens: vec![(Epoch(2), Incarnation(8))],
        archive: "file:///a".into(),
        tails: vec![TailRecord { id: [0xc0; 16], medium: 4, granularity_bytes: 64, shutdowns }],
        starts: vec![Lsn(64), Lsn(128)],
        ranges: vec![EpochRange { lane, epoch, incarnation, first: Lsn(0), end: Lsn(128) }],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every structure with its golden bytes.
fn samples() -> [(Vec<u8>, &'static str); 3] {
    [
        (header().encode().to_vec(), include_str!("golden/segment_header.hex")),
        (mark().encode(), include_str!("golden/watermark.hex")),
        (record().encode().unwrap(), include_str!("golden/open_record.hex")),
    ]
}

fn decodes(which: usize, bytes: &[u8]) -> Result<(), Unreadable> {
    match which {
        0 => SegmentHeader::decode(bytes).map(|found| assert_eq!(found, header())),
        1 => Watermark::decode(bytes).map(|found| assert_eq!(found, mark())),
        _ => OpenRecord::decode(bytes).map(|found| assert_eq!(found, record())),
    }
}

#[test]
fn golden_bytes() {
    for (which, (bytes, golden)) in samples().iter().enumerate() {
        assert_eq!(hex(bytes), golden.trim(), "structure {which}");
        assert_eq!(decodes(which, bytes), Ok(()));
    }
}

fn unhex(golden: &str) -> Vec<u8> {
    let golden = golden.trim();
    (0..golden.len() / 2).map(|i| u8::from_str_radix(&golden[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// Version 1, ranges one by one: as the first programs wrote it, without granularity and counts of unsafe shutdowns; and
/// with them.
#[test]
fn open_records_of_version_1_are_read() {
    let mut first = record();
    (first.tails[0].granularity_bytes, first.tails[0].shutdowns) = (0, None);
    let golden = include_str!("golden/open_record_first.hex");
    assert_eq!(OpenRecord::decode(&unhex(golden)), Ok(first));
    let golden = include_str!("golden/open_record_unpacked.hex");
    assert_eq!(OpenRecord::decode(&unhex(golden)), Ok(record()));
}

/// They would be written anew, packed, by the next open.
#[test]
fn ranges_of_version_1_that_no_log_has_are_refused() {
    let golden = unhex(include_str!("golden/open_record_first.hex"));
    let body = &golden[24..];
    // The last thing in it: lane, epoch, incarnation, first, end.
    let range_at = body.len() - 32;
    let sealed = |lane: u32, first: u64| {
        let mut body = body.to_vec();
        body[range_at..range_at + 4].copy_from_slice(&lane.to_le_bytes());
        body[range_at + 16..range_at + 24].copy_from_slice(&first.to_le_bytes());
        OpenRecord::decode(&seal_block_of(*b"TIEROPN1", 1, &body))
    };
    assert!(sealed(1, 64).is_ok());
    assert_eq!(sealed(2, 64), Err(Unreadable::Damaged), "no such lane");
    assert_eq!(sealed(1, 192), Err(Unreadable::Damaged), "ends before it begins");
    let mut twice = [body, &body[range_at..]].concat();
    twice[112..116].copy_from_slice(&2_u32.to_le_bytes());
    assert_eq!(OpenRecord::decode(&seal_block_of(*b"TIEROPN1", 1, &twice)), Err(Unreadable::Damaged));
}

#[test]
fn a_blank_a_flipped_and_a_cut_one_are_refused() {
    for (which, (bytes, _)) in samples().iter().enumerate() {
        assert_eq!(decodes(which, &vec![0; bytes.len()]), Err(Unreadable::Blank));
        let covered = 24 + u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
        for at in 0..covered {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(decodes(which, &flipped).is_err(), "structure {which}: byte {at}");
            assert!(decodes(which, &bytes[..at]).is_err(), "structure {which}: cut at {at}");
        }
    }
}

/// The next write would count on from them.
#[test]
fn counters_about_to_overflow_are_refused() {
    let mark = Watermark { turn: u64::MAX, ..mark() };
    assert_eq!(Watermark::decode(&mark.encode()), Err(Unreadable::Damaged));
    let slots = SlotTable { turn: u64::MAX, ..SlotTable::default() };
    assert_eq!(SlotTable::decode(&slots.encode()), Err(Unreadable::Damaged));
    let header = SegmentHeader { sequence: u64::MAX, ..header() };
    assert_eq!(SegmentHeader::decode(&header.encode()), Err(Unreadable::Damaged));
    for last in [OpenRecord { turn: u64::MAX, ..record() }, OpenRecord { epoch: Epoch(u32::MAX), ..record() }]
    {
        assert_eq!(OpenRecord::decode(&last.encode().unwrap()), Err(Unreadable::Damaged));
    }
}

/// It would be noted again when it has ended.
#[test]
fn a_range_of_an_epoch_that_has_not_ended_is_refused() {
    let (record, read) =
        (record(), |record: &OpenRecord| OpenRecord::decode(&record.encode().unwrap()).map(drop));
    let newest = record.ranges.iter().map(|range| range.epoch).max().unwrap();
    for (closed, epoch, expected) in [
        (true, newest.0, Ok(())),
        (false, newest.0 + 1, Ok(())),
        (false, newest.0, Err(Unreadable::Damaged)),
        (true, newest.0 - 1, Err(Unreadable::Damaged)),
    ] {
        assert_eq!(read(&OpenRecord { closed, epoch: Epoch(epoch), ..record.clone() }), expected);
    }
}

/// What is stamped next has to be higher.
#[test]
fn stamps_that_no_clock_gets_to_are_refused() {
    for (gsn, read) in [(Gsn::MAX, Ok(())), (Gsn(Gsn::MAX.0 + 1), Err(Unreadable::Damaged))] {
        assert_eq!(Watermark::decode(&Watermark { gsn, ..mark() }.encode()).map(drop), read);
        let header = SegmentHeader { gsn_before: gsn, ..header() };
        assert_eq!(SegmentHeader::decode(&header.encode()).map(drop), read);
        let record = OpenRecord { gsn, ..record() };
        assert_eq!(OpenRecord::decode(&record.encode().unwrap()).map(drop), read);
    }
}

#[test]
fn another_version_is_named() {
    for (which, (bytes, _)) in samples().iter().enumerate() {
        let mut newer = bytes.clone();
        newer[8] = 3;
        assert_eq!(decodes(which, &newer), Err(Unreadable::Version(3)));
    }
}

#[test]
fn one_torn_behind_any_word_is_damaged_and_of_no_version() {
    for (which, (bytes, _)) in samples().iter().enumerate() {
        for words in 1..bytes.len() / 8 {
            let mut torn = vec![0; bytes.len()];
            torn[..8 * words].copy_from_slice(&bytes[..8 * words]);
            let whole = torn == *bytes;
            let expected = if whole { Ok(()) } else { Err(Unreadable::Damaged) };
            assert_eq!(decodes(which, &torn), expected, "structure {which}: {words} words");
        }
    }
}
