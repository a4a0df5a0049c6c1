use tierlog_tiers::object::Name;

use super::base::Base;
use super::codec::Compression;
use super::object::{ArchivedMark, Author, Body, Chunk, Claim, Contents, Cut, Object, Run};
use crate::format::{EpochRange, Unreadable};
use crate::geometry::Geometry;
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

fn object(body: Body) -> Object {
    let author = Author { log: LogId([0xa1; 16]), epoch: Epoch(2), incarnation: Incarnation(9) };
    let ends = vec![Lsn(64), Lsn(192)];
    Object { author, number: 7, tag: [0xd0; 16], claim: 3, gsn: Gsn(11), ends, body }
}

fn claim() -> Object {
    let geometry =
        Geometry { tails: 1, lanes: 2, segment_bytes: 1 << 20, segments: 4, nvme_segment_bytes: 4 << 20 };
    let (lane, epoch, incarnation) = (Lane(1), Epoch(1), Incarnation(4));
    let range = EpochRange { lane, epoch, incarnation, first: Lsn(0), end: Lsn(128) };
    object(Body::Claim(Claim { geometry, ranges: vec![range] }))
}

fn cut() -> Object {
    let run = |lane, first, end| Run {
        lane: Lane(lane),
        epoch: Epoch(1),
        incarnation: Incarnation(4),
        first: Lsn(first),
        end: Lsn(end),
        gsn: Gsn(5),
        bytes: end - first,
    };
    let chunk = |compression, inline, raw_bytes, lsn| Chunk {
        compression,
        inline,
        crc: 0x0102_0304,
        stored_bytes: 60,
        raw_bytes,
        lsn: Lsn(lsn),
    };
    let chunks = vec![chunk(Compression::Zstd, true, 128, 0), chunk(Compression::Off, false, 64, 128)];
    let mark = ArchivedMark { lane: Lane(1), lsn: Lsn(128), gsn: Gsn(5), name: "m".into() };
    object(Body::Cut(Cut { runs: vec![run(0, 0, 64), run(1, 64, 192)], chunks, marks: vec![mark] }))
}

fn base() -> Base {
    Base { log: LogId([0xa1; 16]), number: 7, starts: vec![Lsn(64), Lsn(192)], swept: 5 }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn golden_bytes() {
    for (bytes, golden) in [
        (claim().encode(), include_str!("golden/claim.hex")),
        (cut().encode(), include_str!("golden/cut.hex")),
        (base().encode(), include_str!("golden/base.hex")),
    ] {
        assert_eq!(hex(&bytes), golden.trim());
    }
}

#[test]
fn what_is_written_is_read_and_another_version_is_refused() {
    for sample in [claim(), cut()] {
        let mut bytes = sample.encode();
        assert_eq!(Object::decode(&bytes), Ok(sample));
        for version in [1, 3] {
            bytes[8] = version;
            assert_eq!(Object::decode(&bytes), Err(Unreadable::Version(version.into())));
        }
    }
    assert_eq!(Base::decode(&base().encode()), Ok(base()));
    let first = unhex(include_str!("golden/base-1.hex"));
    assert_eq!(Base::decode(&first), Ok(Base { swept: 7, ..base() }), "as the first version wrote it");
    let name = cut().data_name(1);
    assert_eq!(Name::Data(name).to_string(), "data/0000000002-0000000000000009/00000000000000000007-000001");
}

/// Counts are bounded by the bytes that are there: never below what is written.
#[test]
fn as_many_of_each_part_as_there_are_come_back() {
    let Body::Cut(one) = cut().body else { unreachable!() };
    let bytes: u64 = one.runs.iter().map(|run| run.bytes).sum();
    for (runs, chunks, marks) in [(500, 1, 0), (2, 500, 0), (2, 1, 500), (0, 0, 0)] {
        let each = |count: u64, whole: u64, i: u64| if i == 0 { whole - (count - 1) * 64 } else { 64 };
        let whole = if runs == 0 { 0 } else { bytes.max(runs * 64).max(chunks * 64) };
        let run = |i| Run { bytes: each(runs, whole, i), ..one.runs[0] };
        let chunk = |i| Chunk { raw_bytes: each(chunks, whole, i) as u32, ..one.chunks[0] };
        let mark = |_| ArchivedMark { name: String::new(), ..one.marks[0].clone() };
        let all = Cut {
            runs: (0..runs).map(run).collect(),
            chunks: (0..chunks).map(chunk).collect(),
            marks: (0..marks).map(mark).collect(),
        };
        let sample = object(Body::Cut(all));
        assert_eq!(Object::decode(&sample.encode()), Ok(sample));
    }
    let Body::Claim(claim) = claim().body else { unreachable!() };
    let range = |epoch| EpochRange { epoch: Epoch(epoch), ..claim.ranges[0] };
    let ranges = (0..500).map(range).collect();
    let sample = object(Body::Claim(Claim { ranges, ..claim }));
    assert_eq!(Object::decode(&sample.encode()), Ok(sample));
}

#[test]
fn every_flipped_byte_and_every_length_is_refused() {
    for bytes in [claim().encode(), cut().encode()] {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x41;
            assert!(Object::decode(&flipped).is_err(), "byte {at} flipped");
            assert!(Object::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn a_claim_with_ranges_that_no_log_has_is_refused() {
    let Body::Claim(good) = claim().body else { unreachable!() };
    let range = good.ranges[0];
    let beyond = EpochRange { lane: Lane(good.geometry.lanes), ..range };
    let backwards = EpochRange { first: Lsn(192), ..range };
    for ranges in [vec![beyond], vec![backwards], vec![range, range]] {
        let bytes = object(Body::Claim(Claim { ranges, ..good.clone() })).encode();
        assert_eq!(Object::decode(&bytes), Err(Unreadable::Damaged));
    }
}

#[test]
fn an_object_whose_parts_are_of_other_lanes_is_refused() {
    for sample in [cut(), claim()] {
        let short = Object { ends: vec![Lsn(64)], ..sample };
        assert_eq!(Object::decode(&short.encode()), Err(Unreadable::Damaged));
    }
}

/// Numbers are counted on from, epochs and stamps too.
#[test]
fn numbers_near_the_end_of_their_range_are_refused() {
    let (cut, author) = (cut(), cut().author);
    let last = Epoch(u32::MAX);
    for object in [
        Object { number: u64::MAX, ..cut.clone() },
        Object { gsn: Gsn(u64::MAX), ..cut.clone() },
        Object { author: Author { epoch: last, ..author }, ..cut },
    ] {
        assert_eq!(Object::decode(&object.encode()), Err(Unreadable::Damaged));
    }
    for number in [1 << 62, u64::MAX - 1, u64::MAX] {
        let base = Base { log: author.log, number, starts: vec![Lsn(64)], swept: 1 };
        assert_eq!(Base::decode(&base.encode()), Err(Unreadable::Damaged));
    }
}

#[test]
fn a_chunk_says_which_runs_it_holds() {
    let Body::Cut(cut) = cut().body else { unreachable!() };
    let parts = |contents: Contents| -> Vec<_> {
        let parts = contents.parts.into_iter();
        parts.map(|(run, part)| (run, part.bytes, part.first.0, part.end.0)).collect()
    };
    let all: Vec<_> = cut.contents().map(parts).collect();
    assert_eq!(all, [vec![(0, 0..64, 0, 64), (1, 64..128, 64, 128)], vec![(1, 0..64, 128, 192)]]);
}
