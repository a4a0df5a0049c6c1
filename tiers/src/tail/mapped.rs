//! A tail over one mapped file, or one device-DAX region.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst, compiler_fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lane::{How, MappedLane};
use super::map::{Access, Map, Populate};
use super::medium::Facts;
use super::options::{ALIGN, MapOptions};
use super::ranges::Ranges;
use super::region::{Region, is_region};
use super::{Fault, MapError, RangeTaken, Tail, TailMedium, TailRead, file};
use crate::persist::{self, Flush, Persist};

/// A tail over one mapped file or region. It holds its lock for its life; that of a region excludes only who opened the
/// same device node, so what is on the region says whose it is.
pub struct Mapped {
    map: Map,
    /// The locked description, the one that is mapped.
    file: File,
    path: String,
    medium: TailMedium,
    how: How,
    crossover: usize,
    ranges: Mutex<Ranges>,
    /// Held from an `msync` until its answer is taken down.
    syncing: Mutex<()>,
}

impl Mapped {
    /// Creates a file of `len` zeros, a multiple of [`ALIGN`], with every block written and every page mapped.
    ///
    /// A device-DAX region is there already, with the length it has: its first `len` bytes are zeroed, whatever they were.
    ///
    /// Cost: one write of the whole file. It is made under another name, with `.unmade` behind it: a crash meanwhile
    /// leaves the file whole or not at all.
    ///
    /// # Errors
    /// [`MapError`]; the file is then removed again, unless it was there before.
    pub fn create(path: impl AsRef<Path>, len: u64, options: &MapOptions) -> Result<Mapped, MapError> {
        let path = path.as_ref();
        let wanted = file::usable(path, len)?;
        if is_region(path) {
            return Mapped::take(path, wanted, options);
        }
        let (unmade, file) = file::Unmade::create(path)?;
        let made = Mapped::create_in(file, path, len, options).and_then(|mapped| {
            unmade.name(path)?;
            Ok(mapped)
        });
        if made.is_err() {
            unmade.abandon();
        }
        made
    }

    fn create_in(file: File, path: &Path, len: u64, options: &MapOptions) -> Result<Mapped, MapError> {
        file::lock(&file, path, options.lock_wait_ms_max)?;
        file::fill(&file, path, len)?;
        file.sync_all().map_err(|e| MapError::new(path, "sync", e))?;
        let mapped = Mapped::over(file, None, path, options)?;
        mapped.map.populate(Populate::Write).map_err(|e| MapError::new(path, "populate", e))?;
        Ok(mapped)
    }

    /// A region made a blank tail of `len` bytes at least.
    fn take(path: &Path, len: usize, options: &MapOptions) -> Result<Mapped, MapError> {
        let mapped = Mapped::open(path, options)?;
        if mapped.map.len() < len {
            return Err(MapError::foreign(path, "the region is smaller than the tail"));
        }
        let zeros = vec![0; ALIGN as usize];
        for at in (0..len as u64).step_by(zeros.len()) {
            let lost = |fault: Fault| MapError::new(path, "write zeros to", io::Error::other(fault));
            mapped.write(at, &zeros).map_err(lost)?;
        }
        Ok(mapped)
    }

    /// Opens an existing file or region with the length it has, a multiple of [`ALIGN`].
    ///
    /// # Errors
    /// [`MapError`].
    pub fn open(path: impl AsRef<Path>, options: &MapOptions) -> Result<Mapped, MapError> {
        let path = path.as_ref();
        let (file, region) = file::open_tail(path, true)?;
        file::lock(&file, path, options.lock_wait_ms_max)?;
        let mapped = Mapped::over(file, region, path, options)?;
        // As if written, only where that makes no page dirty that has to be written back.
        let how = match mapped.medium {
            TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated => Populate::Write,
            TailMedium::Page | TailMedium::File => Populate::Read,
        };
        if let Err(e) = mapped.map.populate(how) {
            // Poison or a hole without room behind it: whoever gets there is told.
            tracing::warn!(path = mapped.path, error = %e, "cannot bring all pages of the tail in");
        }
        Ok(mapped)
    }

    fn over(
        file: File,
        region: Option<Region>,
        path: &Path,
        options: &MapOptions,
    ) -> Result<Mapped, MapError> {
        let (len, (align, unit)) = (file::length(&file, region, path)?, file::units(region));
        let facts = Facts::probe(&file, Path::new(file::SYS)).map_err(|e| MapError::new(path, "probe", e))?;
        let medium = facts.medium(options.ask).map_err(|why| MapError::unfit(path, why))?;
        let how = How::new(medium, options.flush).map_err(|why| MapError::unfit(path, why))?;
        let access =
            if matches!(medium, TailMedium::FsDax { .. }) { Access::WriteSync } else { Access::Write };
        let map = Map::file(&file, len, align, unit, access, options.fault_guard);
        let map = map.map_err(|e| MapError::new(path, "map", e))?;
        let crossover = how.persist().map_or(usize::MAX, persist::crossover);
        let path = path.display().to_string();
        Ok(Mapped {
            map,
            file,
            path,
            medium,
            how,
            crossover,
            ranges: Mutex::default(),
            syncing: Mutex::default(),
        })
    }

