//! Little-endian writing and bounded reading; a block is `magic u64 | version u32 | crc32c u32 | len u32 | 0 u32 | body`.

use tierlog_tiers::checksum::Crc32c;

use super::{FORMAT_VERSION, Unreadable};
use crate::number::{Epoch, Gsn, Lsn};

/// Bytes before a block's body.
pub(crate) const BLOCK_HEAD_BYTES: usize = 24;

/// Appends little-endian fields.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Takes little-endian fields off the front; `None` when there are not enough bytes.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// A place where a frame may begin or end, far from where sums would overflow.
    pub(crate) fn lsn(&mut self) -> Option<Lsn> {
        self.u64().and_then(Lsn::of)
    }

    /// A number that is counted up, far from where that would overflow.
    pub(crate) fn counter(&mut self) -> Option<u64> {
        self.u64().filter(|counter| *counter < 1 << 62)
    }

    /// A stamp, or none.
    pub(crate) fn stamp(&mut self) -> Option<Gsn> {
        self.u64().map(Gsn).filter(|gsn| *gsn <= Gsn::MAX)
    }

    /// One of two thousand million opens.
    pub(crate) fn epoch(&mut self) -> Option<Epoch> {
        self.u32().filter(|epoch| *epoch < 1 << 31).map(Epoch)
    }

    pub(crate) fn id(&mut self) -> Option<[u8; 16]> {
        self.bytes(16)?.try_into().ok()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// `count` things, never reserving more than the bytes left could hold at `bytes_min` each.
    pub(crate) fn many<T>(
        &mut self,
        count: u32,
        bytes_min: usize,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        if count as usize > self.0.len() / bytes_min {
            return None;
        }
        (0..count).map(|_| one(self)).collect()
    }
}

/// Wraps a body into a block.
pub(crate) fn seal_block(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK_HEAD_BYTES + body.len()];
    block[BLOCK_HEAD_BYTES..].copy_from_slice(body);
    seal_in_place(magic, &mut block);
    block
}

/// As [`seal_block`], for a structure that has a version of its own.
pub(crate) fn seal_block_of(magic: [u8; 8], version: u32, body: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK_HEAD_BYTES + body.len()];
    block[BLOCK_HEAD_BYTES..].copy_from_slice(body);
    seal_as(magic, version, &mut block);
    block
}

/// Completes a block whose body stands already.
pub(crate) fn seal_in_place(magic: [u8; 8], block: &mut [u8]) {
    seal_as(magic, FORMAT_VERSION, block);
}

fn seal_as(magic: [u8; 8], version: u32, block: &mut [u8]) {
    let len = (block.len() - BLOCK_HEAD_BYTES) as u32;
    block[..8].copy_from_slice(&magic);
    block[8..12].copy_from_slice(&version.to_le_bytes());
    block[12..16].fill(0);
    block[16..20].copy_from_slice(&len.to_le_bytes());
    block[20..BLOCK_HEAD_BYTES].fill(0);
    let crc = Crc32c::new().bytes(block).finish();
    block[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// How long a block says it is, by its head; nothing of it is verified yet.
pub(crate) fn block_bytes(head: &[u8]) -> usize {
    let len = head.get(16..20).and_then(|len| len.try_into().ok()).map_or(0, u32::from_le_bytes);
    BLOCK_HEAD_BYTES.saturating_add(len as usize)
}

/// Finds the body of a block at the start of `bytes`.
pub(crate) fn unseal_block(magic: [u8; 8], bytes: &[u8]) -> Result<&[u8], Unreadable> {
    unseal_block_of(magic, FORMAT_VERSION, bytes)
}

/// As [`unseal_block`], for a structure that has a version of its own.
pub(crate) fn unseal_block_of(magic: [u8; 8], known: u32, bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let head: &[u8; BLOCK_HEAD_BYTES] = bytes.first_chunk().ok_or(Unreadable::Damaged)?;
    if head.iter().all(|byte| *byte == 0) {
        return Err(Unreadable::Blank);
    }
    let mut fields = Reader(head);
    let (found, version, crc, len) =
        (fields.bytes(8), fields.u32().unwrap_or(0), fields.u32().unwrap_or(0), fields.u32().unwrap_or(0));
    if found != Some(&magic) {
        return Err(Unreadable::Damaged);
    }
    // No format has it: a crash left the first word, and not yet the second.
    if version == 0 {
        return Err(Unreadable::Damaged);
    }
    if version != known {
        return Err(Unreadable::Version(version));
    }
    let body = bytes[BLOCK_HEAD_BYTES..].get(..len as usize).ok_or(Unreadable::Damaged)?;
    let mut zeroed = *head;
    zeroed[12..16].fill(0);
    if Crc32c::new().bytes(&zeroed).bytes(body).finish() == crc { Ok(body) } else { Err(Unreadable::Damaged) }
}
