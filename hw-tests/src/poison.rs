//! Memory errors made on purpose, by a user who may (CAP_SYS_ADMIN): the kernel then treats the page as one that the
//! hardware has given up.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
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

const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_POISON: libc::c_ulong = 0xc020_aa08;
const UFFD_API: u64 = 0xaa;
const FEATURE_POISON: u64 = 1 << 14;
const MODE_MISSING: u64 = 1;

/// A page that looks to this process as if the memory below had failed, as long as this lives; nothing is damaged.
#[derive(Debug)]
pub struct Poisoned {
    _userfaultfd: OwnedFd,
}

impl Poisoned {
    /// The page at `at`, a multiple of 4,096, of a file in memory (tmpfs) that this process has mapped: whoever loads from
    /// it, or stores to it, gets a SIGBUS. What it held is gone from the file.
    ///
    /// # Errors
    /// `NotFound` if it is not mapped; what fallocate and userfaultfd(2) say, EPERM for others than root.
    pub fn page(path: &Path, at: u64) -> io::Result<Poisoned> {
        let file = File::options().write(true).open(path)?;
        let address = mapped_at(path, at)?;
        // It must not be present.
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: an open descriptor and numbers.
        check(unsafe {
            libc::fallocate(file.as_raw_fd(), punch, at as libc::off_t, PAGE_BYTES as libc::off_t)
        })?;
        // SAFETY: flags only; a new descriptor, owned below.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) } as i32;
        check(fd)?;
        // SAFETY: just opened, nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        ioctl(&fd, UFFDIO_API, &mut [UFFD_API, FEATURE_POISON, 0])?;
        ioctl(&fd, UFFDIO_REGISTER, &mut [address, PAGE_BYTES as u64, MODE_MISSING, 0])?;
        ioctl(&fd, UFFDIO_POISON, &mut [address, PAGE_BYTES as u64, 0, 0])?;
        Ok(Poisoned { _userfaultfd: fd })
    }
}

/// Where this process has mapped the byte at `at` of a file.
fn mapped_at(path: &Path, at: u64) -> io::Result<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let address =
        maps.lines().filter(|line| line.ends_with(&format!(" {}", path.display()))).find_map(|line| {
            let mut words = line.split_whitespace();
            let (from, to) = words.next()?.split_once('-')?;
            let (from, to, offset) = (number(from)?, number(to)?, number(words.nth(1)?)?);
            let address = from + at.checked_sub(offset)?;
            (address < to).then_some(address)
        });
    address.ok_or(io::ErrorKind::NotFound.into())
}

fn ioctl<const N: usize>(fd: &OwnedFd, request: libc::c_ulong, argument: &mut [u64; N]) -> io::Result<()> {
    // SAFETY: the argument is as long as each request's structure (linux/userfaultfd.h).
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument.as_mut_ptr()) })
}

fn check(answer: i32) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
