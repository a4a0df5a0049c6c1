//! Forged media: what each forgery leads to.

use std::sync::Arc;

use tierlog::fuzz::Segment;
use tierlog::host::Simulation;
use tierlog::{Durability, Error, Gsn, Log};

use super::edit::Edits;
use super::parts::{Kind, Part, Place};
use super::reopen::read_all;
use super::scene::{Scene, scenes};

const WATERMARK: &[u8] = b"TIERWMK1";
const TRIMMED_AT: usize = 88;
const GSN_AT: usize = 16;

/// A machine with the scene on it, in which some bytes of parts are others, checksums made right.
fn forged(scene: &Scene, changes: &[(usize, usize, u64)]) -> Arc<Simulation> {
    let mut edits = Edits::new(&scene.parts);
    for (number, at, value) in changes {
        edits.set(*number, *at, &value.to_le_bytes());
    }
    let world = scene.world();
    edits.write(&world);
    Simulation::new(&world, 0, 2)
}

fn open(host: &Arc<Simulation>, scene: &Scene) -> Result<Log<Simulation>, Error> {
    Log::open_on(host.clone(), scene.config.clone()).map(|(log, _)| log)
}

/// Stamped frames in such places, and their stamps.
fn stamped(scene: &Scene, place: impl Fn(Place) -> bool) -> Vec<(usize, u64)> {
    let stamp = |part: &Part| {
        let Kind::Frames { header, lsn } = part.kind else { return None };
        Segment::read(&scene.parts[header].bytes)?.frame(lsn, &part.bytes)?;
        let gsn = u64::from_le_bytes(part.bytes.get(GSN_AT..GSN_AT + 8)?.try_into().ok()?);
        (gsn > 0 && place(part.place)).then_some(gsn)
    };
    let parts = scene.parts.iter().enumerate();
    parts.filter_map(|(number, part)| Some((number, stamp(part)?))).collect()
}

#[test]
fn a_watermark_that_is_trimmed_beyond_the_end_is_damage() {
    for scene in scenes() {
        let marks = scene.parts.iter().enumerate().filter(|(_, part)| part.bytes.starts_with(WATERMARK));
        let far: Vec<_> = marks.map(|(number, _)| (number, TRIMMED_AT, 1 << 40)).collect();
        assert!(!far.is_empty());
        let error = open(&forged(scene, &far), scene).expect_err("a forged watermark");
        assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains("trimmed")), "{error}");
    }
}

/// DAX, killed: the newest batches are in the tail alone.
#[test]
fn a_stamp_that_no_clock_gets_to_is_never_followed() {
    let scene = &scenes()[2];
    let (newest, gsn) =
        stamped(scene, |place| place == Place::Tail).into_iter().max_by_key(|(_, gsn)| *gsn).expect("some");
    assert!(open(&forged(scene, &[]), scene).is_ok());
    let stamped_at = |gsn| open(&forged(scene, &[(newest, GSN_AT, gsn)]), scene);
    for wild in [Gsn::MAX.0 + 1, u64::MAX - 1, u64::MAX] {
        let error = stamped_at(wild).expect_err("no clock says that");
        assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains("stamp")), "{error}");
    }
    for far in [gsn + 1, 1 << 61, Gsn::MAX.0 - 10] {
        let log = stamped_at(far).expect("what may be followed is followed");
        let before = read_all(&log).expect("whole");
        let mut writer = log.writer().expect("a lane");
        writer.append(1, b"later").expect("room");
        assert!(writer.commit(Durability::Power).expect("a stamp is left").stamp.gsn > Gsn(far));
        let after = read_all(&log).expect("whole");
        assert!(after.starts_with(&before) && after.len() == before.len() + 1, "{far}");
        drop(writer);
        log.close().expect("no fault is planned");
    }
}

#[test]
fn behind_the_last_stamp_a_log_is_read_and_takes_no_commit() {
    let scene = &scenes()[2];
    let (newest, _) =
        stamped(scene, |place| place == Place::Tail).into_iter().max_by_key(|(_, gsn)| *gsn).expect("some");
    let host = forged(scene, &[(newest, GSN_AT, Gsn::MAX.0)]);
    let log = open(&host, scene).expect("the last one there is");
    let before = read_all(&log).expect("whole");
    let mut writer = log.writer().expect("a lane");
    writer.append(1, b"never").expect("room");
    assert!(matches!(writer.commit(Durability::Power), Err(Error::OutOfStamps)));
    drop(writer);
    drop(log);
    assert_eq!(read_all(&open(&host, scene).expect("once more")).expect("whole"), before);
}

/// Below the watermark, where an open does not look.
#[test]
fn a_stamp_above_all_that_the_log_knew_is_damage_to_who_reads_it() {
    for scene in [&scenes()[0], &scenes()[4]] {
        let on_nvme = stamped(scene, |place| matches!(place, Place::File(_)));
        let (oldest, _) = on_nvme[on_nvme.len() / 2];
        let log = open(&forged(scene, &[(oldest, GSN_AT, 1 << 61)]), scene).expect("nothing looks there");
        let error = read_all(&log).expect_err("in silence it would end here");
        assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains("stamp")), "{error}");
    }
}

/// Inputs that were found, and what they did.
#[test]
fn what_was_found_stays_mended() {
    let followed_a_stamp = [0x15, 0x5d, 0x00, 0x48, 0x3d, 0x19, 0x19, 0x5d, 0x19, 0x19, 0x19];
    let followed_another = [
        0xff, 0xfc, 0x53, 0x53, 0x53, 0x53, 0x53, 0xff, 0xff, 0x00, 0x00, 0x01, 0xa8, 0xad, 0xac, 0xac, 0xac,
        0xac, 0xac, 0x00, 0x01, 0x02,
    ];
    let slots_lost = [0x5b, 0x02, 0x02, 0x5b];
    let restored_from_inside_a_batch = [
        0x21, 0xc7, 0x3b, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52, 0x52,
        0x52, 0x52, 0x05,
    ];
    let object_without_lanes = [0x01, 0x54, 0x54, 0x54, 0x54, 0x56];
    let archived_damaged_given_up = [
        0xa3, 0xa3, 0xa3, 0xa3, 0xa3, 0xa3, 0xff, 0xce, 0x11, 0xce, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0xce,
        0x11,
    ];
    let restored_of_no_epoch = [0x03, 0x07, 0x11, 0x11, 0x11, 0xaa, 0x11];
    let closed_taken_for_open =
        [0x01, 0x54, 0x41, 0x54, 0x01, 0x54, 0x41, 0x54, 0x01, 0xfe, 0xc4, 0x54, 0x01, 0x54];
    let found: [&[u8]; 8] = [
        &followed_a_stamp,
        &followed_another,
        &slots_lost,
        &restored_from_inside_a_batch,
        &object_without_lanes,
        &archived_damaged_given_up,
        &restored_of_no_epoch,
        &closed_taken_for_open,
    ];
    for input in found {
        super::run(input);
    }
}
