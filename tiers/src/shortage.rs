//! What the system has none left of, and who can allow more.

use std::error::Error;
use std::io;

/// What to do, if the system said somewhere below `error` that a limit is reached: nothing is wrong then with what was
/// asked for, and the same may be asked again.
pub fn what_to_allow(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut below = std::iter::successors(Some(error), |error| (*error).source());
    match below.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())? {
        libc::EMFILE | libc::ENFILE => Some("allow more open files (ulimit -n, fs.file-max)"),
        libc::ENOMEM => Some("allow more memory (ulimit -v, memory.max)"),
        libc::EAGAIN => Some("allow more threads (ulimit -u, pids.max)"),
        _ => None,
    }
}
