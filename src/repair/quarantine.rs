//! What a repair replaced, kept in a directory of its own for whoever wants to look at it.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::{Error, Result};

/// The directory.
pub(super) fn of(config: &Config) -> PathBuf {
    config.dir.join("quarantine")
}

/// A path in `dir`, which is made, that nothing has yet.
fn free_path(dir: &Path, name: &str) -> Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(Error::io(dir.display().to_string()))?;
    let free = (0..).map(|n| dir.join(format!("{name}.{n}"))).find(|path| !path.exists());
    Ok(free.unwrap_or_else(|| dir.join(name)))
}

/// Keeps a copy of `bytes`.
pub(super) fn keep(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = free_path(dir, name)?;
    write_new(&path, bytes)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io(path.display().to_string()))
}

/// A new file for its owner alone, its bytes durable.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let made = File::options().write(true).create_new(true).mode(0o600).open(path);
    let written = made.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io(path.display().to_string()))
}

/// Moves a file there.
pub(super) fn move_there(dir: &Path, from: &Path) -> Result<()> {
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let to = free_path(dir, &name)?;
    let moved = std::fs::rename(from, &to).or_else(|error| match error.kind() {
        // The tier lies on another file system.
        std::io::ErrorKind::CrossesDevices => {
            std::fs::copy(from, &to)?;
            File::open(&to)?.sync_all()?;
            std::fs::remove_file(from)
        }
        _ => Err(error),
    });
    moved.map_err(Error::io(from.display().to_string()))?;
    let mut dirs = [Some(dir), from.parent()].into_iter().flatten();
    dirs.try_for_each(|dir| File::open(dir)?.sync_all()).map_err(Error::io(dir.display().to_string()))
}
