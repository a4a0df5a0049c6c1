//! A simulated directory of files.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::event::Event;
use super::fault::{FileFault, FileOperation};
use super::file::SimFile;
use super::live::{Live, Shared};
use super::mutant::Mutant;
use super::queue::SimQueue;
use crate::nvme::{BLOCK_BYTES, DirectoryError, FileName, Nvme, NvmeFile, RunQueue};

const NS_PER_MS: u64 = 1_000_000;

/// A simulated directory of files: [`World::nvme`](super::World::nvme).
#[derive(Clone)]
pub struct SimNvme {
    pub(super) world: Arc<Shared>,
    pub(super) number: u32,
}

/// An answer of the device.
pub(super) fn io_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

pub(super) fn path(nvme: u32) -> PathBuf {
    PathBuf::from(format!("sim/nvme{nvme}"))
}

pub(super) fn named(nvme: u32, name: FileName, doing: &'static str, error: io::Error) -> io::Error {
    // What tells its path already stays as it is.
    if error.get_ref().is_some_and(|known| known.is::<DirectoryError>()) {
        return error;
    }
    DirectoryError::new(&path(nvme).join(name.to_string()), doing, error).into()
}

/// What comes before every operation: late writes land, a device that is gone answers nothing, faults are drawn.
pub(super) fn enter(live: &mut Live, nvme: u32, operation: FileOperation) -> io::Result<Option<FileFault>> {
    live.land_due().map_err(io::Error::other)?;
    let fault = live.plan.file(operation);
    if fault == Some(FileFault::Gone) && !live.model.gone[nvme as usize] {
        live.emit(Event::Gone { nvme, gone: true }).map_err(io::Error::other)?;
    }
    if live.model.gone[nvme as usize] { Err(io::Error::from_raw_os_error(libc::ENODEV)) } else { Ok(fault) }
}

impl SimNvme {
    fn list(&self) -> io::Result<Vec<FileName>> {
        let live = &mut *self.world.lock();
        if enter(live, self.number, FileOperation::List)?.is_some() {
            return Err(io_error());
        }
        if let Some(reads) = &mut live.reads {
            reads.names(&live.model, self.number, None);
        }
        let here = live.model.files.values().filter(|file| file.nvme == self.number && file.is_visible());
        let mut names: Vec<FileName> = here.map(|file| file.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn create_file(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        let live = &mut *self.world.lock();
        if len == 0 || !len.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let fault = enter(live, self.number, FileOperation::Create)?;
        if live.look_up(self.number, name).is_some() {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        if fault == Some(FileFault::Full) || !has_room(live, self.number, len) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let file = live.model.next_file;
        live.emit(Event::FileCreate { nvme: self.number, name, len }).map_err(io::Error::other)?;
        let (done, synced) = (!fails_before(fault), !live.is(Mutant::CreateNotDurable));
        live.emit(Event::FileCreated { file, done, synced }).map_err(io::Error::other)?;
        if !done {
            return Err(io_error());
        }
        if fault == Some(FileFault::ErrorAfter) {
            // What was made is taken away again.
            live.emit(Event::FileRemove { file }).map_err(io::Error::other)?;
            live.emit(Event::FileRemoved { file, synced: true }).map_err(io::Error::other)?;
            return Err(io_error());
        }
        live.locks.insert(file);
        Ok(SimFile::open(self, live, file, true))
    }

    fn open_file(&self, name: FileName, write: bool) -> io::Result<Arc<dyn NvmeFile>> {
        let live = &mut *self.world.lock();
        if enter(live, self.number, FileOperation::Open)?.is_some() {
            return Err(io_error());
        }
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        let file = live.look_up(self.number, name).ok_or_else(missing)?;
        if write && !live.is(Mutant::OpenWithoutLock) {
            self.lock_file(live, file, name)?;
        }
        Ok(SimFile::open(self, live, file, write))
    }

    /// Waits, in stepped time, for late writes; whoever is alive does not let go while this waits.
    fn lock_file(&self, live: &mut Live, file: u32, name: FileName) -> io::Result<()> {
        let wait_ms = live.model.options.nvme[self.number as usize].lock_wait_ms_max;
        let ends_early = live.is(Mutant::LockEndsEarly);
        let late = live.model.late.iter().filter(|late| late.file == file && !ends_early);
        let held_ns =
            late.map(|late| late.due_ns).max().map_or(0, |due| due.saturating_sub(live.model.clock.now_ns));
        let held = live.locks.contains(&file);
        let wait_ns = if held { wait_ms * NS_PER_MS } else { held_ns.min(wait_ms * NS_PER_MS) };
        if wait_ns > 0 {
            live.emit(Event::Step { ns: wait_ns }).map_err(io::Error::other)?;
            live.land_due().map_err(io::Error::other)?;
        }
        if held || held_ns > wait_ns {
            let path = path(self.number).join(name.to_string());
            return Err(DirectoryError::Held { path, waited_ms: wait_ms }.into());
        }
        live.locks.insert(file);
        Ok(())
    }

    fn remove_file(&self, name: FileName) -> io::Result<()> {
        let live = &mut *self.world.lock();
        let fault = enter(live, self.number, FileOperation::Remove)?;
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        let file = live.look_up(self.number, name).ok_or_else(missing)?;
        if fails_before(fault) {
            return Err(io_error());
        }
        live.emit(Event::FileRemove { file }).map_err(io::Error::other)?;
        let synced = fault.is_none() && !live.is(Mutant::RemoveNotDurable);
        live.emit(Event::FileRemoved { file, synced }).map_err(io::Error::other)?;
        if fault.is_some() { Err(io_error()) } else { Ok(()) }
    }
}

fn fails_before(fault: Option<FileFault>) -> bool {
    fault.is_some_and(|fault| fault != FileFault::ErrorAfter)
}

fn has_room(live: &Live, nvme: u32, len: u64) -> bool {
    let Some(quota) = live.quotas[nvme as usize] else { return true };
    let here = live.model.files.values().filter(|file| file.nvme == nvme && file.is_visible());
    here.map(|file| file.len()).sum::<u64>() + len <= quota
}

impl Nvme for SimNvme {
    fn files(&self) -> io::Result<Vec<FileName>> {
        self.list().map_err(|error| DirectoryError::new(&path(self.number), "listing", error).into())
    }

    fn create(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        self.create_file(name, len).map_err(|error| named(self.number, name, "creating", error))
    }

    fn open(&self, name: FileName, write: bool) -> io::Result<Arc<dyn NvmeFile>> {
        self.open_file(name, write).map_err(|error| named(self.number, name, "opening", error))
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        self.remove_file(name).map_err(|error| named(self.number, name, "removing", error))
    }

    fn queue(&self) -> io::Result<Box<dyn RunQueue>> {
        Ok(Box::new(SimQueue::new(self)))
    }

    fn power_safe(&self) -> bool {
        self.world.lock().model.options.nvme[self.number as usize].power_safe
    }

    fn describe(&self) -> String {
        let options = &self.world.lock().model.options.nvme[self.number as usize];
        let cache = if options.volatile_cache { "volatile" } else { "no" };
        format!(
            "SIMULATED {}: sectors of {} B, {cache} write cache",
            path(self.number).display(),
            options.sector_bytes
        )
    }

    fn fingerprint(&self) -> io::Result<u64> {
        Ok(0)
    }
}

impl fmt::Debug for SimNvme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimNvme").field(&path(self.number)).finish()
    }
}
