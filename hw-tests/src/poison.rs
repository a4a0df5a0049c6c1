//! Memory errors made on purpose, by a user who may (CAP_SYS_ADMIN): the kernel then treats the page as one that the
//! hardware has given up.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

const PAGE_BYTES: usize = 4096;

/// Poisons the page at `at`, a multiple of 4,096, of a file on DAX: whoever loads from it gets a SIGBUS.
///
/// # Errors
/// What mmap or madvise say: EPERM for others than root, EINVAL for a kernel without memory failure handling.
pub fn poison(path: &Path, at: u64) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice, of a file that this function has open.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE_BYTES,
            protection,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            at as libc::off_t,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page was mapped above; loading a byte brings it in, so that there is something to poison.
    unsafe { page.cast::<u8>().read_volatile() };
    // SAFETY: as above. The page is not touched again.
    let done = unsafe { libc::madvise(page, PAGE_BYTES, libc::MADV_HWPOISON) };
    let answer = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: unmaps what was mapped above, which nobody else knows of.
    unsafe { libc::munmap(page, PAGE_BYTES) };
    answer
}
