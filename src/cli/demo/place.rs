//! Where the demo works: a directory of its own, gone afterwards unless it is to be kept.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cli::ending::Failure;
use crate::cli::output;

/// An empty directory, removed when dropped.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    /// The directory was there before: only what is in it is ours.
    theirs: bool,
    pub(super) keep: bool,
}

impl Place {
    /// Takes `dir`, which must be empty or yet to be made, or makes a directory for temporary files.
    pub(super) fn take(dir: Option<&Path>, keep: bool) -> Result<Place, Failure> {
        let made = |dir: &Path| DirBuilder::new().mode(0o700).create(dir).map_err(Failure::io(dir.display()));
        let dir = dir.map(std::path::absolute).transpose().map_err(Failure::io("--dir"))?;
        let Some(dir) = dir.as_deref() else {
            let dir = temporary().join(format!("tierlog-demo-{}", std::process::id()));
            made(&dir)?;
            return Ok(Place { dir, theirs: false, keep });
        };
        if !dir.exists() {
            made(dir)?;
            return Ok(Place { dir: dir.into(), theirs: false, keep });
        }
        let mut entries = std::fs::read_dir(dir).map_err(Failure::io(dir.display()))?;
        if entries.next().is_some() {
            let message =
                format!("{}: not empty: the demo takes an empty directory, or makes one", dir.display());
            return Err(Failure::Usage(message));
        }
        Ok(Place { dir: dir.into(), theirs: true, keep })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn remove(&self) -> std::io::Result<()> {
        if !self.theirs {
            return std::fs::remove_dir_all(&self.dir);
        }
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.keep {
            return output::tell(format_args!("kept: {}", self.dir.display()));
        }
        if let Err(error) = self.remove() {
            output::tell(format_args!("{}: could not be removed: {error}", self.dir.display()));
        }
    }
}

/// On a disk rather than in memory, where there is a choice: /tmp is memory on many systems.
fn temporary() -> PathBuf {
    let disk = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && disk.is_dir() { disk.into() } else { std::env::temp_dir() }
}
