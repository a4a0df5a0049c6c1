//! Objects of the archive, and the archive that they make.

use std::sync::Arc;

use tierlog_tiers::checksum::Crc32c;

use super::{Segment, seal_block};
use crate::archive::{Archive, ArchiveReader, Body, Chunk, Object, Run, pack};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::{SegmentHeader, block_bytes};
use crate::host::Host;
use crate::number::{Gsn, Lane, LogId, Lsn};
use crate::restore::check_objects;

/// Frames are read of so many lanes.
const LANES_READ: usize = 8;

/// Makes an object out of `bytes`: a head, and behind it what its inline chunks unpack to. It becomes number `number` of
/// the log `log`; frames get their LSNs and checksums, chunks are packed as they say and get their sizes and checksums.
/// False, and only the head's checksum is right, where the head is none or the chunks are more than there is.
pub fn seal_object(log: [u8; 16], number: u64, bytes: &mut Vec<u8>) -> bool {
    if !seal_block(bytes) {
        return false;
    }
    let Ok(mut object) = Object::decode(bytes) else { return false };
    (object.author.log, object.number) = (LogId(log), number);
    object.claim = object.claim.min(number - 1);
    let head_bytes = block_bytes(bytes);
    let stored = match &mut object.body {
        Body::Claim(_) => Some(Vec::new()),
        Body::Cut(cut) => {
            let runs = cut.runs.clone();
            seal_runs(object.author.log, &runs, &mut bytes[head_bytes..]);
            store(&mut cut.chunks, &bytes[head_bytes..])
        }
    };
    *bytes = object.encode();
    let whole = stored.is_some();
    bytes.extend(stored.unwrap_or_default());
    whole
}

/// As many frames as there are, one run behind the other.
fn seal_runs(log: LogId, runs: &[Run], mut raw: &mut [u8]) {
    for run in runs {
        let Run { lane, epoch, incarnation, first, .. } = *run;
        let header = SegmentHeader { log, lane, epoch, incarnation, sequence: 0, first, gsn_before: Gsn(0) };
        let (segment, mut lsn) = (Segment::of(header), first.0);
        let Some((mut of_run, rest)) = raw.split_at_mut_checked(run.bytes as usize) else { return };
        raw = rest;
        while let Some(extent) = segment.seal_frame(lsn, of_run) {
            let Some(rest) = of_run.get_mut(extent.media_bytes as usize..) else { break };
            (of_run, lsn) = (rest, lsn + extent.lsns);
        }
    }
}

fn store(chunks: &mut [Chunk], mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut stored = Vec::new();
    for chunk in chunks {
        let (own, rest) = raw.split_at_checked(chunk.raw_bytes as usize)?;
        raw = rest;
        let (how, packed) = pack(chunk.compression, own.to_vec()).expect("memory can be packed");
        (chunk.compression, chunk.inline, chunk.stored_bytes) = (how, true, packed.len() as u32);
        chunk.crc = Crc32c::new().bytes(&packed).finish();
        stored.extend(packed);
    }
    Some(stored)
}

/// Checks every object of the archive at `config.archive`, and reads the frames of its lanes. How many frames there were.
///
/// # Errors
/// As a reader has them.
pub fn archive<H: Host>(host: &Arc<H>, config: &Config, log: [u8; 16]) -> Result<u64> {
    let log = LogId(log);
    let none = || Error::Config("no archive".into());
    let archive = Archive::open(host, &config.archive)?.ok_or_else(none)?;
    let checked = check_objects(&archive, log, &mut |_| true);
    let reader = ArchiveReader::open(archive.clone(), log)?.ok_or_else(none)?;
    reader.before(Gsn(5))?;
    let lanes = archive.head(Some(log), 1)?.map_or(0, |first| first.ends.len()).min(LANES_READ);
    let mut frames = 0;
    for lane in (0..lanes as u32).map(Lane) {
        frames += read(&reader, log, lane)?;
    }
    match checked?.harms.into_iter().next() {
        Some(harm) => Err(harm.what),
        None => Ok(frames),
    }
}

fn read(reader: &ArchiveReader, log: LogId, lane: Lane) -> Result<u64> {
    let (mut lsn, mut frames, mut frame) = (reader.oldest(lane), 0, Vec::new());
    while let Some(mut piece) = reader.piece(lane, lsn)? {
        assert!(piece.stands_at(lsn), "{lane} at {lsn}: {piece:?}");
        while piece.stands_at(lsn) {
            frame.clear();
            let header = piece.frame(log, &mut frame)?;
            lsn = Lsn(lsn.0 + header.frame_bytes() as u64);
            frames += 1;
        }
    }
    Ok(frames)
}
