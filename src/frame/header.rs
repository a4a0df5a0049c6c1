//! The header's 32 bytes: `len u32 | crc32c u32 | lsn u64 | gsn u64 | kind u8 | flags u8 | epoch u16 | stream u32`.
//!
//! Little-endian. `len` and `crc32c` share the first 8-byte word, which is stored last and atomically.

use crate::number::{Gsn, LINE_BYTES, Lsn};

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 32;
/// The largest `len` that any frame may carry: a filler spans less than a segment, a record at most 16 MiB.
pub(crate) const EXTENT_BYTES_MAX: usize = 1 << 30;

const LSN_AT: usize = 8;
const GSN_AT: usize = 16;
const TAIL_AT: usize = 24;
const _: () = assert!(TAIL_AT + 8 == HEADER_BYTES && HEADER_BYTES * 2 == LINE_BYTES as usize);

/// Opens a batch.
pub(crate) const FIRST: u8 = 1;
/// Closes a batch.
pub(crate) const LAST: u8 = 2;
/// On a FIRST frame: when its header was stored, everything before it in the lane was stable.
pub(crate) const FENCED: u8 = 4;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The user's bytes.
    Record = 1,
    /// The rest of a tail segment: takes LSNs, says nothing, and its body is not covered by the checksum.
    Filler = 2,
    /// Closes a batch and lists what it depends on (perhaps nothing: it then only stamps what came before).
    Deps = 3,
    /// Closes a batch that must not be read.
    Abort = 4,
    /// Reserved: the user's word that earlier records are not needed.
    Checkpoint = 5,
    /// A name for everything that was committed before it.
    Mark = 6,
    /// The rest of a block on NVMe: takes file space, no LSN; its body is not covered by the checksum.
    Pad = 7,
    /// Reserved: drops a lane's suffix.
    Truncate = 8,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        use Kind::*;
        const KINDS: [Kind; 8] = [Record, Filler, Deps, Abort, Checkpoint, Mark, Pad, Truncate];
        KINDS.get(usize::from(byte).wrapping_sub(1)).copied()
    }

    /// Whether the checksum covers the body.
    pub(crate) fn covers_body(self) -> bool {
        !matches!(self, Kind::Filler | Kind::Pad)
    }
}

/// Bytes of a frame with a payload of `len` bytes.
pub(crate) const fn frame_bytes(len: usize) -> usize {
    (HEADER_BYTES + len).next_multiple_of(LINE_BYTES as usize)
}

/// A header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Payload bytes; of a filler or pad, everything behind the header.
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) lsn: Lsn,
    /// The batch's stamp on its LAST frame, else 0.
    pub(crate) gsn: Gsn,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// The low half of the segment's epoch: a cross-check only.
    pub(crate) epoch: u16,
    pub(crate) stream: u32,
}

/// A header as words: the first one, `len | crc32c`, validates the frame.
pub(crate) type HeaderWords = [u64; HEADER_BYTES / 8];

#[inline]
pub(crate) fn header_words(len: u32, crc: u32, lsn: Lsn, gsn: Gsn, tail_word: u64) -> HeaderWords {
    let mut words = [u64::from(len) | u64::from(crc) << 32, 0, 0, 0];
    words[LSN_AT / 8] = lsn.0;
    words[GSN_AT / 8] = gsn.0;
    words[TAIL_AT / 8] = tail_word;
    words
}

/// A header's last word, `kind | flags | epoch | stream`.
#[inline]
pub(crate) fn tail_word(kind: Kind, flags: u8, epoch: u16, stream: u32) -> u64 {
    u64::from(kind as u8) | flag_bits(flags) | u64::from(epoch) << 16 | u64::from(stream) << 32
}

/// Flags where they lie in that word.
#[inline]
pub(crate) const fn flag_bits(flags: u8) -> u64 {
    (flags as u64) << 8
}

impl Header {
    /// Decodes 32 bytes; `None` if they cannot be a header. Says nothing about the checksum.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let len = u32::from_le_bytes(bytes[0..4].try_into().ok()?);
        let kind = Kind::from_byte(bytes[TAIL_AT])?;
        if len as usize > EXTENT_BYTES_MAX || bytes[TAIL_AT + 1] & !(FIRST | LAST | FENCED) != 0 {
            return None;
        }
        Some(Header {
            len,
            crc: u32::from_le_bytes(bytes[4..8].try_into().ok()?),
            lsn: Lsn(u64::from_le_bytes(bytes[LSN_AT..GSN_AT].try_into().ok()?)),
            gsn: Gsn(u64::from_le_bytes(bytes[GSN_AT..TAIL_AT].try_into().ok()?)),
            kind,
            flags: bytes[TAIL_AT + 1],
            epoch: u16::from_le_bytes([bytes[TAIL_AT + 2], bytes[TAIL_AT + 3]]),
            stream: u32::from_le_bytes(bytes[TAIL_AT + 4..].try_into().ok()?),
        })
    }

    /// The word `kind | flags | epoch | stream`.
    pub(crate) fn tail_word(&self) -> u64 {
        tail_word(self.kind, self.flags, self.epoch, self.stream)
    }

    /// The whole header as words.
    pub(crate) fn words(&self) -> HeaderWords {
        header_words(self.len, self.crc, self.lsn, self.gsn, self.tail_word())
    }

    /// The whole header as bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.words()) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        frame_bytes(self.len as usize)
    }

    /// Bytes that it takes on NVMe and in objects: a body that holds nothing is left out.
    pub(crate) fn media_bytes(&self) -> usize {
        match self.kind {
            Kind::Filler => LINE_BYTES as usize,
            Kind::Pad => HEADER_BYTES,
            _ => self.frame_bytes(),
        }
    }

    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
