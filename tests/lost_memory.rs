//! Memory that goes away under a running log: its lanes end with an error, the others go on.

mod support;

use std::fs::File;

use support::layout::RINGS_AT;
use support::records::{SEGMENT_BYTES, SEGMENTS, adopted, drain, small};
use tierlog::{Cut, Durability, Error, Log, Medium};

#[test]
fn a_lane_whose_memory_is_gone_is_poisoned_and_the_other_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(small(dir.path(), Medium::Emulated)).unwrap();
    let mut kept = log.writer().unwrap();
    let mut lost = log.writer().unwrap();
    assert_eq!((kept.lane().0, lost.lane().0), (0, 1));
    for writer in [&mut kept, &mut lost] {
        writer.append(0, b"before").unwrap();
        writer.commit(Durability::Power).unwrap();
    }
    let tail = File::options().write(true).open(dir.path().join("tail")).unwrap();
    tail.set_len(RINGS_AT as u64 + (SEGMENTS * SEGMENT_BYTES) as u64).unwrap();

    lost.append(0, b"into nothing").unwrap();
    let error = lost.commit(Durability::Power).unwrap_err();
    assert!(matches!(error, Error::Poisoned { lane, .. } if lane.0 == 1), "{error}");
    for i in 0..200_u32 {
        kept.append(i, &[7; 500]).unwrap();
        kept.commit(Durability::Power).unwrap();
    }
    assert!(matches!(
        lost.append(0, b"x").and_then(|_| lost.commit(Durability::Power)),
        Err(Error::Poisoned { .. })
    ));
    drop((kept, lost));
    drop(log);

    // What NVMe has is there; the tail is given up by name.
    std::fs::remove_file(dir.path().join("tail")).unwrap();
    let mut config = adopted(dir.path(), Medium::Emulated);
    config.accept_loss = true;
    let (log, _) = Log::open(config).unwrap();
    let (records, error) = drain(log.reader(&Cut::start()));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.iter().filter(|record| record.payload == [7; 500]).count(), 200);
    assert_eq!(records.iter().filter(|record| record.payload == b"into nothing").count(), 0);
}
