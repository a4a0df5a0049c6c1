//! The open record in the superblock slots of every local tier: written one tier after the other, the first durable
//! before the second is touched, tails before NVMe; the newest valid one of any tier counts.

use std::path::Path;
use std::sync::Arc;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, NvmeFile};
use tierlog_tiers::tail::{Fault, Tail, TailRead};

use crate::error::{Error, Refusal, Result};
use crate::format::{
    OPEN_RECORD_BYTES, OPEN_RECORD_VERSION, OpenRecord, Reader, TailRecord, Unreadable, Writer, block_bytes,
    seal_block, unseal_block,
};

/// Bytes of NVMe's superblock file.
pub(crate) const SUPERBLOCK_BYTES: u64 = 2 * OPEN_RECORD_BYTES as u64;
/// Behind a tail's two slots: its own identity.
const TAIL_ID_AT: u64 = SUPERBLOCK_BYTES;
const TAIL_MAGIC: [u8; 8] = *b"TIERTAIL";
const TAIL_ID_BYTES: usize = 64;

/// The superblock of NVMe.
#[derive(Debug)]
pub(crate) struct Superblock {
    pub(crate) file: Arc<dyn NvmeFile>,
}

impl Superblock {
    /// The newest record of the two slots; `None` where none was ever written.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<OpenRecord>> {
        let mut slots = Vec::new();
        for slot in 0..2 {
            let at = slot * OPEN_RECORD_BYTES as u64;
            if at + OPEN_RECORD_BYTES as u64 > self.file.len() {
                return Err(Refusal::Foreign {
                    path: path.into(),
                    what: "too short for a superblock".into(),
                }
                .into());
            }
            let mut block = Block::zeroed(BLOCK_BYTES);
            self.file.read(at, &mut block).map_err(Error::io(path.display().to_string()))?;
            let len = block_bytes(&block).min(OPEN_RECORD_BYTES);
            if len > BLOCK_BYTES {
                block = Block::zeroed(len.next_multiple_of(BLOCK_BYTES));
                self.file.read(at, &mut block).map_err(Error::io(path.display().to_string()))?;
            }
            slots.push(OpenRecord::decode(&block));
        }
        newest(path, slots)
    }

    pub(crate) fn write(&self, record: &OpenRecord) -> Result<()> {
        let bytes = encode(record)?;
        let mut block = Block::zeroed(bytes.len().next_multiple_of(BLOCK_BYTES));
        block[..bytes.len()].copy_from_slice(&bytes);
        let at = record.turn % 2 * OPEN_RECORD_BYTES as u64;
        self.file.write_durable(at, &block).map_err(Error::io("the superblock"))
    }
}

fn encode(record: &OpenRecord) -> Result<Vec<u8>> {
    let full = || Error::Config("the open record is full: checkpoint, so that old segments go".into());
    record.encode().ok_or_else(full)
}

/// The newest valid record among slots. Two damaged ones are not a log that may be made anew.
pub(crate) fn newest(path: &Path, slots: Vec<Result<OpenRecord, Unreadable>>) -> Result<Option<OpenRecord>> {
    let mut newest: Option<OpenRecord> = None;
    let mut damaged = 0;
    for slot in slots {
        match slot {
            Ok(record) if newest.as_ref().is_none_or(|newest| newest.turn < record.turn) => {
                newest = Some(record)
            }
            Ok(_) | Err(Unreadable::Blank) => {}
            Err(Unreadable::Damaged) => damaged += 1,
            Err(Unreadable::Version(version)) => {
                return Err(Refusal::Newer { path: path.into(), version, known: OPEN_RECORD_VERSION }.into());
            }
        }
    }
    if newest.is_none() && damaged > 0 {
        let what = "no valid open record: not a log of tierlog, or both copies are damaged".into();
        return Err(Refusal::Foreign { path: path.into(), what }.into());
    }
    Ok(newest)
}

