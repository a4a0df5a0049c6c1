//! The rest of a block on NVMe.

use super::{HEADER_BYTES, Header, Kind, Seal};
use crate::number::{Gsn, Lsn};

/// Fills `rest`, whole lines or nothing, with a pad; `behind` is the LSN of the frame behind it.
pub(crate) fn pad(seal: &Seal, behind: Lsn, rest: &mut [u8]) {
    if rest.is_empty() {
        return;
    }
    let mut header = Header {
        len: (rest.len() - HEADER_BYTES) as u32,
        crc: 0,
        lsn: behind,
        gsn: Gsn(0),
        kind: Kind::Pad,
        flags: 0,
        epoch: seal.epoch,
        stream: 0,
    };
    header.crc = seal.over_header(header.lsn, header.len).finish(header.tail_word(), header.gsn);
    rest.fill(0);
    rest[..HEADER_BYTES].copy_from_slice(&header.encode());
}
