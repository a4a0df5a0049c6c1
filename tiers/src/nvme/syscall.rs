//! The system calls that the standard library lacks, each behind a safe function.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

use super::FileName;

/// What `statx` tells of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) regular: bool,
    pub(super) len: u64,
    pub(super) links: u32,
    pub(super) inode: u64,
    pub(super) device: (u32, u32),
    pub(super) mount: Option<u64>,
    /// When it was made, in nanoseconds since 1970.
    pub(super) born_ns: Option<u64>,
    /// Address and offset alignment for direct I/O; zeros where the file does not take it.
    pub(super) direct_align: Option<(u32, u32)>,
}

fn checked(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Repeats a call for as long as a signal interrupts it.
fn uninterrupted(mut call: impl FnMut() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        match checked(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

fn spelt(name: FileName) -> Vec<u8> {
    format!("{name}\0").into_bytes()
}

/// Opens `name` in `dir`, never through a symbolic link, never waiting for a FIFO's other end.
pub(super) fn open_at(dir: &File, name: FileName, flags: i32, mode: u32) -> io::Result<File> {
    let text = spelt(name);
    open_text(dir, CStr::from_bytes_with_nul(&text).expect("one NUL, at the end"), flags, mode)
}

/// A file without a name in `dir`.
pub(super) fn open_nameless(dir: &File) -> io::Result<File> {
    open_text(dir, c".", libc::O_TMPFILE | libc::O_RDWR, 0o600)
}

/// A second description of the directory, with a position of its own.
pub(super) fn reopen_directory(dir: &File) -> io::Result<File> {
    open_text(dir, c".", libc::O_DIRECTORY | libc::O_RDONLY, 0)
}

fn open_text(dir: &File, text: &CStr, flags: i32, mode: u32) -> io::Result<File> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    // SAFETY: `text` is a NUL-terminated string that outlives the call.
    let fd = uninterrupted(|| unsafe { libc::openat(dir.as_raw_fd(), text.as_ptr(), flags, mode) })?;
    // SAFETY: the call just made this descriptor and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Takes `name` out of `dir`.
pub(super) fn unlink_at(dir: &File, name: FileName) -> io::Result<()> {
    let text = spelt(name);
    // SAFETY: `text` is a NUL-terminated string that outlives the call.
    checked(unsafe { libc::unlinkat(dir.as_raw_fd(), text.as_ptr().cast(), 0) }).map(drop)
}

/// Facts about an open file.
pub(super) fn facts(file: &File) -> io::Result<Facts> {
    facts_of(file, c"", libc::AT_EMPTY_PATH)
}

/// Facts about `name` in `dir`; a symbolic link is not followed.
pub(super) fn facts_at(dir: &File, name: FileName) -> io::Result<Facts> {
    let text = spelt(name);
    facts_of(dir, CStr::from_bytes_with_nul(&text).expect("one NUL, at the end"), libc::AT_SYMLINK_NOFOLLOW)
}

fn facts_of(file: &File, text: &CStr, flags: i32) -> io::Result<Facts> {
    let asked = libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_MNT_ID | libc::STATX_DIOALIGN;
    let mut raw = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `text` is NUL-terminated and `raw` is writable memory of the type's size; both outlive the call.
    uninterrupted(|| unsafe {
        libc::statx(file.as_raw_fd(), text.as_ptr(), flags, asked, raw.as_mut_ptr())
    })?;
    // SAFETY: it was zeroed, which is a valid value of this plain struct, and the call filled it in.
    let raw = unsafe { raw.assume_init() };
    let told = |bit: u32| raw.stx_mask & bit != 0;
    Ok(Facts {
        regular: u32::from(raw.stx_mode) & libc::S_IFMT == libc::S_IFREG,
        len: raw.stx_size,
        links: raw.stx_nlink,
        inode: raw.stx_ino,
        device: (raw.stx_dev_major, raw.stx_dev_minor),
        mount: told(libc::STATX_MNT_ID).then_some(raw.stx_mnt_id),
        born_ns: told(libc::STATX_BTIME).then(|| {
            (raw.stx_btime.tv_sec as u64).wrapping_mul(1_000_000_000) + u64::from(raw.stx_btime.tv_nsec)
        }),
        direct_align: told(libc::STATX_DIOALIGN).then_some((raw.stx_dio_mem_align, raw.stx_dio_offset_align)),
    })
}

/// Asks for direct I/O if `wanted`; `false` where it is not to be had. Also takes back the `O_NONBLOCK` of the open.
pub(super) fn set_direct(file: &File, wanted: bool) -> io::Result<bool> {
    // SAFETY: passes and returns integers only.
    let flags = checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) })? & !libc::O_NONBLOCK;
    // SAFETY: passes and returns integers only.
    let set = |flags: i32| checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags) });
    if wanted {
        match set(flags | libc::O_DIRECT) {
            Ok(_) => return Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(error),
        }
    }
    set(flags).map(|_| false)
}

/// Tries to lock the whole file for writing; `false` if it is locked elsewhere. The lock ends with the last
/// descriptor of this open, in whichever process (fcntl(2), open file description locks).
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: all zeros is a valid value of this plain struct.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: `lock` is a whole `flock` that outlives the call.
    match uninterrupted(|| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reserves `len` bytes without making the file longer; silently nothing where the file system cannot.
pub(super) fn reserve(file: &File, len: u64) -> io::Result<()> {
    let len = i64::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let keep = libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: passes and returns integers only.
    match uninterrupted(|| unsafe { libc::fallocate(file.as_raw_fd(), keep, 0, len) }) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => Ok(()),
        answer => answer.map(drop),
    }
}

/// One write. May be short.
pub(super) fn write(file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> io::Result<usize> {
    let at = libc::off64_t::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    // SAFETY: the range is that of `bytes`, which outlives the call and is only read by it.
    let answer = unsafe { libc::pwrite64(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), at) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// One write, durable on return (pwritev2(2), `RWF_DSYNC` and `more`). May be short.
pub(super) fn write_forced(file: &File, bytes: &[u8], at: u64, more: libc::c_int) -> io::Result<usize> {
    let at = libc::off_t::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let piece = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let flags = libc::RWF_DSYNC | more;
    // SAFETY: one iovec over `bytes`, which outlives the call and is only read by it.
    let answer = unsafe { libc::pwritev2(file.as_raw_fd(), &raw const piece, 1, at, flags) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}
