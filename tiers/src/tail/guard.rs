//! The table of guarded mappings: what the SIGBUS handler looks into.
//!
//! Owns [`TABLE`]. Invariants:
//! - Entries are written under a mutex, in a version bracket, and read by the handler without any lock: an entry whose
//!   version is odd, or changes while it is read, is being registered or taken away, so it is not the one that faults.
//! - An entry's state outlives the entry, and the entry goes before the range is unmapped. Whoever faults in a range
//!   borrows its mapping, hence finds both.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};
use std::sync::{Arc, Mutex, PoisonError};

use super::sigbus;

/// How many mappings of one process can be guarded at a time.
const MAPPINGS_MAX: usize = 1024;
const NONE: u64 = u64::MAX;

static TABLE: [Entry; MAPPINGS_MAX] = [const { Entry::vacant() }; MAPPINGS_MAX];
static WRITERS: Mutex<()> = Mutex::new(());

struct Entry {
    version: AtomicU32,
    start: AtomicUsize,
    end: AtomicUsize,
    state: AtomicPtr<FaultState>,
}

impl Entry {
    const fn vacant() -> Entry {
        Entry {
            version: AtomicU32::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            state: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Replaces the entry; the caller holds [`WRITERS`].
    fn set(&self, start: usize, end: usize, state: *mut FaultState) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        fence(Release);
        self.start.store(start, Relaxed);
        self.end.store(end, Relaxed);
        self.state.store(state, Relaxed);
        self.version.store(version.wrapping_add(2), Release);
    }

    /// Start of the range and its state, if `address` lies in it.
    fn find(&self, address: usize) -> Option<(usize, *const FaultState)> {
        let version = self.version.load(Acquire);
        let (start, end) = (self.start.load(Relaxed), self.end.load(Relaxed));
        let state = self.state.load(Relaxed);
        fence(Acquire);
        let settled = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        (settled && start <= address && address < end).then_some((start, state.cast_const()))
    }
}

/// What is known of faults in one mapping. Faults stay for its life.
#[derive(Debug)]
pub(crate) struct FaultState {
    first: AtomicU64,
    /// A fault that is not of one page stands.
    whole: AtomicBool,
    /// One bit a page that faulted.
    pages: Box<[AtomicU64]>,
    /// What a fault takes out of the mapping: a page, or the unit of a device-DAX region.
    page_size: usize,
    /// A forked child inherits the table, but none of the mappings.
    process: u32,
}

impl FaultState {
    fn new(len: usize, page_size: usize) -> FaultState {
        let words = len.div_ceil(page_size).div_ceil(64);
        let pages = (0..words).map(|_| AtomicU64::new(0)).collect();
        FaultState {
            first: AtomicU64::new(NONE),
            whole: AtomicBool::new(false),
            pages,
            page_size,
            process: std::process::id(),
        }
    }

    /// Offset of the first fault, if there ever was one.
    #[inline]
    pub(crate) fn first(&self) -> Option<u64> {
        let first = self.first.load(Acquire);
        (first != NONE).then_some(first)
    }

    /// Offset of the first page of the range that faulted.
    pub(crate) fn within(&self, at: usize, len: usize) -> Option<u64> {
        let (from, to) = (at / self.page_size, (at + len).div_ceil(self.page_size));
        let bad = |page: &usize| self.pages[page / 64].load(Acquire) & 1 << (page % 64) != 0;
        (from..to).find(bad).map(|page| (page * self.page_size) as u64)
    }

    /// Offset of a fault that concerns the range: of one of its pages, or of the whole mapping.
    #[cold]
    pub(crate) fn concerning(&self, at: usize, len: usize) -> Option<u64> {
        if self.whole.load(Acquire) { self.first() } else { self.within(at, len) }
    }

    /// Takes down a fault that is not of one page: nothing of this mapping is to be acknowledged again.
    pub(crate) fn latch(&self, at: u64) {
        self.whole.store(true, Release);
        self.note(at);
    }

    fn note(&self, at: u64) {
        let at = at - at % self.page_size as u64;
        // A failure means that an earlier fault stands: the first is what counts.
        let _first_stands = self.first.compare_exchange(NONE, at, Release, Relaxed);
    }

    /// Takes down the page at `offset`. Called in the signal handler: atomics only.
    fn strike(&self, offset: usize) {
        let page = offset / self.page_size;
        if let Some(word) = self.pages.get(page / 64) {
            word.fetch_or(1 << (page % 64), Release);
        }
        self.note(offset as u64);
    }
}

/// Notes a fault at `address`, if it lies in a guarded mapping; what to map anew there, in bytes, a power of two. Called
/// in the signal handler: atomics and getpid only.
pub(super) fn strike(address: usize) -> Option<usize> {
    let found = TABLE.iter().filter_map(|entry| entry.find(address)).find_map(|(start, state)| {
        // SAFETY: in the process that mapped the range, whoever faults there borrows its `Map`, which keeps the state.
        // In a forked child the state is a copy that nobody frees.
        let state = unsafe { &*state };
        (state.process == std::process::id()).then_some((start, state))
    });
    let (start, state) = found?;
    state.strike(address - start);
    Some(state.page_size)
}

/// The registration of one mapping; its fault state, guarded or not.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Arc<FaultState>,
    entry: Option<usize>,
}

impl Watch {
    /// A state that only the owner writes: no handler, a fault kills the process as it always did.
    pub(crate) fn unguarded(len: usize) -> Watch {
        Watch { state: Arc::new(FaultState::new(len, sigbus::page_size())), entry: None }
    }

    /// Guards `start..start + len`, where a mapping lies that outlives this value and of which a fault takes `unit`.
    ///
    /// # Errors
    /// `ENOMEM` if [`MAPPINGS_MAX`] mappings are guarded; whatever `sigaction` says.
    pub(crate) fn guarded(start: usize, len: usize, unit: usize) -> io::Result<Watch> {
        sigbus::install()?;
        let state = Arc::new(FaultState::new(len, unit));
        let _writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        let vacant = TABLE.iter().position(|entry| entry.state.load(Relaxed).is_null());
        let entry = vacant.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        TABLE[entry].set(start, start + len, Arc::as_ptr(&state).cast_mut());
        Ok(Watch { state, entry: Some(entry) })
    }

    pub(crate) fn state(&self) -> &Arc<FaultState> {
        &self.state
    }

    /// Takes the entry out of the table: to be done before the range is unmapped, for the next mapping may lie there.
    pub(crate) fn disarm(&mut self) {
        if let Some(entry) = self.entry.take() {
            let _writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
            TABLE[entry].set(0, 0, std::ptr::null_mut());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.disarm();
    }
}
