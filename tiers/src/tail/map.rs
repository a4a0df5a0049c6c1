//! A range of addresses with memory behind it: the only place that maps and unmaps a file.
//!
//! Owns the range: [`Map`] is its one owner, and what is borrowed from a `Map` does not outlive it.

use std::alloc::{self, Layout};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::{AtomicU64, fence};

use libc::c_int;

use super::copy::copy_out;
use super::guard::{FaultState, Watch};

/// What the pages are mapped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Loads only.
    Read,
    /// Loads and stores.
    Write,
    /// Loads and stores, with `MAP_SYNC`: a store needs no metadata written to be found again.
    WriteSync,
}

impl Access {
    fn protection(self) -> c_int {
        if self == Access::Read { libc::PROT_READ } else { libc::PROT_READ | libc::PROT_WRITE }
    }

    fn flags(self) -> c_int {
        // Plain MAP_SHARED ignores MAP_SYNC without a word.
        if self == Access::WriteSync { libc::MAP_SHARED_VALIDATE | libc::MAP_SYNC } else { libc::MAP_SHARED }
    }
}

/// How pages are brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Populate {
    /// As if read.
    Read,
    /// As if written, contents kept.
    Write,
}

/// Mapped memory, zero-based, shared with whoever else maps the file.
#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    len: usize,
    watch: Watch,
    /// Where the memory came from, if not from a file.
    heap: Option<Layout>,
}

// SAFETY: a `Map` is an address range; it belongs to no thread, and shared access goes through atomics.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `len` bytes of `file` at a multiple of `align`, a power of two, and of a page. A fault takes `unit`
    /// bytes of it, a page at least; `align` is a multiple of it.
    ///
    /// Not inherited by forked children.
    pub(crate) fn file(
        file: &File,
        len: usize,
        align: usize,
        unit: usize,
        access: Access,
        guard: bool,
    ) -> io::Result<Map> {
        let unit = unit.max(super::sigbus::page_size());
        let base = map_aligned(file, len, align, access)?;
        advise(base, len, libc::MADV_DONTFORK).inspect_err(|_| unmap(base, len))?;
        // Huge pages are a wish: kernels without them say EINVAL, and nothing is lost.
        let _wish = advise(base, len, libc::MADV_HUGEPAGE);
        let watch = match guard {
            true => Watch::guarded(base.as_ptr().addr(), len, unit),
            false => Ok(Watch::unguarded(len)),
        };
        let watch = watch.inspect_err(|_| unmap(base, len))?;
        Ok(Map { base, len, watch, heap: None })
    }

    /// Zeroed memory of this process alone, aligned to a pair of cache lines: processors fetch them together.
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn heap(len: usize) -> io::Result<Map> {
        let full = || io::Error::from_raw_os_error(libc::ENOMEM);
        let layout = Layout::from_size_align(len.max(1), 128).map_err(|_| full())?;
        // SAFETY: the layout's size is not 0.
        let base = NonNull::new(unsafe { alloc::alloc_zeroed(layout) }).ok_or_else(full)?;
        Ok(Map { base, len, watch: Watch::unguarded(len), heap: Some(layout) })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn faults(&self) -> &Arc<FaultState> {
        self.watch.state()
    }

    /// The memory as words. Bytes behind the last whole word are left out.
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the range is readable, aligned to a cache line at least, and lives as long as `self`. Others may write to it
        // at any time, which is what atomics are for. Read-only maps: their owners hand out loads only.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast(), self.len / 8) }
    }

    /// Copies out `out.len()` bytes from `at`; the offset of a page there that is gone, if any.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub(crate) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), u64> {
        let at = self.offset(at, out.len() as u64);
        copy_out(self.words(), at, out);
        self.check(at, out.len())
    }

    /// Shows `len` bytes from `at`, both multiples of 8, where they lie; the offset of a page there that is gone, if any.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub(crate) fn look(&self, at: u64, len: usize, look: &mut dyn FnMut(&[AtomicU64])) -> Result<(), u64> {
        let at = self.offset(at, len as u64);
        look(&self.words()[at / 8..(at + len) / 8]);
        self.check(at, len)
    }

    /// The loads first, then the faults that they met.
    fn check(&self, at: usize, len: usize) -> Result<(), u64> {
        fence(Acquire);
        match self.faults().first() {
            None => Ok(()),
            Some(_) => self.faults().within(at, len).map_or(Ok(()), Err),
        }
    }

    /// The start of a range of bytes in this map.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub(crate) fn offset(&self, at: u64, len: u64) -> usize {
        let total = self.len as u64;
        assert!(at <= total && len <= total - at, "bytes {at}+{len} of a tail of {total}");
        at as usize
    }

    /// Brings all pages in, so that no access faults later.
    pub(crate) fn populate(&self, how: Populate) -> io::Result<()> {
        let advice = match how {
            Populate::Read => libc::MADV_POPULATE_READ,
            Populate::Write => libc::MADV_POPULATE_WRITE,
        };
        loop {
            match advise(self.base, self.len, advice) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Kernels before 5.14 do not know it: pages then come in as they are touched.
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return Ok(()),
                done => return done,
            }
        }
    }

    /// Writes the pages of `at..at + len` to the file and waits: `msync(MS_SYNC)`.
    pub(crate) fn sync(&self, at: usize, len: usize) -> io::Result<()> {
        assert!(at <= self.len && len <= self.len - at, "sync of {at}+{len} outside {}", self.len);
        let head = at % super::sigbus::page_size();
        // SAFETY: the range, rounded down to a page, lies in this mapping.
        let done =
            unsafe { libc::msync(self.base.as_ptr().add(at - head).cast(), head + len, libc::MS_SYNC) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // First, or a stranger's mapping at the same address could be taken for this one.
        self.watch.disarm();
        match self.heap {
            None => unmap(self.base, self.len),
            // SAFETY: `base` came from the allocator with this very layout and is freed once, here.
            Some(layout) => unsafe { alloc::dealloc(self.base.as_ptr(), layout) },
        }
    }
}

