//! From untrusted bytes to a frame: every length bounded before it is used, nothing believed before the checksum.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::header::{HEADER_BYTES, Header};
use super::seal::Seal;
use crate::number::Lsn;

/// Why bytes are not the frame that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// No header of this open at this LSN.
    NoHeader,
    /// The header claims more bytes than there can be.
    TooLong,
    /// The checksum does not match.
    Checksum,
}

/// The header at the start of `bytes` if it claims to be this lane's frame at `lsn`, in at most `room` bytes.
/// The checksum is not looked at.
#[inline]
pub(crate) fn peek(seal: &Seal, lsn: Lsn, bytes: &[u8; HEADER_BYTES], room: u64) -> Result<Header, Bad> {
    let header = Header::decode(bytes).ok_or(Bad::NoHeader)?;
    if header.lsn != lsn || header.epoch != seal.epoch {
        return Err(Bad::NoHeader);
    }
    let aligned = header.kind.covers_body() || header.frame_bytes() == header.len as usize + HEADER_BYTES;
    if !aligned || header.frame_bytes() as u64 > room {
        return Err(Bad::TooLong);
    }
    Ok(header)
}

/// Checks the whole frame; `frame` holds exactly its bytes, or only the header where the body is not covered.
pub(crate) fn verify(seal: &Seal, header: &Header, frame: &[u8]) -> Result<(), Bad> {
    let partial = if header.kind.covers_body() {
        let body = frame.get(HEADER_BYTES..header.frame_bytes()).ok_or(Bad::TooLong)?;
        seal.over_body(header.lsn, header.len, body)
    } else {
        seal.over_header(header.lsn, header.len)
    };
    if partial.matches(header) { Ok(()) } else { Err(Bad::Checksum) }
}

/// The frame at `lsn`, verified where it lies, in memory that others may store to; `None` if there is no whole and valid
/// one. Each word is loaded once: what is returned is what was verified.
#[inline]
pub(crate) fn verify_in_place(seal: &Seal, lsn: Lsn, words: &[AtomicU64]) -> Option<Header> {
    let mut bytes = [0; HEADER_BYTES];
    let head = words.first_chunk::<{ HEADER_BYTES / 8 }>()?;
    for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(head) {
        *bytes = word.load(Relaxed).to_ne_bytes();
    }
    let header = peek(seal, lsn, &bytes, u64::MAX).ok()?;
    let covered = if header.kind.covers_body() { header.frame_bytes() } else { HEADER_BYTES };
    let body = words.get(HEADER_BYTES / 8..covered / 8)?;
    (seal.of_shared(&header, body) == header.crc).then_some(header)
}
