//! What a file's memory is: the facts, and the table that decides on them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::domain::{self, Domain};
use super::{TailMedium, map, region};

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
    /// No file system at all: a device-DAX region.
    pub(super) device: bool,
}

impl Facts {
    pub(super) fn probe(file: &File, sys: &Path) -> io::Result<Facts> {
        let status = file.metadata()?;
        if status.file_type().is_char_device() {
            let domain = domain::of_device(sys, &region::directory(sys, status.rdev()));
            return Ok(Facts { map_sync: false, dax: true, domain, volatile: false, device: true });
        }
        Ok(Facts {
            map_sync: map::takes_sync(file)?,
            dax: has_dax_attribute(file)?,
            domain: domain::of_device(sys, &domain::block_device(sys, status.dev())),
            volatile: lives_in_memory(file)?,
            device: false,
        })
    }

    /// The medium that these facts and that wish add up to; why not, where the wish cannot be had.
    ///
    /// Auto, in order: no DAX, or a kernel that contradicts itself, is `File`. DAX that refuses `MAP_SYNC` is `Page`
    /// (virtio-pmem: the host keeps it at an `msync`). DAX with it is `FsDax` where the region names a persistence
    /// domain, otherwise `File`: memory set aside by `memmap=` looks the same and keeps nothing. Device DAX is `DevDax`
    /// where its region names a domain; otherwise nothing keeps it, and it is refused.
    pub(super) fn medium(self, ask: MediumAsk) -> Result<TailMedium, &'static str> {
        match ask {
            MediumAsk::Emulated => Ok(TailMedium::Emulated),
            MediumAsk::Auto if self.device => match self.domain {
                Some(domain) => Ok(TailMedium::DevDax { eadr: domain == Domain::Caches }),
                None => Err("no persistence domain: ordinary memory behind a device"),
            },
            MediumAsk::File | MediumAsk::Page if self.device => {
                Err("device DAX has neither page cache nor msync")
            }
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

    const PLAIN: Facts = Facts { map_sync: false, dax: false, domain: None, volatile: false, device: false };

    #[test]
    fn auto_claims_no_more_than_the_probe_found() {
        let auto =
            |dax, map_sync, domain| Facts { map_sync, dax, domain, ..PLAIN }.medium(MediumAsk::Auto).unwrap();
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
    fn a_device_is_what_its_region_says() {
        let device = |domain| Facts { dax: true, device: true, domain, ..PLAIN };
        let (caches, controller) = (device(Some(Domain::Caches)), device(Some(Domain::Controller)));
        assert_eq!(caches.medium(MediumAsk::Auto), Ok(TailMedium::DevDax { eadr: true }));
        assert_eq!(controller.medium(MediumAsk::Auto), Ok(TailMedium::DevDax { eadr: false }));
        assert!(device(None).medium(MediumAsk::Auto).is_err(), "memory of another kind");
        for facts in [caches, controller, device(None)] {
            assert_eq!(facts.medium(MediumAsk::Emulated), Ok(TailMedium::Emulated));
            assert!(facts.medium(MediumAsk::Page).is_err() && facts.medium(MediumAsk::File).is_err());
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
