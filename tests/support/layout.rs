//! Where things lie on media (docs/FORMAT.md), written down a second time, from the page and not from the code.

use tierlog_tiers::checksum::Crc32c;

/// Frames and headers start on these.
pub const LINE_BYTES: usize = 64;
/// A slot for an open record, in a superblock and in a tail.
pub const OPEN_RECORD_BYTES: usize = 512 << 10;
/// What an open record says it is; all other structures of the log's own are of [`tierlog::FORMAT_VERSION`].
pub const OPEN_RECORD_VERSION: u32 = 2;
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

/// Offset in a tail of a lane's frame at `lsn`, by the header of the slot that holds it.
pub fn place_of(tail: &[u8], lane: u32, lsn: u64, segment_bytes: usize, segments: usize) -> Option<usize> {
    let ring = RINGS_AT + lane as usize * segments * segment_bytes;
    let slots = (0..segments).map(|slot| ring + slot * segment_bytes).filter(|slot| is_block(&tail[*slot..]));
    let word = |at: usize| u64::from_le_bytes(tail[at..at + 8].try_into().unwrap());
    // Behind the head: log 16, lane u32, epoch u32, incarnation u64, sequence u64, first LSN u64.
    let first = |slot: &usize| word(slot + HEAD_BYTES + 40);
    let holds = |slot: &usize| {
        first(slot) <= lsn && lsn - first(slot) < (segment_bytes - SEGMENT_HEADER_BYTES) as u64
    };
    let slot = slots.filter(holds).max_by_key(first)?;
    Some(slot + SEGMENT_HEADER_BYTES + (lsn - first(&slot)) as usize)
}
