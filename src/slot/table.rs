//! The slots of an open log, and the file that they are kept in.
//!
//! Invariants: what a caller is told is durable; the file has two copies, written in turn, so that a torn write leaves the
//! one before; it is made with the first slot.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, Nvme, NvmeFile};
use tierlog_tiers::sync::{Mutex, MutexGuard};

use crate::error::{Error, Refusal, Result};
use crate::format::{FORMAT_VERSION, SlotEntry, SlotTable, Unreadable};
use crate::number::{Gsn, Lane, LogId, Lsn};

#[derive(Debug)]
pub(crate) struct Slots {
    nvme: Arc<dyn Nvme>,
    copy_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<Arc<dyn NvmeFile>>,
    table: SlotTable,
}

/// Why a slot was broken.
const BY_BYTES: u32 = 1;
const BY_TIME: u32 = 2;

impl Slots {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] where both copies are damaged: what they held back is not known.
    pub(crate) fn open(nvme: Arc<dyn Nvme>, dir: &Path, log: LogId, lanes: u32, write: bool) -> Result<Self> {
        let copy_bytes = SlotTable::copy_bytes(lanes);
        let path = dir.join(FileName::Slots.to_string());
        let io = || Error::io(path.display().to_string());
        let mut state = State { file: None, table: SlotTable { log, ..SlotTable::default() } };
        let there = nvme.files().map_err(io())?.contains(&FileName::Slots);
        let file = if there { Some(nvme.open(FileName::Slots, write).map_err(io())?) } else { None };
        match file {
            // Cut short by a crash while it was made: no slot was promised yet.
            Some(short) if short.len() < 2 * copy_bytes as u64 => {
                drop(short);
                if write {
                    nvme.remove(FileName::Slots).map_err(io())?;
                }
            }
            Some(file) => {
                let mut copies = Vec::new();
                for copy in 0..2 {
                    let mut block = Block::zeroed(copy_bytes);
                    file.read(copy * copy_bytes as u64, &mut block).map_err(io())?;
                    copies.push(SlotTable::decode(&block));
                }
                state = State { table: newest(&path, log, lanes, copies)?, file: Some(file) };
            }
            None => {}
        }
        Ok(Slots { nvme, copy_bytes, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what was read: segments go on its word.
    pub(crate) fn flush(&self) -> Result<()> {
        let file = self.state().file.clone();
        file.map_or(Ok(()), |file| file.flush().map_err(Error::io("the file slots")))
    }

    /// All slots, as they are on media.
    pub(crate) fn all(&self) -> Vec<SlotEntry> {
        self.state().table.slots.clone()
    }

    /// Changes the table; durable on return, and unchanged after an error.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Vec<SlotEntry>) -> Result<R>) -> Result<R> {
        let mut state = self.state();
        let mut next = state.table.clone();
        let result = change(&mut next.slots)?;
        if next.slots == state.table.slots {
            return Ok(result);
        }
        next.turn += 1;
        let file = match &state.file {
            Some(file) => file.clone(),
            None => {
                let made = self.nvme.create(FileName::Slots, 2 * self.copy_bytes as u64);
                state.file.insert(made.map_err(Error::io("the file slots"))?).clone()
            }
        };
        let bytes = next.encode();
        let mut block = Block::zeroed(bytes.len().next_multiple_of(BLOCK_BYTES));
        block[..bytes.len()].copy_from_slice(&bytes);
        let at = next.turn % 2 * self.copy_bytes as u64;
        file.write_durable(at, &block).map_err(Error::io("the file slots"))?;
        state.table = next;
        Ok(result)
    }

    /// The slot that holds a lane back furthest, and where.
    pub(crate) fn hold(&self, lane: Lane) -> Option<(Lsn, String)> {
        let state = self.state();
        let whole = state.table.slots.iter().filter(|slot| slot.broken == 0);
        let holds = whole.filter_map(|slot| Some((slot.places.get(lane.0 as usize)?.keep, &slot.name)));
        holds.min().map(|(keep, name)| (keep, name.clone()))
    }

    /// Breaks the slots that are beyond their limits, `ends` being where each lane is; names them.
    pub(crate) fn break_overdue(&self, ends: &[Lsn], now: Gsn) -> Result<Vec<String>> {
        let overdue = |slot: &SlotEntry| slot.broken == 0 && verdict(slot, ends, now) != 0;
        if !self.state().table.slots.iter().any(overdue) {
            return Ok(Vec::new());
        }
        self.change(|slots| {
            let mut broken = Vec::new();
            for slot in slots.iter_mut().filter(|slot| overdue(slot)) {
                slot.broken = verdict(slot, ends, now);
                broken.push(slot.name.clone());
            }
            Ok(broken)
        })
    }
}

fn verdict(slot: &SlotEntry, ends: &[Lsn], now: Gsn) -> u32 {
    let held = held_bytes(slot, ends);
    let still_ms = now.0.saturating_sub(slot.advanced.0) / 1_000_000;
    match () {
        () if slot.bytes_max > 0 && held > slot.bytes_max => BY_BYTES,
        () if slot.ms_max > 0 && held > 0 && still_ms > slot.ms_max => BY_TIME,
        () => 0,
    }
}

/// What a slot holds back, in LSNs.
pub(super) fn held_bytes(slot: &SlotEntry, ends: &[Lsn]) -> u64 {
    slot.places.iter().zip(ends).map(|(place, end)| end.0.saturating_sub(place.keep.0)).sum()
}

/// Why a slot is broken, for its holder.
pub(super) fn why_broken(slot: &SlotEntry) -> Option<String> {
    match slot.broken {
        0 => None,
        BY_TIME => Some(format!("it stood still for more than {} ms while records waited", slot.ms_max)),
        _ => Some(format!("it held back more than {} bytes", slot.bytes_max)),
    }
}

fn newest(
    path: &Path,
    log: LogId,
    lanes: u32,
    copies: Vec<Result<SlotTable, Unreadable>>,
) -> Result<SlotTable> {
    let mut newest = SlotTable { log, ..SlotTable::default() };
    let mut damaged = 0;
    for copy in copies {
        match copy {
            Ok(table) if table.log != log => {
                return Err(Refusal::Foreign { path: path.into(), what: format!("not of log {log}") }.into());
            }
            Ok(table) if table.slots.iter().any(|slot| slot.places.len() != lanes as usize) => damaged += 1,
            Ok(table) if table.turn > newest.turn => newest = table,
            Ok(_) | Err(Unreadable::Blank) => {}
            Err(Unreadable::Damaged) => damaged += 1,
            Err(Unreadable::Version(version)) => {
                return Err(Refusal::Newer { path: path.into(), version, known: FORMAT_VERSION }.into());
            }
        }
    }
    if damaged > 0 && newest.turn == 0 && damaged == 2 {
        let what = "both copies of the slots are damaged: consumers have to make theirs anew".into();
        return Err(Refusal::Foreign { path: path.into(), what }.into());
    }
    Ok(newest)
}
