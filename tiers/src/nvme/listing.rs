//! Names in a directory, read through its descriptor.
//!
//! Owns one directory stream, which owns its descriptor.

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;

use super::syscall;

/// A stream of names, without `.` and `..`.
pub(super) struct Listing(NonNull<libc::DIR>);

impl Listing {
    pub(super) fn open(dir: &File) -> io::Result<Listing> {
        let fd = syscall::reopen_directory(dir)?.into_raw_fd();
        // SAFETY: `fd` is open and given away here: the stream closes it.
        match NonNull::new(unsafe { libc::fdopendir(fd) }) {
            Some(stream) => Ok(Listing(stream)),
            None => {
                let error = io::Error::last_os_error();
                // SAFETY: on failure the descriptor is still ours, and nothing uses it after this.
                unsafe { libc::close(fd) };
                Err(error)
            }
        }
    }
}

impl Iterator for Listing {
    type Item = io::Result<OsString>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // SAFETY: errno is a thread's own variable; readdir tells an error from the end by it alone.
            unsafe { *libc::__errno_location() = 0 };
            // SAFETY: the stream is open, and `&mut self` keeps other calls off it.
            let Some(entry) = NonNull::new(unsafe { libc::readdir64(self.0.as_ptr()) }) else {
                let error = io::Error::last_os_error();
                return (error.raw_os_error() != Some(0)).then_some(Err(error));
            };
            // SAFETY: the entry stays valid until the next call on the stream, and its name ends with a NUL.
            let name = unsafe { CStr::from_ptr((&raw const (*entry.as_ptr()).d_name).cast()) }.to_bytes();
            if name != b"." && name != b".." {
                return Some(Ok(OsString::from_vec(name.to_vec())));
            }
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // SAFETY: the stream is open and closed once, here.
        unsafe { libc::closedir(self.0.as_ptr()) };
    }
}
