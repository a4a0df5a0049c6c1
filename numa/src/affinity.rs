//! Affinity masks: which CPUs a thread may run on. Owns the two system calls and the process's mask, read
//! once.

use std::ffi::c_ulong;
use std::io;
use std::sync::OnceLock;

use crate::Cpu;
use crate::idlist::ID_MAX;

const WORD_BITS: usize = c_ulong::BITS as usize;

/// The CPUs this process may use: the mask of its main thread when this was first asked for. Read once,
/// because a thread that is pinned later would find only its own CPU; of the main thread, because the caller
/// may be pinned already.
///
/// # Errors
/// What sched_getaffinity said the first time.
pub(crate) fn allowed() -> io::Result<&'static [Cpu]> {
    static ALLOWED: OnceLock<Result<Vec<Cpu>, i32>> = OnceLock::new();
    let read = || of(std::process::id()).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO));
    match ALLOWED.get_or_init(read) {
        Ok(cpus) => Ok(cpus),
        Err(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// The CPUs the thread with this kernel id may run on, ascending; 0 is the caller. The kernel refuses a mask
/// shorter than its own with EINVAL, so the mask grows until it is taken.
pub(crate) fn of(thread: u32) -> io::Result<Vec<Cpu>> {
    let thread = libc::pid_t::try_from(thread).map_err(io::Error::other)?;
    let mut words = vec![0 as c_ulong; 1024 / WORD_BITS];
    loop {
        // SAFETY: the kernel writes at most the length given, which is that of `words` in bytes; a cpu_set_t
        // is an array of c_ulong, and `words` is aligned for it and exclusively borrowed.
        let status =
            unsafe { libc::sched_getaffinity(thread, size_of_val(&words[..]), words.as_mut_ptr().cast()) };
        let error = io::Error::last_os_error();
        match status {
            0 => break,
            _ if error.raw_os_error() == Some(libc::EINVAL) && words.len() * WORD_BITS <= ID_MAX as usize => {
                words = vec![0; words.len() * 2];
            }
            _ => return Err(error),
        }
    }
    let set = |id: &u32| words[*id as usize / WORD_BITS] >> (*id as usize % WORD_BITS) & 1 == 1;
    Ok((0..(words.len() * WORD_BITS) as u32).filter(set).map(Cpu).collect())
}

/// Restricts the calling thread to these CPUs. The kernel leaves out in silence those that the cpuset does
/// not have.
///
/// # Errors
/// EINVAL where none is left; whatever else sched_setaffinity says.
pub(crate) fn restrict_thread(cpus: &[Cpu]) -> io::Result<()> {
    let len = cpus.iter().max().map_or(0, |last| last.0.min(ID_MAX) as usize / WORD_BITS + 1);
    let mut words = vec![0 as c_ulong; len];
    for cpu in cpus {
        let id = cpu.0 as usize;
        let word = words.get_mut(id / WORD_BITS).ok_or(io::ErrorKind::InvalidInput)?;
        *word |= 1 << (id % WORD_BITS);
    }
    // SAFETY: the kernel reads the length given, which is that of `words` in bytes, and keeps no pointer; a
    // cpu_set_t is an array of c_ulong. 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&words[..]), words.as_ptr().cast()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
