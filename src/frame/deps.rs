//! The body of a deps frame: `count u64`, then `lane u64 | end u64` each, at most one entry per lane.

use super::header::frame_bytes;
use crate::number::{Lane, Lsn};

const HEAD_BYTES: usize = 8;
const ENTRY_BYTES: usize = 16;

/// The batch counts only if `lane` is whole up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dep {
    pub(crate) lane: Lane,
    pub(crate) end: Lsn,
}

/// Bytes of the largest deps frame in a log of `lanes`.
pub(crate) const fn deps_frame_bytes_max(lanes: usize) -> usize {
    frame_bytes(HEAD_BYTES + ENTRY_BYTES * lanes)
}

pub(crate) fn encode_deps(deps: &[Dep], into: &mut Vec<u8>) {
    into.clear();
    into.extend_from_slice(&(deps.len() as u64).to_le_bytes());
    for dep in deps {
        into.extend_from_slice(&u64::from(dep.lane.0).to_le_bytes());
        into.extend_from_slice(&dep.end.0.to_le_bytes());
    }
}

/// `None` if the payload is not a deps body (its checksum was right, so this is a foreign version).
pub(crate) fn decode_deps(payload: &[u8]) -> Option<Vec<Dep>> {
    let (head, body) = payload.split_at_checked(HEAD_BYTES)?;
    let count = u64::from_le_bytes(head.try_into().ok()?);
    if body.len() % ENTRY_BYTES != 0 || (body.len() / ENTRY_BYTES) as u64 != count {
        return None;
    }
    body.chunks_exact(ENTRY_BYTES)
        .map(|entry| {
            let lane = u64::from_le_bytes(entry[..8].try_into().ok()?);
            let end = u64::from_le_bytes(entry[8..].try_into().ok()?);
            Some(Dep { lane: Lane(u32::try_from(lane).ok()?), end: Lsn(end) })
        })
        .collect()
}
