//! From untrusted bytes to a frame: every length bounded before it is used, nothing believed before the checksum.

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
        let (payload, padding) = body.split_at(header.len as usize);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Bad::Checksum);
        }
        seal.over(header.lsn, payload)
    } else {
        seal.over_header(header.lsn, header.len)
    };
    if partial.matches(header) { Ok(()) } else { Err(Bad::Checksum) }
}
