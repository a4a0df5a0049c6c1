//! The SIGBUS handler: one for the process, installed once, chained to the one before it.
//!
//! A load or store that meets poison, or a file truncated under its mapping, is SIGBUS. In a guarded mapping the
//! handler notes the fault and only then maps an anonymous page there, so that the thread goes on: whoever checks the
//! fault state after an access knows that it went nowhere. Everywhere else the earlier handler is called. A host that
//! installs a handler of its own later has to chain to this one. The scheme is that of systemd's `sigbus.c`.

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use libc::{c_int, c_void, siginfo_t};

use super::guard;

static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE_SIZE: AtomicUsize = AtomicUsize::new(0);

/// Size in bytes of a page of this system.
pub(crate) fn page_size() -> usize {
    if PAGE_SIZE.load(Relaxed) == 0 {
        // SAFETY: sysconf reads a constant.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        PAGE_SIZE.store(usize::try_from(size).expect("every system knows its page size"), Relaxed);
    }
    PAGE_SIZE.load(Relaxed)
}

/// Installs the handler, at the first call.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: std::sync::Mutex<bool> = std::sync::Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    page_size();
    // SAFETY: all zeros is a valid sigaction.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals or null, as sigaction allows.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &mut previous) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Known before the handler can run.
    PREVIOUS.get_or_init(|| previous);
    // SAFETY: as above.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_sigbus;
    ours.sa_sigaction = handler as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `ours` is initialised, and its handler keeps to what a handler may do.
    if unsafe { libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    *installed = true;
    Ok(())
}

/// Async-signal-safe: atomics, mmap, and what the earlier handler does.
extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo (SA_SIGINFO); si_addr is set where si_code says a fault.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    // Not BUS_MCEERR_AO: nobody has accessed that page yet, and who asked for early notice has a handler.
    let fault = code == libc::BUS_ADRERR || code == libc::BUS_MCEERR_AR;
    if fault && guard::strike(address).is_some_and(|size| cover(address, size)) {
        return;
    }
    chain(signal, info, context, code);
}

/// Maps anonymous memory over the `size` bytes that faulted; their state has been noted.
fn cover(address: usize, size: usize) -> bool {
    let page = ptr::without_provenance_mut::<c_void>(address - address % size);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: errno belongs to the thread that was interrupted and is put back; the page lies in a mapping of ours
    // that lives (it is being accessed), so nothing else is replaced.
    unsafe {
        let errno = *libc::__errno_location();
        let mapped = libc::mmap(page, size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        *libc::__errno_location() = errno;
        mapped != libc::MAP_FAILED
    }
}

/// Does what would have been done without us.
fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void, code: c_int) {
    let handler = PREVIOUS.get().map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    let takes_info = PREVIOUS.get().is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0);
    match handler {
        // Sent by a process, and ignored before: ignored now. A fault cannot be ignored.
        libc::SIG_IGN if code <= 0 => {}
        // SAFETY: both are async-signal-safe. The signal is blocked here, so it kills when this returns.
        libc::SIG_DFL | libc::SIG_IGN => unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        },
        // SAFETY: sigaction gave this address as a handler of three arguments.
        handler if takes_info => unsafe {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = std::mem::transmute(handler);
            handler(signal, info, context);
        },
        // SAFETY: sigaction gave this address as a handler of one argument.
        handler => unsafe {
            let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
            handler(signal);
        },
    }
}
