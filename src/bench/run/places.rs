//! Directories to measure in: one on each medium, removed with all that is in them.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tierlog_tiers::nvme::{Directory, DirectoryOptions, Nvme, free_bytes};
use tierlog_tiers::tail::{MediumAsk, TailMedium, is_region, probe};

use crate::bench::probe::{EMULATED, Grounds, POWER, PROCESS};
use crate::bench::results::Medium;

/// Where memory is served as files on most systems.
const MEMORY: &str = "/dev/shm";

/// An empty directory of its own, removed when dropped.
#[derive(Debug)]
struct Fresh(PathBuf);

impl Fresh {
    fn make(path: PathBuf) -> io::Result<Fresh> {
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Fresh(path))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{}: could not be removed: {error}", self.0.display());
        }
    }
}

/// The two media. What a killed run leaves behind is called `tierlog-bench-PID` and may be removed.
#[derive(Debug)]
pub struct Places {
    tail: Fresh,
    nvme: Fresh,
    /// What they are.
    pub grounds: Grounds,
    /// The same for the results.
    pub media: Vec<Medium>,
}

/// The directories of one probe, removed when dropped.
#[derive(Debug)]
pub struct Rooms {
    tail: Fresh,
    nvme: Fresh,
}

impl Places {
    /// Makes a directory in `tail` and one in `nvme`. Default: memory, and the current directory or the one for temporary
    /// files, whichever lies on a block device.
    ///
    /// # Errors
    /// A sentence.
    pub fn take(tail: Option<&Path>, nvme: Option<&Path>) -> Result<Places, String> {
        if let Some(region) = tail.filter(|tail| is_region(tail)) {
            return Err(format!(
                "{}: a region without a file system, and contestants want files beside each other: make one (ndctl \
                 create-namespace --reconfig=NAMESPACE --mode=fsdax, mkfs, mount -o dax), or hand the region to the kernel as a \
                 memory-only node (daxctl reconfigure-device --mode=system-ram) and mount a tmpfs with mpol=bind:NODE there",
                region.display()
            ));
        }
        let name = format!("tierlog-bench-{}", std::process::id());
        let made = |parent: &Path, suffix: &str| {
            let path =
                std::path::absolute(parent).unwrap_or_else(|_| parent.into()).join(format!("{name}{suffix}"));
            Fresh::make(path.clone()).map_err(|error| format!("{}: {error}", path.display()))
        };
        let memory = || if Path::new(MEMORY).is_dir() { MEMORY.into() } else { std::env::temp_dir() };
        let tail = made(&tail.map_or_else(memory, Path::to_path_buf), "-tail")?;
        let nvme = match nvme {
            Some(asked) => made(asked, "-nvme")?,
            None => made(&disk(), "-nvme")?,
        };
        let (tail_ask, tail_promise, of_tail) = probe_tail(&tail.0);
        let (nvme_promise, of_nvme) = probe_nvme(&nvme.0)?;
        let grounds = Grounds { tail_ask, tail_promise, nvme_promise };
        Ok(Places { tail, nvme, grounds, media: vec![of_tail, of_nvme] })
    }

    /// Directories for one probe.
    ///
    /// # Errors
    /// As the system says.
    pub fn rooms(&self, nth: usize) -> io::Result<Rooms> {
        let name = nth.to_string();
        Ok(Rooms { tail: Fresh::make(self.tail.0.join(&name))?, nvme: Fresh::make(self.nvme.0.join(&name))? })
    }

    /// Bytes free on the tail's medium and on the NVMe tier's.
    ///
    /// # Errors
    /// As the system says.
    pub fn free_bytes(&self) -> io::Result<(u64, u64)> {
        Ok((free_bytes(&self.tail.0)?, free_bytes(&self.nvme.0)?))
    }
}

impl Rooms {
    /// Of the tail.
    pub fn tail(&self) -> PathBuf {
        self.tail.0.clone()
    }

    /// Of the NVMe tier.
    pub fn nvme(&self) -> PathBuf {
        self.nvme.0.clone()
    }
}

/// The first of the usual places that lies on a block device; the first at all where none does.
fn disk() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| ".".into());
    let all = [here, "/var/tmp".into(), std::env::temp_dir()];
    let on_disk = |path: &PathBuf| {
        let options = DirectoryOptions { read_only: true, ..DirectoryOptions::default() };
        Directory::open(path, &options).is_ok_and(|directory| directory.medium().block_backed)
    };
    all.iter().find(|path| on_disk(path)).unwrap_or(&all[0]).clone()
}

fn probe_tail(path: &Path) -> (MediumAsk, &'static str, Medium) {
    let found = probe(path);
    let real = match found.as_ref().map(|found| found.medium) {
        Ok(Ok(medium)) if medium != TailMedium::File => Some(medium),
        _ => None,
    };
    let (ask, promise, description) = match real {
        Some(medium) => (MediumAsk::Auto, POWER, format!("{medium:?}")),
        None => {
            let why = match found {
                Ok(found) => found.medium.err().unwrap_or("no persistent memory").to_string(),
                Err(error) => error.to_string(),
            };
            (
                MediumAsk::Emulated,
                EMULATED,
                format!("EMULATED ({why}): ordinary memory, persistent by name only"),
            )
        }
    };
    let medium = Medium {
        name: "tail".into(),
        path: path.display().to_string(),
        description,
        emulated: real.is_none(),
    };
    (ask, promise, medium)
}

fn probe_nvme(path: &Path) -> Result<(&'static str, Medium), String> {
    let directory = Directory::open(path, &DirectoryOptions::default()).map_err(|error| error.to_string())?;
    let promise = if directory.power_safe() { POWER } else { PROCESS };
    let (path, description) = (path.display().to_string(), directory.describe());
    Ok((promise, Medium { name: "nvme".into(), path, description, emulated: false }))
}
