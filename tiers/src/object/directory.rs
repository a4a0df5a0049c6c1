//! The directories of a local store: private, and durable in the ones above them.

use std::fs::{DirBuilder, File, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Makes `dir` and what is missing above it, each 0700 and durable. One that exists stays as it is.
pub(super) fn create(dir: &Path) -> io::Result<()> {
    match make(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(dir.parent().ok_or(error)?)?;
            make(dir)
        }
        made => made,
    }
}

fn make(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            // The umask may have taken bits of ours away.
            set_permissions(dir, Permissions::from_mode(0o700))?;
            dir.parent().map_or(Ok(()), sync)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match dir.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        },
        Err(error) => Err(error),
    }
}

/// Makes the names in `dir` durable.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