/// The newest record in a tail, and whether one of its slots is damaged: the newest may be gone then.
pub(crate) fn read_tail(path: &Path, tail: &dyn TailRead) -> Result<(Option<OpenRecord>, bool)> {
    let mut slots = Vec::new();
    for slot in 0..2 {
        let at = slot * OPEN_RECORD_BYTES as u64;
        let mut bytes = vec![0; BLOCK_BYTES];
        tail.read(at, &mut bytes).map_err(|fault| memory(&fault))?;
        let len = block_bytes(&bytes).min(OPEN_RECORD_BYTES);
        if len > bytes.len() {
            bytes.resize(len, 0);
            tail.read(at, &mut bytes).map_err(|fault| memory(&fault))?;
        }
        slots.push(OpenRecord::decode(&bytes));
    }
    let damaged = slots.contains(&Err(Unreadable::Damaged));
    // The tail's identity is kept apart from its slots.
    slots.retain(|slot| *slot != Err(Unreadable::Damaged));
    Ok((newest(path, slots)?, damaged))
}

/// Whether a file is something else than this log's tail, or one that was never finished: it is never replaced. Where memory
/// fails below its identity or its slots, the other tells.
pub(crate) fn is_foreign_tail(path: &Path, tail: &dyn TailRead, known: Option<&TailRecord>) -> Result<bool> {
    let of_known = |id: &[u8; 16]| known.is_some_and(|known| *id == known.id);
    match (read_tail(path, tail), read_tail_id(tail)) {
        (Err(Error::Io { .. }), Ok(Some(id))) if of_known(&id) => Ok(false),
        (Ok((Some(record), _)), Err(_)) => Ok(!record.tails.iter().any(|tail| of_known(&tail.id))),
        (slots, id) => {
            let ((record, damaged), id) = (slots?, id?);
            Ok(!id.is_some_and(|id| of_known(&id)) && (record.is_some() || damaged))
        }
    }
}

pub(crate) fn foreign_tail(path: &Path) -> Error {
    Refusal::Foreign { path: path.into(), what: "another log's tail, or not a tail".into() }.into()
}

/// Whether a tail that is gone held nothing that was promised: an ordinary one, in memory perhaps, and the machine was
/// started anew since. What it alone had was to survive the process.
pub(crate) fn owed_nothing(record: &OpenRecord, tail: usize, boot: [u8; 16]) -> bool {
    const FILE: u32 = 3;
    record.boot != boot && record.tails.get(tail).is_some_and(|known| known.medium == FILE)
}

/// Why a tail is not the one that this log wrote last, at `turn` or later.
pub(crate) fn tail_trouble(
    path: &Path,
    tail: &dyn TailRead,
    id: [u8; 16],
    turn: u64,
) -> Result<Option<&'static str>> {
    let (record, damaged) = read_tail(path, tail)?;
    if read_tail_id(tail)? != Some(id) {
        return Ok(Some("of another log, or not a tail"));
    }
    let older = !damaged && record.is_none_or(|record| record.turn < turn);
    Ok(older.then_some("older than the NVMe tier: an earlier copy of it"))
}

pub(crate) fn write_tail<T: Tail>(tail: &T, record: &OpenRecord) -> Result<()> {
    let at = record.turn % 2 * OPEN_RECORD_BYTES as u64;
    tail.write(at, &encode(record)?).map_err(|fault| memory(&fault))
}

/// A tail's own identity; `None` if it has none yet.
pub(crate) fn read_tail_id(tail: &dyn TailRead) -> Result<Option<[u8; 16]>> {
    let mut bytes = [0; TAIL_ID_BYTES];
    tail.read(TAIL_ID_AT, &mut bytes).map_err(|fault| memory(&fault))?;
    Ok(unseal_block(TAIL_MAGIC, &bytes).ok().and_then(|body| Reader(body).id()))
}

pub(crate) fn write_tail_id<T: Tail>(tail: &T, id: [u8; 16]) -> Result<()> {
    let mut body = Writer::default();
    body.bytes(&id);
    tail.write(TAIL_ID_AT, &seal_block(TAIL_MAGIC, &body.0)).map_err(|fault| memory(&fault))
}

fn memory(fault: &Fault) -> Error {
    Error::io(fault.path.clone())(std::io::Error::other(fault.to_string()))
}