    fn ranges(&self) -> MutexGuard<'_, Ranges> {
        // Every change is one call that does not panic half-way: a poisoned table is still right.
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn give_back(&self, at: u64) {
        self.ranges().give_back(at);
    }

    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    #[cold]
    pub(super) fn fault(&self, at: u64) -> Fault {
        Fault { path: self.path.clone(), at }
    }

    /// Persists a range and reports any fault there ever was in it.
    fn persist_range(&self, at: usize, len: usize) -> Result<(), Fault> {
        match self.how {
            How::Lines(persist) => {
                // SAFETY: in bounds by the callers' checks, mapped as long as `self` lives.
                unsafe { persist.write_back(self.map.base().as_ptr().add(at), len) };
                persist.fence();
            }
            // Cold: a superblock is worth an msync on any medium.
            How::Page | How::File => self.sync(at, len),
        }
        // The stores first, then the faults they met.
        compiler_fence(SeqCst);
        self.map.faults().concerning(at, len).map_or(Ok(()), |at| Err(self.fault(at)))
    }

    /// Writes the range's pages to the file. A refusal stands for good: what the page cache says after it is not to be
    /// believed, so nothing is tried again.
    ///
    /// One at a time: the kernel tells an error once a descriptor, perhaps to the `msync` of another range.
    #[cold]
    pub(super) fn sync(&self, at: usize, len: usize) {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.map.faults().first().is_some() {
            return;
        }
        if let Err(e) = self.map.sync(at, len) {
            tracing::error!(path = self.path, at, len, error = %e, "msync failed: the tail is read only from now on");
            self.map.faults().latch(at as u64);
        }
    }
}

impl TailRead for Mapped {
    fn len(&self) -> u64 {
        self.map.len() as u64
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.map.read(at, out).map_err(|at| self.fault(at))
    }

    fn look(&self, at: u64, len: usize, look: &mut dyn FnMut(&[AtomicU64])) -> Result<(), Fault> {
        self.map.look(at, len, look).map_err(|at| self.fault(at))
    }
}

impl Tail for Mapped {
    type Lane = MappedLane;

    fn medium(&self) -> TailMedium {
        self.medium
    }

    fn describe(&self) -> String {
        let path = &self.path;
        let lines = |persist: Persist| {
            let unit = if persist.flush() == Flush::Fence { "" } else { " by cache line" };
            let (flush, stream, crossover) = (persist.flush().name(), persist.stream_name(), self.crossover);
            format!("{flush}{unit}, {stream} streams from {crossover} B")
        };
        match (self.medium, self.how) {
            (TailMedium::FsDax { eadr: true }, How::Lines(p)) => format!("fsdax {path}, eADR: {}", lines(p)),
            (TailMedium::FsDax { eadr: false }, How::Lines(p)) => format!("fsdax {path}, ADR: {}", lines(p)),
            (TailMedium::DevDax { eadr: true }, How::Lines(p)) => {
                format!("devdax {path}, eADR: {}", lines(p))
            }
            (TailMedium::DevDax { eadr: false }, How::Lines(p)) => {
                format!("devdax {path}, ADR: {}", lines(p))
            }
            (_, How::Lines(p)) => format!("EMULATED {path}, ordinary memory: {}", lines(p)),
            (_, How::Page) => format!("page {path}: msync by page of {} B", super::sigbus::page_size()),
            (_, How::File) => format!("file {path}: nothing flushed, survives the process, not the machine"),
        }
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Fault> {
        let start = self.map.offset(at, bytes.len() as u64);
        // Held during the copy: a lane given out meanwhile would have two writers.
        let ranges = self.ranges();
        assert!(!ranges.overlaps(at, at + bytes.len() as u64), "write into a live lane at {at}");
        // SAFETY: in bounds; no lane covers it, and the lock keeps it so and other cold writers out.
        unsafe {
            let to = self.map.base().as_ptr().add(start);
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.persist_range(start, bytes.len())
    }

    fn persist(&self, at: u64, len: u64) -> Result<(), Fault> {
        let start = self.map.offset(at, len);
        self.persist_range(start, len as usize)
    }

    fn lane(self: &Arc<Self>, at: u64, len: u64) -> Result<MappedLane, RangeTaken> {
        self.ranges().take(at, len, self.len())?;
        Ok(MappedLane::new(Arc::clone(self), at as usize, len as usize, self.how, self.crossover))
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mapped { path, medium, how, file, .. } = self;
        let shown = &mut f.debug_struct("Mapped");
        shown.field("path", path).field("medium", medium).field("how", how).field("file", file);
        shown.finish_non_exhaustive()
    }
}
