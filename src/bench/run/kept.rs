//! The folder of results: one for each run, under the machine's name and the date; what is there is never overwritten.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The name of the results themselves in their folder.
pub const RESULTS: &str = "results.json";

/// Makes the folder.
///
/// # Errors
/// `AlreadyExists` where there is something; as the system says.
pub fn make(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().mode(0o700).recursive(true).create(parent)?;
    }
    DirBuilder::new().mode(0o700).create(folder)
}

/// Writes a file that is not there yet.
///
/// # Errors
/// As the system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}
