//! The directories and files of a local store: private, and durable in the ones above them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, set_permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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

/// Makes a file one's own to read and write, its directory too: data objects lie in directories that were made for them.
pub(super) fn make_private(file: &Path) -> io::Result<()> {
    set_permissions(file, Permissions::from_mode(0o600))?;
    let Some(dir) = file.parent() else { return Ok(()) };
    if dir.metadata()?.permissions().mode() & 0o077 != 0 {
        set_permissions(dir, Permissions::from_mode(0o700))?;
        return dir.parent().map_or(Ok(()), sync);
    }
    Ok(())
}

/// Replaces the file `name` in `root` if it holds `old`; durable on return. Processes of this machine take turns by a
/// lock on the directory.
pub(super) fn replace(root: &Path, name: &str, old: &[u8], new: &[u8]) -> io::Result<bool> {
    let lock = File::open(root)?;
    lock.lock()?;
    let (path, fresh) = (root.join(name), root.join(format!("{name}#")));
    match std::fs::read(&path) {
        Ok(there) if there == old => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(new)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)?;
    lock.sync_all()?;
    Ok(true)
}
