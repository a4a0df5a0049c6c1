//! Device DAX: persistent memory as a character device (`/dev/daxX.Y`), without a file system.
//!
//! Its length, and what mappings of it are multiples of, are in sysfs. It is never created nor removed, it has no
//! `msync`, and a fault takes a whole unit of its mapping.
//! Source: Linux, drivers/dax/device.c and Documentation/ABI/testing/sysfs-bus-dax.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{ALIGN, MapError};

/// A region, as sysfs describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// Bytes that a tail can use: whole units of [`ALIGN`] and of its own.
    pub(super) len: u64,
    /// What the kernel maps it by, a power of two of 4 KiB or more: 2 MiB usually.
    pub(super) unit: u64,
}

/// Whether a device-DAX region lies at `path`: it is neither made nor removed, and what is on it counts.
pub fn is_region(path: impl AsRef<Path>) -> bool {
    fs::metadata(path).is_ok_and(|status| status.file_type().is_char_device())
}

impl Region {
    /// The region behind a character device's number.
    ///
    /// # Errors
    /// [`MapError::Foreign`] for any other device, or one that sysfs does not describe.
    pub(super) fn of_device(sys: &Path, path: &Path, device: u64) -> Result<Region, MapError> {
        let dir = directory(sys, device);
        let subsystem = fs::canonicalize(dir.join("subsystem")).ok();
        if subsystem.is_none_or(|subsystem| subsystem.file_name().is_none_or(|name| name != "dax")) {
            return Err(MapError::foreign(path, "a device, and none of device DAX"));
        }
        let number = |name: &str| {
            let text = fs::read_to_string(dir.join(name)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        // Kernels before 5.1 do not tell the unit; it was 2 MiB where nobody chose another.
        let (size, unit) = (number("size").unwrap_or(0), number("align").unwrap_or(ALIGN));
        if !unit.is_power_of_two() || unit < 4096 {
            return Err(MapError::foreign(path, "sysfs tells no alignment of this region"));
        }
        let len = size - size % unit.max(ALIGN);
        if len == 0 {
            return Err(MapError::foreign(path, "smaller than 2 MiB, or sysfs tells no size of this region"));
        }
        Ok(Region { len, unit })
    }
}

/// What sysfs has of a character device.
pub(super) fn directory(sys: &Path, device: u64) -> PathBuf {
    sys.join(format!("dev/char/{}:{}", libc::major(device), libc::minor(device)))
}

/// The region under an open file, if that is a character device.
pub(super) fn under(sys: &Path, path: &Path, status: &fs::Metadata) -> Result<Option<Region>, MapError> {
    if !status.file_type().is_char_device() {
        return Ok(None);
    }
    Region::of_device(sys, path, status.rdev()).map(Some)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sysfs(subsystem: &str, size: &str, align: Option<&str>) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("devices/ndbus0/region1/dax1.1/dax1.0");
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(sys.path().join("dev/char")).unwrap();
        fs::create_dir_all(sys.path().join("bus").join(subsystem)).unwrap();
        symlink(sys.path().join("bus").join(subsystem), device.join("subsystem")).unwrap();
        symlink(&device, sys.path().join("dev/char/252:3")).unwrap();
        fs::write(device.join("size"), size).unwrap();
        align.iter().for_each(|align| fs::write(device.join("align"), align).unwrap());
        sys
    }

    fn region(sys: &tempfile::TempDir) -> Result<Region, MapError> {
        Region::of_device(sys.path(), Path::new("/dev/dax1.0"), libc::makedev(252, 3))
    }

    #[test]
    fn size_and_unit_are_those_of_sysfs_in_whole_units() {
        let (mib, gib) = (1 << 20, 1 << 30);
        let found = region(&sysfs("dax", "262144000\n", Some("2097152\n"))).unwrap();
        assert_eq!(found, Region { len: 250 * mib, unit: 2 * mib });
        let found = region(&sysfs("dax", "265289728\n", Some("4096\n"))).unwrap();
        assert_eq!(found, Region { len: 252 * mib, unit: 4096 });
        let found = region(&sysfs("dax", &(3 * gib + 5 * mib).to_string(), Some(&gib.to_string()))).unwrap();
        assert_eq!(found, Region { len: 3 * gib, unit: gib });
        assert_eq!(region(&sysfs("dax", "4194304", None)).unwrap(), Region { len: 4 * mib, unit: 2 * mib });
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for sys in [
            sysfs("tty", "4194304", Some("2097152")),
            sysfs("dax", "4096", Some("2097152")),
            sysfs("dax", "", None),
            sysfs("dax", "4194304", Some("3")),
            tempfile::tempdir().unwrap(),
        ] {
            assert!(matches!(region(&sys), Err(MapError::Foreign { .. })));
        }
        let status = fs::metadata("/dev/null").unwrap();
        let found = under(Path::new("/sys"), Path::new("/dev/null"), &status);
        assert!(matches!(found, Err(MapError::Foreign { .. })), "{found:?}");
        assert!(is_region("/dev/null") && !is_region("/dev") && !is_region("/no such path"));
    }
}
