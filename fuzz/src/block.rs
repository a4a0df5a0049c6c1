//! Open records, watermarks, slots, segment headers, heads of objects, bases.

use tierlog::fuzz::{block, seal_block};

use crate::golden;

const HEAD_BYTES: usize = 24;

/// A block, whose length and checksum are made right.
pub fn run(data: &[u8]) -> bool {
    let mut bytes = data.to_vec();
    let Some(body) = bytes.len().checked_sub(HEAD_BYTES) else { return block(data) };
    bytes[16..20].copy_from_slice(&(body as u32).to_le_bytes());
    assert!(seal_block(&mut bytes));
    block(&bytes)
}

/// The golden bytes, and two slots of two lanes.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = golden::blocks();
    seeds.push(slots());
    seeds
}

fn slots() -> Vec<u8> {
    let mut block = b"TIERSLT1".to_vec();
    let mut put = |bytes: &[u8]| block.extend(bytes);
    [1_u32, 0, 0, 0].iter().for_each(|word| put(&word.to_le_bytes()));
    put(&[0xa1; 16]);
    [7_u64, 2].iter().for_each(|word| put(&word.to_le_bytes()));
    for name in [b"here", b"ther"] {
        put(&[4_u32, 0].map(u32::to_le_bytes).concat());
        put(&[5_u64, 6, 1 << 20, 1_000, 2].map(u64::to_le_bytes).concat());
        put(name);
        put(&[64_u64, 0, 1, 128, 64, 1].map(u64::to_le_bytes).concat());
    }
    block
}
