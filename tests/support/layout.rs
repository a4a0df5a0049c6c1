//! Where things lie on media (docs/FORMAT.md), written down a second time, from the page and not from the code.

use tierlog_tiers::checksum::Crc32c;

/// Frames and headers start on these.
pub const LINE_BYTES: usize = 64;
/// A slot for an open record, in a superblock and in a tail.
pub const OPEN_RECORD_BYTES: usize = 512 << 10;
/// Where rings begin in a tail.
pub const RINGS_AT: usize = 2 << 20;
/// A segment's header in a tail.
pub const SEGMENT_HEADER_BYTES: usize = 128;
/// A segment's header on NVMe takes a block, and so does each of a lane's two watermarks.
pub const BLOCK_BYTES: usize = 4096;
/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 32;

/// Bytes of the fixed head of a block: `magic u64 | version u32 | crc32c u32 | len u32 | 0 u32`.
const HEAD_BYTES: usize = 24;

/// Whether a block with a magic of ours begins here.
pub fn is_block(bytes: &[u8]) -> bool {
    bytes.starts_with(b"TIER") && bytes.len() >= HEAD_BYTES
}

/// Bytes of the block that begins here.
pub fn block_bytes(bytes: &[u8]) -> usize {
    HEAD_BYTES + u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize
}

/// Makes the block that begins here one of another version, its checksum right.
pub fn set_version(bytes: &mut [u8], version: u32) {
    assert!(is_block(bytes), "no block to patch: {:02x?}", &bytes[..8]);
    let len = block_bytes(bytes);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[12..16].fill(0);
    let crc = Crc32c::new().bytes(&bytes[..len]).finish();
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// Where blocks with a magic of ours begin in a file.
pub fn blocks(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).step_by(LINE_BYTES).filter(|at| is_block(&bytes[*at..])).collect()
}

/// Offset in a tail of `lsn`, while the lane is in the first lap of its first epoch.
pub fn first_lap(lane: u32, lsn: u64, segment_bytes: usize, segments: usize) -> usize {
    let slot_bytes = segment_bytes - SEGMENT_HEADER_BYTES;
    let (slot, in_slot) = (lsn as usize / slot_bytes, lsn as usize % slot_bytes);
    assert!(slot < segments, "beyond the first lap");
    RINGS_AT + lane as usize * segments * segment_bytes + slot * segment_bytes + SEGMENT_HEADER_BYTES + in_slot
}
