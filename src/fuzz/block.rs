//! What lies in a block.

use std::fmt::Debug;

use tierlog_tiers::checksum::Crc32c;

use crate::archive::{Base, Body, Object};
use crate::format::{OpenRecord, SegmentHeader, SlotTable, Unreadable, Watermark, block_bytes};

/// Makes the checksum of the block at the start of `bytes` right; false where it says that it is longer than they are.
pub fn seal_block(bytes: &mut [u8]) -> bool {
    let len = block_bytes(bytes);
    let Some(block) = bytes.get_mut(..len) else { return false };
    block[12..16].fill(0);
    let crc = Crc32c::new().bytes(block).finish();
    block[12..16].copy_from_slice(&crc.to_le_bytes());
    true
}

/// Reads a block of any kind. What was read and is written again comes back the same.
pub fn block(bytes: &[u8]) -> bool {
    match bytes.first_chunk() {
        Some(b"TIEROPN1") => open_record(bytes),
        Some(b"TIERSEG1") => again(bytes, SegmentHeader::decode, |header| header.encode().to_vec()),
        Some(b"TIERWMK1") => again(bytes, Watermark::decode, Watermark::encode),
        Some(b"TIERSLT1") => again(bytes, SlotTable::decode, SlotTable::encode),
        Some(b"TIEROBJ1") => object(bytes),
        Some(b"TIERBAS1") => again(bytes, Base::decode, Base::encode),
        _ => false,
    }
}

fn again<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Unreadable>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> bool {
    let Ok(found) = decode(bytes) else { return false };
    assert_eq!(decode(&encode(&found)).as_ref(), Ok(&found));
    true
}

fn open_record(bytes: &[u8]) -> bool {
    let Ok(found) = OpenRecord::decode(bytes) else { return false };
    let Some(block) = found.encode() else { return true };
    assert!(found.has_room_for(0));
    let mut back = OpenRecord::decode(&block).expect("it was written a moment ago");
    let mut sorted = found;
    // The first version has them in any order.
    sorted.ranges.sort_by_key(|range| (range.epoch, range.incarnation, range.lane));
    back.ranges.sort_by_key(|range| (range.epoch, range.incarnation, range.lane));
    assert_eq!(back, sorted);
    true
}

fn object(bytes: &[u8]) -> bool {
    let Ok(found) = Object::decode(bytes) else { return false };
    if let Body::Cut(cut) = &found.body {
        for (contents, chunk) in cut.contents().zip(&cut.chunks) {
            let bytes: usize = contents.parts.iter().map(|(_, part)| part.bytes.len()).sum();
            assert_eq!(bytes, chunk.raw_bytes as usize);
        }
    }
    again(bytes, Object::decode, Object::encode)
}
