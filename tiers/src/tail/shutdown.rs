//! How often the memory below a tail lost power before it had saved what was in its buffers.
//!
//! ADR is a promise of the platform; when it fails, the DIMM counts it (`dirty_shutdown`, by NFIT or CXL). Whoever keeps
//! the count learns afterwards that fenced stores may be gone. Source: PMDK, `shutdown_state.c`; Linux,
//! Documentation/ABI/testing/sysfs-bus-nfit and sysfs-bus-cxl.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{domain, region};
use crate::checksum::Crc32c;

/// What the DIMMs below a tail say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdowns {
    /// Which DIMMs they are: a hash of their identities, in order.
    pub dimms: u64,
    /// Unsafe shutdowns of all of them since they were made.
    pub count: u64,
}

/// What sysfs, mounted at `sys`, says of the DIMMs below a tail's file or region. `None` where there are none, or one of
/// them does not count.
pub fn shutdowns(sys: &Path, tail: &Path) -> Option<Shutdowns> {
    let status = fs::metadata(tail).ok()?;
    let device = match status.file_type().is_char_device() {
        true => region::directory(sys, status.rdev()),
        false => domain::block_device(sys, status.dev()),
    };
    of_regions(sys, &domain::regions_under(&fs::canonicalize(device).ok()?, 0)?)
}

fn of_regions(sys: &Path, regions: &[PathBuf]) -> Option<Shutdowns> {
    let mut dimms: Vec<String> =
        regions.iter().map(|region| dimms_of(region)).collect::<Option<Vec<_>>>()?.concat();
    dimms.sort();
    dimms.dedup();
    let (mut count, mut identities) = (0, Crc32c::new());
    for name in &dimms {
        let dimm = sys.join("bus/nd/devices").join(name);
        count +=
            ["nfit/dirty_shutdown", "cxl/dirty_shutdown"].iter().find_map(|file| number(&dimm.join(file)))?;
        let identity = ["nfit/id", "cxl/id"].iter().find_map(|file| fs::read_to_string(dimm.join(file)).ok());
        identities = identities.bytes(identity.as_deref().unwrap_or(name).trim().as_bytes()).bytes(b"\n");
    }
    (!dimms.is_empty()).then(|| {
        let dimms = (dimms.len() as u64) << 32 | u64::from(identities.finish());
        Shutdowns { dimms, count }
    })
}

/// `mappingN` of a region begins with the name of a DIMM.
fn dimms_of(region: &Path) -> Option<Vec<String>> {
    let mappings = number(&region.join("mappings"))?.min(1_024);
    let name = |n| {
        let text = fs::read_to_string(region.join(format!("mapping{n}"))).ok()?;
        let name = text.split(',').next()?.trim();
        // A name of this kernel's, never a way out of the directory.
        (name.starts_with("nmem") && !name.contains('/')).then(|| name.to_string())
    };
    (0..mappings).map(name).collect()
}

/// Counts are written in either base.
fn number(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sysfs with one region over these DIMMs: identity and what they say, in which file.
    fn sysfs(dimms: &[(&str, &str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let sys = tempfile::tempdir().unwrap();
        let region = sys.path().join("devices/ndbus0/region0");
        fs::create_dir_all(&region).unwrap();
        fs::write(region.join("mappings"), format!("{}\n", dimms.len())).unwrap();
        for (n, (id, file, says)) in dimms.iter().enumerate() {
            fs::write(region.join(format!("mapping{n}")), format!("nmem{n},0,268435456,0\n")).unwrap();
            let dimm = sys.path().join(format!("bus/nd/devices/nmem{n}"));
            for dir in ["nfit", "cxl"] {
                fs::create_dir_all(dimm.join(dir)).unwrap();
            }
            fs::write(dimm.join("nfit/id"), format!("{id}\n")).unwrap();
            if !file.is_empty() {
                fs::write(dimm.join(file), format!("{says}\n")).unwrap();
            }
        }
        (sys, region)
    }

    fn read(dimms: &[(&str, &str, &str)]) -> Option<Shutdowns> {
        let (sys, region) = sysfs(dimms);
        of_regions(sys.path(), &[region])
    }

    #[test]
    fn counts_are_added_and_dimms_told_apart() {
        let (nfit, cxl) = ("nfit/dirty_shutdown", "cxl/dirty_shutdown");
        let one = read(&[("8089-a2-1837", nfit, "3")]).unwrap();
        assert_eq!(one.count, 3);
        assert_eq!(read(&[("8089-a2-1837", cxl, "0x10")]).unwrap(), Shutdowns { count: 16, ..one });
        let two = read(&[("8089-a2-1837", nfit, "3"), ("8089-a2-1838", nfit, "4")]).unwrap();
        assert_eq!(two.count, 7);
        let swapped = read(&[("8089-a2-1837", nfit, "3"), ("8089-a2-1839", nfit, "4")]).unwrap();
        assert!(two.dimms != one.dimms && swapped.dimms != two.dimms);
    }

    #[test]
    fn where_one_does_not_count_nothing_is_known() {
        let nfit = "nfit/dirty_shutdown";
        assert_eq!(read(&[("a", "", "")]), None);
        assert_eq!(read(&[("a", nfit, "1"), ("b", "", "")]), None);
        assert_eq!(read(&[("a", nfit, "many")]), None);
        assert_eq!(read(&[]), None);
        let (sys, region) = sysfs(&[("a", nfit, "1")]);
        fs::write(region.join("mapping0"), "nmem/../../etc,0,0,0\n").unwrap();
        assert_eq!(of_regions(sys.path(), &[region]), None);
        assert_eq!(shutdowns(Path::new("/sys"), Path::new("/no such tail")), None);
    }
}
