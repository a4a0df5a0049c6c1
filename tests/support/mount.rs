//! Small file systems of their own; only root has them.

use std::path::Path;
use std::process::Command;

/// A tmpfs, taken down when dropped.
#[derive(Debug)]
pub struct Mount {
    dir: tempfile::TempDir,
}

impl Mount {
    /// A tmpfs of that size; `None`, said and counted by the caller, where this user may not.
    pub fn tmpfs(bytes: u64) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tierlog-test"])
            .arg(dir.path());
        match command.output() {
            Ok(output) if output.status.success() => Some(Mount { dir }),
            Ok(output) => {
                println!("skipped: no mount here: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: no mount here: {error}");
                None
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let taken = Command::new("umount").arg("-l").arg(self.dir.path()).status();
        if !taken.is_ok_and(|status| status.success()) {
            println!("{}: still mounted", self.dir.path().display());
        }
    }
}
