//! Small file systems of their own; only root has them.

use std::path::Path;
use std::process::Command;

/// A file system, taken down when dropped.
#[derive(Debug)]
pub struct Mount {
    dir: tempfile::TempDir,
    /// What a loop device lies on.
    image: Option<tempfile::NamedTempFile>,
}

impl Mount {
    /// A tmpfs of that size; `None`, said and counted by the caller, where this user may not.
    pub fn tmpfs(bytes: u64) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tierlog-test"])
            .arg(dir.path());
        Mount::by(command, dir)
    }

    /// An ext4 on a loop device of that size; `None`, said and counted by the caller, where this user may not.
    pub fn ext4(bytes: u64) -> Option<Mount> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(bytes).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image.path()).output();
        if !made.is_ok_and(|output| output.status.success()) {
            println!("SKIP: no mkfs.ext4 here");
            return None;
        }
        Mount::of_image(image)
    }

    fn of_image(image: tempfile::NamedTempFile) -> Option<Mount> {
        let mut mount = Mount::of(image.path())?;
        mount.image = Some(image);
        Some(mount)
    }

    /// What lies in that file, on a loop device.
    pub fn of(image: &Path) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-o", "loop"]).arg(image).arg(dir.path());
        Mount::by(command, dir)
    }

    fn by(mut command: Command, dir: tempfile::TempDir) -> Option<Mount> {
        match command.output() {
            Ok(output) if output.status.success() => Some(Mount { dir, image: None }),
            Ok(output) => {
                println!("SKIP: no mount here: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("SKIP: no mount here: {error}");
                None
            }
        }
    }

    /// Ends the file system as a power cut does: nothing more reaches its device, not even its journal. False where it
    /// cannot be done.
    pub fn cut(&self) -> bool {
        // EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH.
        let shutdown = "import fcntl, os, struct, sys; fd = os.open(sys.argv[1], os.O_RDONLY)\n\
                        fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2))";
        let done = Command::new("python3").args(["-c", shutdown]).arg(self.path()).status();
        done.is_ok_and(|status| status.success())
    }

    /// What is there after the power is back: the device mounted again.
    pub fn again(mut self) -> Option<Mount> {
        let image = self.image.take();
        drop(self);
        Mount::of_image(image?)
    }

    /// Takes what room is left, to the last block, with a file beside what is there.
    pub fn fill_up(&self) {
        use std::io::Write;
        let ballast = std::fs::File::options().create(true).append(true).open(self.ballast()).unwrap();
        for step in [1 << 20, 64 << 10, 4 << 10] {
            while (&ballast).write_all(&vec![1; step]).is_ok() {}
            ballast.sync_all().unwrap();
        }
    }

    /// Gives it back.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
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
