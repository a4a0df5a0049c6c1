//! Frames, and a segment of them on NVMe.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, NvmeFile};

use crate::catalogue::Entry;
use crate::format::SegmentHeader;
use crate::frame::{HEADER_BYTES, Header, Kind, decode_deps, encode_deps, peek, verify, verify_in_place};
use crate::number::{LINE_BYTES, Lsn};
use crate::read::SegmentCursor;

/// What a frame takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Of the lane.
    pub lsns: u64,
    /// Of a segment on NVMe.
    pub media_bytes: u64,
}

impl Extent {
    fn of(header: &Header) -> Self {
        let frame_bytes = header.frame_bytes() as u64;
        match header.kind {
            Kind::Pad => Extent { lsns: 0, media_bytes: frame_bytes },
            _ => Extent { lsns: frame_bytes, media_bytes: header.media_bytes() as u64 },
        }
    }
}

/// The segment that a frame belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Segment(SegmentHeader);

impl Segment {
    /// By its header.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        SegmentHeader::decode(bytes).ok().map(Segment)
    }

    pub(super) fn of(header: SegmentHeader) -> Self {
        Segment(header)
    }

    /// The LSN of its first frame.
    pub fn first(&self) -> u64 {
        self.0.first.0
    }

    /// Makes the frame at the start of `bytes` one of this segment at `lsn`, its checksum right, whatever else it says.
    /// `None` where no frame can be made of it.
    pub fn seal_frame(&self, lsn: u64, bytes: &mut [u8]) -> Option<Extent> {
        let seal = self.0.seal();
        let mut header = Header::decode(bytes.first_chunk()?)?;
        (header.lsn, header.epoch) = (Lsn(lsn), seal.epoch);
        let partial = match header.kind.covers_body() {
            true => seal.over_body(header.lsn, header.len, bytes.get(HEADER_BYTES..header.frame_bytes())?),
            false => seal.over_header(header.lsn, header.len),
        };
        header.crc = partial.finish(header.tail_word(), header.gsn);
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        Some(Extent::of(&header))
    }

    /// Reads the frame at the start of `bytes` in each way that there is: all say the same.
    pub fn frame(&self, lsn: u64, bytes: &[u8]) -> Option<Extent> {
        let (seal, lsn) = (self.0.seal(), Lsn(lsn));
        let found = peek(&seal, lsn, bytes.first_chunk()?, u64::MAX).ok();
        let found = found.filter(|header| verify(&seal, header, bytes).is_ok());
        let word = |bytes: &[u8; 8]| AtomicU64::new(u64::from_ne_bytes(*bytes));
        let words: Vec<AtomicU64> = bytes.as_chunks().0.iter().map(word).collect();
        assert_eq!(verify_in_place(&seal, lsn, &words), found);
        let header = found?;
        assert_eq!(header.encode(), bytes[..HEADER_BYTES]);
        if header.kind == Kind::Deps {
            deps(&bytes[HEADER_BYTES..][..header.len as usize]);
        }
        Some(Extent::of(&header))
    }
}

fn deps(payload: &[u8]) {
    if let Some(deps) = decode_deps(payload) {
        let mut again = Vec::new();
        encode_deps(&deps, &mut again);
        assert_eq!(again, payload);
    }
}

/// Reads a segment of NVMe to its end, and looks for evidence behind it. How many frames there were; `None` without a
/// header.
pub fn segment(mut bytes: Vec<u8>) -> Option<usize> {
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    let header = SegmentHeader::decode(&bytes).ok()?;
    let (len, lines) = (bytes.len(), bytes.len() / LINE_BYTES as usize);
    let mut cursor = SegmentCursor::new(Entry { file: 0, header }, Arc::new(Bytes(bytes)));
    let (mut frames, mut frame) = (0, Vec::new());
    loop {
        frame.clear();
        let at = cursor.lsn;
        let Ok(header) = cursor.frame(&mut frame).expect("no read fails") else { break };
        assert_eq!(cursor.lsn.0, at.0 + header.frame_bytes() as u64);
        assert!(frame.len() == header.media_bytes() && frame.len() <= len);
        frames += 1;
        assert!(frames <= lines, "more frames than lines");
    }
    assert!(frame.is_empty(), "no frame, and bytes of it");
    let hole = cursor.lsn;
    let beyond = cursor.evidence_beyond(hole).expect("no read fails");
    assert!(beyond.is_none_or(|found| found > hole));
    Some(frames)
}

/// A file that is not on any medium.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl NvmeFile for Bytes {
    fn name(&self) -> FileName {
        FileName::Segment(0)
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, at: u64, into: &mut Block) -> io::Result<()> {
        let from = self.0.get(at as usize..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_durable(&self, _: u64, _: &Block) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
