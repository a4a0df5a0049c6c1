//! The watermark file: how far each lane is on NVMe, two blocks per lane written in turn, so that a torn write leaves the
//! other.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, Nvme, NvmeFile};
use tierlog_tiers::sync::Mutex;

use crate::error::{Error, Refusal, Result};
use crate::format::{FORMAT_VERSION, Unreadable, Watermark};
use crate::number::{Lane, LogId};

#[derive(Debug)]
pub(crate) struct Marks {
    file: Arc<dyn NvmeFile>,
    lanes: Vec<Mutex<Watermark>>,
}

impl Marks {
    /// Makes the file of a new log.
    pub(crate) fn create(nvme: &dyn Nvme, log: LogId, lanes: u32) -> Result<Self> {
        let len = 2 * u64::from(lanes) * BLOCK_BYTES as u64;
        let file = nvme.create(FileName::Watermarks, len).map_err(Error::io("the file watermarks"))?;
        let blank = || Mutex::new(Watermark { log, ..Watermark::default() });
        Ok(Marks { file, lanes: (0..lanes).map(|_| blank()).collect() })
    }

    /// Reads the file; a lane whose blocks are both blank starts from nothing.
    pub(crate) fn open(nvme: &dyn Nvme, dir: &Path, log: LogId, lanes: u32, write: bool) -> Result<Self> {
        let path = dir.join("watermarks");
        let file = nvme.open(FileName::Watermarks, write).map_err(Error::io(path.display().to_string()))?;
        let mut marks = Vec::new();
        for lane in 0..lanes {
            let mut newest = Watermark { log, ..Watermark::default() };
            let mut damaged = 0;
            for slot in 0..2 {
                let mut block = Block::zeroed(BLOCK_BYTES);
                let at = (u64::from(lane) * 2 + slot) * BLOCK_BYTES as u64;
                file.read(at, &mut block).map_err(Error::io(path.display().to_string()))?;
                match Watermark::decode(&block) {
                    Ok(mark) if mark.log == log => {
                        newest = if mark.turn > newest.turn { mark } else { newest }
                    }
                    Ok(_) => return Err(Refusal::Foreign { path, what: format!("not of log {log}") }.into()),
                    Err(Unreadable::Version(version)) => {
                        return Err(Refusal::Newer { path, version, known: FORMAT_VERSION }.into());
                    }
                    Err(Unreadable::Blank) => {}
                    Err(Unreadable::Damaged) => damaged += 1,
                }
            }
            if damaged == 2 {
                let what = "both copies of a watermark are damaged".to_string();
                return Err(Error::Corrupt { lane: Lane(lane), lsn: newest.drained, what });
            }
            marks.push(Mutex::new(newest));
        }
        Ok(Marks { file, lanes: marks })
    }

    /// Makes durable what was read: segments are given back on its word.
    pub(crate) fn flush(&self) -> Result<()> {
        self.file.flush().map_err(Error::io("the file watermarks"))
    }

    pub(crate) fn of(&self, lane: Lane) -> Watermark {
        *self.lanes[lane.0 as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a lane's watermark; durable on return.
    pub(crate) fn set(&self, lane: Lane, change: impl FnOnce(&mut Watermark)) -> Result<Watermark> {
        let mut mark = self.lanes[lane.0 as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = *mark;
        change(&mut next);
        next.turn += 1;
        let mut block = Block::zeroed(BLOCK_BYTES);
        let bytes = next.encode();
        block[..bytes.len()].copy_from_slice(&bytes);
        let at = (u64::from(lane.0) * 2 + next.turn % 2) * BLOCK_BYTES as u64;
        self.file.write_durable(at, &block).map_err(Error::io("the file watermarks"))?;
        *mark = next;
        Ok(next)
    }
}
