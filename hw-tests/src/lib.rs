//! Black-box tests of tierlog on real media: what they need, and how they skip.
//!
//! A rig file, named by `TIERLOG_RIG`, lists the directories that the tests may use and the regions that they may erase.
//! Each test makes a directory of its own in one of them and removes it; nothing else is written.
//!
//! ```toml
//! poison = true               # pages of its memory may be poisoned, until the machine is started anew
//!
//! [[dax]]                     # a directory on a file system mounted with dax
//! path = "/mnt/pmem0/rig"
//! node = 0                    # the NUMA node of its memory
//!
//! [[devdax]]                  # a device-DAX region: what is on it is lost
//! path = "/dev/dax1.0"
//! node = 1
//!
//! [[nvme]]                    # a directory on an NVMe drive
//! path = "/mnt/nvme0/rig"
//! ```
//!
//! A test says first what it needs: `let place = require!(dax);`. Without that it prints SKIP and the reason, and passes;
//! with `TIERLOG_HW_STRICT=1` it fails. A rig file that cannot be read fails every test.

pub mod counts;
mod place;
pub mod poison;
pub mod rig;
pub mod staged;

pub use place::{Place, TailSpot, payloads, small, write_and_commit};

/// What the test needs, one value each; ends the test where the rig does not have it.
#[macro_export]
macro_rules! require {
    ($what:ident) => {
        match $crate::rig::$what() {
            Ok(found) => found,
            Err(reason) => return $crate::skip(&reason),
        }
    };
}

/// Says that a test is skipped.
///
/// # Panics
/// With `TIERLOG_HW_STRICT=1`.
pub fn skip(reason: &str) {
    let strict = std::env::var_os("TIERLOG_HW_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "TIERLOG_HW_STRICT=1 allows no skip: {reason}");
    println!("SKIP: {reason}");
}
