//! What a file's memory is: the facts, and the table that decides on them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::domain::{self, Domain};
use super::{TailMedium, map};

/// Which medium to treat a file as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediumAsk {
    /// What the probe finds, and nothing more.
    #[default]
    Auto,
    /// As persistent memory, whatever it is: flushes and fences on ordinary memory. For tests and benchmarks.
    Emulated,
    /// Durable by `msync`. Refused where the file system itself lives in memory.
    Page,
    /// As a plain file: no flush, survives the process only.
    File,
}

/// What the probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// `MAP_SYNC` was accepted.
    pub(super) map_sync: bool,
    /// `STATX_ATTR_DAX` is set.
    pub(super) dax: bool,
    /// What the region under the file says.
    pub(super) domain: Option<Domain>,
    /// The file system lives in memory: tmpfs, ramfs, hugetlbfs.
    pub(super) volatile: bool,
}

impl Facts {
    pub(super) fn probe(file: &File, sys: &Path) -> io::Result<Facts> {
        Ok(Facts {
            map_sync: map::takes_sync(file)?,
            dax: has_dax_attribute(file)?,
            domain: domain::of_device(sys, file.metadata()?.dev()),
            volatile: lives_in_memory(file)?,
        })
    }

    /// The medium that these facts and that wish add up to; why not, where the wish cannot be had.
    ///
    /// Auto, in order: no DAX, or a kernel that contradicts itself, is `File`. DAX that refuses `MAP_SYNC` is `Page`
    /// (virtio-pmem: the host keeps it at an `msync`). DAX with it is `FsDax` where the region names a persistence
    /// domain, otherwise `File`: memory set aside by `memmap=` looks the same and keeps nothing.
    pub(super) fn medium(self, ask: MediumAsk) -> Result<TailMedium, &'static str> {
        match ask {
            MediumAsk::Emulated => Ok(TailMedium::Emulated),
            MediumAsk::File => Ok(TailMedium::File),
            MediumAsk::Page if self.volatile => {
                Err("msync keeps nothing on a file system that lives in memory")
            }
            MediumAsk::Page => Ok(TailMedium::Page),
            MediumAsk::Auto => Ok(match (self.dax, self.map_sync, self.domain) {
                (true, true, Some(Domain::Caches)) => TailMedium::FsDax { eadr: true },
                (true, true, Some(Domain::Controller)) => TailMedium::FsDax { eadr: false },
                (true, false, _) => TailMedium::Page,
                (true, true, None) | (false, _, _) => TailMedium::File,
            }),
        }
    }
}

fn has_dax_attribute(file: &File) -> io::Result<bool> {
    const STATX_ATTR_DAX: u64 = 0x0020_0000;
    // SAFETY: all zeros is a valid statx.
    let mut status: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: an open descriptor, an empty path that AT_EMPTY_PATH allows, and a local to fill.
    let done = unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, 0, &mut status) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(status.stx_attributes & status.stx_attributes_mask & STATX_ATTR_DAX != 0)
}

fn lives_in_memory(file: &File) -> io::Result<bool> {
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58f6;
    const HUGETLBFS: u32 = 0x9584_58f6;
    // SAFETY: all zeros is a valid statfs.
    let mut status: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: an open descriptor and a local to fill.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &mut status) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The magic is 32 bits wide in a field whose type and sign vary by architecture.
    Ok(matches!(status.f_type as u32, TMPFS | RAMFS | HUGETLBFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Facts = Facts { map_sync: false, dax: false, domain: None, volatile: false };

    #[test]
    fn auto_claims_no_more_than_the_probe_found() {
        let auto = |dax, map_sync, domain| {
            Facts { map_sync, dax, domain, volatile: false }.medium(MediumAsk::Auto).unwrap()
        };
        let (caches, controller) = (Some(Domain::Caches), Some(Domain::Controller));
        assert_eq!(auto(true, true, caches), TailMedium::FsDax { eadr: true });
        assert_eq!(auto(true, true, controller), TailMedium::FsDax { eadr: false });
        assert_eq!(auto(true, true, None), TailMedium::File);
        for domain in [None, caches, controller] {
            assert_eq!(auto(true, false, domain), TailMedium::Page);
            assert_eq!(auto(false, true, domain), TailMedium::File);
            assert_eq!(auto(false, false, domain), TailMedium::File);
        }
    }

    #[test]
    fn a_wish_is_kept_or_refused() {
        let memory = Facts { volatile: true, ..PLAIN };
        for facts in [PLAIN, memory] {
            assert_eq!(facts.medium(MediumAsk::Emulated), Ok(TailMedium::Emulated));
            assert_eq!(facts.medium(MediumAsk::File), Ok(TailMedium::File));
        }
        assert_eq!(PLAIN.medium(MediumAsk::Page), Ok(TailMedium::Page));
        assert!(memory.medium(MediumAsk::Page).is_err());
    }
}
