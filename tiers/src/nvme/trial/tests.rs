use std::io::ErrorKind;

use super::*;
use crate::nvme::{BLOCK_BYTES, Block};

const LEN: u64 = 1 << 20;
const SYNCS: [TrialSync; 4] = [TrialSync::Nothing, TrialSync::Odsync, TrialSync::Dsync, TrialSync::Datasync];

fn file() -> (tempfile::TempDir, TrialFile) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let file = TrialFile::create(&dir.path().join("trial"), LEN).unwrap();
    (dir, file)
}

fn options(depth: usize, registered: bool) -> QueueOptions {
    QueueOptions { depth, size_bytes: BLOCK_BYTES, registered, polled: false }
}

#[test]
fn every_way_writes_what_is_read_back() {
    let (_dir, file) = file();
    let reader = file.writer(TrialSync::Nothing).unwrap();
    let mut back = Block::zeroed(BLOCK_BYTES);
    for (nth, sync) in SYNCS.into_iter().enumerate() {
        let mut block = Block::zeroed(BLOCK_BYTES);
        block.fill(nth as u8 + 1);
        file.writer(sync).unwrap().write(BLOCK_BYTES as u64, &block).unwrap();
        reader.read(BLOCK_BYTES as u64, &mut back).unwrap();
        assert_eq!(back[..], block[..], "{sync:?}");
        for registered in [false, true] {
            let mut queue = TrialQueue::open(file.writer(sync).unwrap(), options(4, registered)).unwrap();
            for slot in 0..4 {
                queue.block(slot).fill(nth as u8 * 16 + slot as u8);
                queue.write(slot, (slot * BLOCK_BYTES) as u64).unwrap();
            }
            let mut done: Vec<usize> = (0..4).map(|_| queue.finish().unwrap()).collect();
            done.sort_unstable();
            assert_eq!(done, [0, 1, 2, 3]);
            queue.block(0).fill(0);
            queue.read(0, 3 * BLOCK_BYTES as u64).unwrap();
            assert_eq!(queue.finish().unwrap(), 0);
            assert!(queue.block(0).iter().all(|byte| *byte == nth as u8 * 16 + 3), "{sync:?} {registered}");
        }
    }
}

#[test]
fn nothing_is_written_beyond_the_end() {
    let (_dir, file) = file();
    let writer = file.writer(TrialSync::Nothing).unwrap();
    let refused = writer.write(LEN, &Block::zeroed(BLOCK_BYTES)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let mut queue = TrialQueue::open(writer, options(1, false)).unwrap();
    assert_eq!(queue.write(0, LEN).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(queue.write(0, 512).unwrap_err().kind(), ErrorKind::InvalidInput);
    queue.write(0, 0).unwrap();
}

#[test]
fn a_queue_refuses_what_hangs_or_fails() {
    let (_dir, file) = file();
    let polled = QueueOptions { polled: true, ..options(1, false) };
    let refused = TrialQueue::open(file.writer(TrialSync::Datasync).unwrap(), polled).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let none = QueueOptions { depth: 0, ..options(1, false) };
    assert!(TrialQueue::open(file.writer(TrialSync::Nothing).unwrap(), none).is_err());
    // Either answer is right; that there is one, in time, is the test.
    match polls(file.writer(TrialSync::Nothing).unwrap()) {
        Ok(()) => {}
        Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
    }
}
