//! A file of a simulated directory.
//!
//! Owns, if opened for writing, the file's lock.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::event::{Event, Flushed, Landing};
use super::fault::{FileFault, FileOperation};
use super::live::{Live, Shared};
use super::mutant::Mutant;
use super::nvme::{SimNvme, enter, io_error, named};
use crate::nvme::{BLOCK_BYTES, Block, FileName, NvmeFile, check_range};

pub(super) struct SimFile {
    world: Arc<Shared>,
    nvme: u32,
    file: u32,
    name: FileName,
    len: u64,
    write: bool,
}

impl SimFile {
    pub(super) fn open(nvme: &SimNvme, live: &mut Live, file: u32, write: bool) -> Arc<dyn NvmeFile> {
        let model = &live.model.files[&file];
        let (name, len) = (model.name, model.len());
        let opened =
            Arc::new(SimFile { world: nvme.world.clone(), nvme: nvme.number, file, name, len, write });
        live.handles.insert(Arc::as_ptr(&opened).addr(), file);
        opened
    }

    fn read_block(&self, at: u64, into: &mut Block) -> io::Result<()> {
        check_range(self, at, into.len(), io::ErrorKind::UnexpectedEof)?;
        let live = &mut *self.world.lock();
        let fault = enter(live, self.nvme, FileOperation::Read)?;
        let (file, len) = (self.file, into.len() as u64);
        let model = &live.model.files[&file];
        if let Some(reads) = &mut live.reads {
            reads.file(file, at, len, model.sector_bytes);
        }
        match fault {
            None => model.visible.read(at, into),
            Some(FileFault::Stale) => model.stale.read(at, into),
            Some(FileFault::Rot) => {
                let bit = at * 8 + live.next().wrapping_mul(0x9E37_79B9) % (len * 8);
                live.emit(Event::Rot { file, bit }).map_err(io::Error::other)?;
                live.model.files[&file].visible.read(at, into);
            }
            Some(FileFault::Lost | FileFault::Misdirected(_)) => model.visible.read(at, into),
            Some(_) => return Err(io_error()),
        }
        Ok(())
    }

    fn write_block(&self, at: u64, run: &Block) -> io::Result<()> {
        if !self.write {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        check_range(self, at, run.len(), io::ErrorKind::InvalidInput)?;
        let live = &mut *self.world.lock();
        let begun = begin(live, self.nvme, self.file, at, run)?;
        let device_flushes = live.model.options.nvme[self.nvme as usize].volatile_cache;
        end(live, begun, !device_flushes)?;
        if device_flushes && !live.is(Mutant::WriteNotFlushed) {
            flush(live, self.nvme, self.file)
        } else {
            Ok(())
        }
    }
}

/// A write under way, and how it will end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) write: u64,
    fault: Option<FileFault>,
    len: u64,
}

/// Begins a write.
pub(super) fn begin(live: &mut Live, nvme: u32, file: u32, at: u64, run: &[u8]) -> io::Result<Begun> {
    let fault = enter(live, nvme, FileOperation::Write)?;
    match fault {
        Some(FileFault::Full) => return Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        Some(FileFault::ErrorBefore) => return Err(io_error()),
        _ => {}
    }
    let blocks = match fault {
        Some(FileFault::Misdirected(blocks)) => blocks,
        _ if live.is(Mutant::WriteNextBlock) => 1,
        _ => 0,
    };
    let model = &live.model.files[&file];
    let (len, sector_bytes) = (run.len() as u64, model.sector_bytes);
    let at = (at + blocks * BLOCK_BYTES as u64) % (model.len() - len + BLOCK_BYTES as u64).max(1);
    let bytes: Arc<[u8]> = run.into();
    if let Some(reads) = &mut live.reads {
        reads.file_written(file, at, len, sector_bytes);
    }
    let write = live.emit(Event::Write { file, at, bytes }).map_err(io::Error::other)?;
    Ok(Begun { write, fault, len })
}

/// Ends a write; `durable`: its completion is durability.
pub(super) fn end(live: &mut Live, begun: Begun, durable: bool) -> io::Result<()> {
    let Begun { write, fault, len } = begun;
    let (outcome, fails) = match fault {
        Some(FileFault::Lost) => (Landing::Nothing, false),
        Some(FileFault::Short) => (
            Landing::Part {
                bytes: (len / 2).next_multiple_of(BLOCK_BYTES as u64).min(len - BLOCK_BYTES as u64),
            },
            true,
        ),
        Some(FileFault::ErrorAfter) => (Landing::Part { bytes: len }, true),
        _ => (Landing::Whole { durable }, false),
    };
    live.emit(Event::Written { write, outcome }).map_err(io::Error::other)?;
    if fails { Err(io_error()) } else { Ok(()) }
}

/// Flushes a file.
pub(super) fn flush(live: &mut Live, nvme: u32, file: u32) -> io::Result<()> {
    let fault = enter(live, nvme, FileOperation::Flush)?;
    let outcome = match fault {
        None | Some(FileFault::ErrorAfter) => Flushed::Durable,
        Some(_) => Flushed::Lost,
    };
    live.emit(Event::FileFlush { file, outcome }).map_err(io::Error::other)?;
    if fault.is_none() || live.is(Mutant::FlushErrorSwallowed) {
        return Ok(());
    }
    if live.is(Mutant::FlushRetried) {
        live.emit(Event::FileFlush { file, outcome: Flushed::Durable }).map_err(io::Error::other)?;
        return Ok(());
    }
    Err(io_error())
}

impl NvmeFile for SimFile {
    fn name(&self) -> FileName {
        self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, at: u64, into: &mut Block) -> io::Result<()> {
        self.read_block(at, into).map_err(|error| named(self.nvme, self.name, "a read", error))
    }

    fn write_durable(&self, at: u64, run: &Block) -> io::Result<()> {
        self.write_block(at, run).map_err(|error| named(self.nvme, self.name, "a durable write", error))
    }

    fn flush(&self) -> io::Result<()> {
        let flushed = flush(&mut self.world.lock(), self.nvme, self.file);
        flushed.map_err(|error| named(self.nvme, self.name, "a data sync", error))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut live = self.world.lock();
        live.handles.remove(&std::ptr::from_ref(self).addr());
        if self.write {
            live.locks.remove(&self.file);
        }
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile")
            .field("nvme", &self.nvme)
            .field("name", &self.name)
            .field("write", &self.write)
            .finish()
    }
}
