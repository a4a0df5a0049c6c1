//! Waiting, with a bound, for the lock of a file.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use super::syscall;

const NAP_MIN: Duration = Duration::from_millis(1);
const NAP_MAX: Duration = Duration::from_millis(20);

/// Locks `file` for writing; `false` if it still was locked elsewhere `wait_max` after `began`.
pub(super) fn wait(file: &File, began: Instant, wait_max: Duration) -> io::Result<bool> {
    let mut nap = NAP_MIN;
    loop {
        let left = wait_max.saturating_sub(began.elapsed());
        if syscall::try_lock(file)? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(nap.min(left));
        nap = (nap * 2).min(NAP_MAX);
    }
}
