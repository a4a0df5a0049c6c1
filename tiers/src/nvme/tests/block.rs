//! Buffers, and the judgement of what a call answered.

use std::io::{Error, ErrorKind};

use crate::nvme::ledger::Ledger;
use crate::nvme::progress::Progress;
use crate::nvme::{BLOCK_BYTES, Block};

#[test]
fn a_block_is_aligned_zeroed_and_writable_to_its_end() {
    for blocks in [1, 2, 3, 256, 257] {
        let mut block = Block::zeroed(blocks * BLOCK_BYTES);
        assert_eq!(block.len(), blocks * BLOCK_BYTES);
        assert!(block.as_ptr().addr().is_multiple_of(BLOCK_BYTES));
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(0xA5);
        assert_eq!(block.iter().filter(|&&byte| byte == 0xA5).count(), blocks * BLOCK_BYTES);
    }
}

#[test]
fn a_block_of_part_blocks_is_refused() {
    for len in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES + 1] {
        assert!(std::panic::catch_unwind(|| Block::zeroed(len)).is_err(), "{len}");
    }
}

#[test]
fn a_queue_reuses_the_smallest_block_that_is_large_enough() {
    let mut ledger = Ledger::new("/nowhere".into());
    let addresses: Vec<usize> = [8, 2, 4]
        .map(|blocks| {
            let block = ledger.block(blocks * BLOCK_BYTES);
            let address = block.as_ptr().addr();
            (address, block)
        })
        .map(|(address, block)| {
            ledger.spare(block);
            address
        })
        .to_vec();
    let three = ledger.block(3 * BLOCK_BYTES);
    assert_eq!((three.as_ptr().addr(), three.len()), (addresses[2], 3 * BLOCK_BYTES));
    ledger.spare(three);
    let four = ledger.block(4 * BLOCK_BYTES);
    assert_eq!((four.as_ptr().addr(), four.len()), (addresses[2], 4 * BLOCK_BYTES), "its length grows back");
    // Of too many, the largest stay.
    for blocks in 1..=20 {
        ledger.spare(Block::zeroed(blocks * BLOCK_BYTES));
    }
    assert_eq!(ledger.block(BLOCK_BYTES).capacity(), 6 * BLOCK_BYTES);
}

#[test]
fn part_blocks_are_done_again_and_a_stall_ends() {
    let mut progress = Progress::writing(3 * BLOCK_BYTES);
    progress.take(Ok(BLOCK_BYTES + 100)).expect("short");
    assert_eq!(progress.done(), BLOCK_BYTES);
    for _ in 0..1000 {
        progress.take(Err(ErrorKind::Interrupted.into())).expect("a signal is no error");
    }
    let refusals = (0..1000).take_while(|_| progress.take(Err(ErrorKind::WouldBlock.into())).is_ok()).count();
    assert_eq!(refusals, 64);
    progress.take(Ok(2 * BLOCK_BYTES)).expect("the rest");
    assert!(progress.is_over());
    let mut stuck = Progress::writing(BLOCK_BYTES);
    let shorts = (0..1000).take_while(|_| stuck.take(Ok(512)).is_ok()).count();
    assert_eq!((shorts, stuck.take(Ok(0)).map_err(|error| error.kind())), (64, Err(ErrorKind::WriteZero)));
    let end = Progress::reading(BLOCK_BYTES).take(Ok(0)).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::UnexpectedEof));
    let fault = Progress::writing(BLOCK_BYTES).take(Err(Error::from_raw_os_error(libc::EIO)));
    assert_eq!(fault.map_err(|error| error.raw_os_error()), Err(Some(libc::EIO)));
}
