//! The rest of a block on NVMe.

use super::{HEADER_BYTES, Header, Kind, Seal};
use crate::number::{Gsn, Lsn};

/// The header of a pad of `bytes`, whole lines; its body is zeros. `behind` is the LSN of the frame behind it.
pub(crate) fn pad_header(seal: &Seal, behind: Lsn, bytes: usize) -> [u8; HEADER_BYTES] {
    let mut header = Header {
        len: (bytes - HEADER_BYTES) as u32,
        crc: 0,
        lsn: behind,
        gsn: Gsn(0),
        kind: Kind::Pad,
        flags: 0,
        epoch: seal.epoch,
        stream: 0,
    };
    header.crc = seal.over_header(header.lsn, header.len).finish(header.tail_word(), header.gsn);
    header.encode()
}