/// Whether `file` can be mapped with `MAP_SYNC`, tried on its first page.
pub(crate) fn takes_sync(file: &File) -> io::Result<bool> {
    let len = super::sigbus::page_size();
    let access = Access::WriteSync;
    match map_raw(len, access.protection(), access.flags(), file.as_raw_fd()) {
        Ok(base) => {
            unmap(base, len);
            Ok(true)
        }
        Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Reserves room to spare and maps over its aligned part.
fn map_aligned(file: &File, len: usize, align: usize, access: Access) -> io::Result<NonNull<u8>> {
    let page = super::sigbus::page_size();
    let (len, align) = (len.next_multiple_of(page), align.max(page));
    let room = len.checked_add(align).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let reserve = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let room_start = map_raw(room, libc::PROT_NONE, reserve, -1)?;
    let before = room_start.as_ptr().addr().next_multiple_of(align) - room_start.as_ptr().addr();
    // SAFETY: `before` is at most `align`, so both stay within the reservation.
    let (start, end) = unsafe { (room_start.add(before), room_start.add(before + len)) };
    unmap(room_start, before);
    unmap(end, align - before);
    let flags = access.flags() | libc::MAP_FIXED;
    // SAFETY: replaces only what was reserved above and nobody else knows of.
    let base =
        unsafe { libc::mmap(start.as_ptr().cast(), len, access.protection(), flags, file.as_raw_fd(), 0) };
    if base == libc::MAP_FAILED {
        // The reservation stays: whether the kernel took it away first, so that another thread may have mapped there
        // by now, is not told. Addresses are plenty.
        return Err(io::Error::last_os_error());
    }
    Ok(start)
}

fn map_raw(len: usize, protection: c_int, flags: c_int, fd: c_int) -> io::Result<NonNull<u8>> {
    // SAFETY: the kernel chooses the address, so no mapping of anybody is replaced.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Unmaps what this module has mapped and nobody borrows.
fn unmap(base: NonNull<u8>, len: usize) {
    if len == 0 {
        return;
    }
    // SAFETY: callers pass a range that `map_raw` returned and that they alone hold.
    let done = unsafe { libc::munmap(base.as_ptr().cast(), len) };
    debug_assert_eq!(done, 0, "munmap refuses only bad arguments");
}

fn advise(base: NonNull<u8>, len: usize, advice: c_int) -> io::Result<()> {
    // SAFETY: callers pass a mapped range and advice that keeps its contents.
    let done = unsafe { libc::madvise(base.as_ptr().cast(), len, advice) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
