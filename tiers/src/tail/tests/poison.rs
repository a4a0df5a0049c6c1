//! Poisoned memory, by userfaultfd: the kernel answers a load of such a page with the SIGBUS of a media error.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::*;
use crate::tail::{Tail, TailLane, TailRead};

const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_POISON: libc::c_ulong = 0xc020_aa08;
const UFFD_API: u64 = 0xaa;
const FEATURE_POISON: u64 = 1 << 14;
const MODE_MISSING: u64 = 1;

/// Makes one page of the tail's mapping poison. It must not be present: its block is punched out first.
fn poison(tail: &Mapped, path: &std::path::Path, page: u64) -> io::Result<OwnedFd> {
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: an open descriptor and numbers.
    check(unsafe { libc::fallocate(file.as_raw_fd(), punch, (page * 4096) as i64, 4096) })?;
    // SAFETY: flags only; a new descriptor, owned below.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) } as i32;
    check(fd)?;
    // SAFETY: just opened, nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let start = tail.map().base().as_ptr().addr() as u64 + page * 4096;
    ioctl(&fd, UFFDIO_API, &mut [UFFD_API, FEATURE_POISON, 0])?;
    ioctl(&fd, UFFDIO_REGISTER, &mut [start, 4096, MODE_MISSING, 0])?;
    ioctl(&fd, UFFDIO_POISON, &mut [start, 4096, 0, 0])?;
    Ok(fd)
}

fn ioctl<const N: usize>(fd: &OwnedFd, request: libc::c_ulong, argument: &mut [u64; N]) -> io::Result<()> {
    // SAFETY: the argument is as long as each request's structure (linux/userfaultfd.h).
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, argument.as_mut_ptr()) })
}

fn check(answer: i32) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[test]
fn a_poisoned_page_is_a_fault_and_its_neighbours_are_read() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::Emulated);
    tail.write(2 * 4096 - 4, b"last").unwrap();
    tail.write(3 * 4096, b"next").unwrap();
    let _userfaultfd = match poison(&tail, &path, 2) {
        Ok(fd) => fd,
        Err(e) => return println!("SKIP: userfaultfd cannot poison here: {e}"),
    };
    let mut out = [0; 4];
    tail.read(2 * 4096 - 4, &mut out).unwrap();
    assert_eq!(out, *b"last");
    assert_eq!(tail.read(2 * 4096 + 8, &mut out).unwrap_err().at, 2 * 4096);
    tail.read(3 * 4096, &mut out).unwrap();
    assert_eq!(out, *b"next");
    assert_eq!(tail.read(0, &mut [0; 4 * 4096]).unwrap_err().at, 2 * 4096);
    tail.lane(2 * 4096, 64).unwrap().fence().expect_err("nothing there is acknowledged");
    tail.lane(0, 64).unwrap().fence().expect("what is beside it goes on");
}
