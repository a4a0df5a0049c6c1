//! The persistence domain of the memory under a block device, as sysfs tells it.
//!
//! `/sys/dev/block/MAJOR:MINOR` leads to a path that runs through `regionN`, for a device mapper through the devices
//! below it (`slaves`); the region's `persistence_domain` says `cpu_cache` or `memory_controller`.
//! Source: Linux, Documentation/ABI/testing/sysfs-bus-nvdimm and drivers/nvdimm/region_devs.c.

use std::fs;
use std::path::{Path, PathBuf};

/// How far a store has to get to survive power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Domain {
    /// Into a cache (eADR).
    Caches,
    /// Into the memory controller (ADR): written back and fenced.
    Controller,
}

/// The domain of the regions under a device, by its directory in `sys`: of a block device, or of a device-DAX region.
///
/// None if there is no region, or one that does not name a domain known to persist. `Caches` only if every region of
/// the machine says so: libpmem does the same, for one flush serves all of memory.
pub(super) fn of_device(sys: &Path, device: &Path) -> Option<Domain> {
    let below = regions_under(&fs::canonicalize(device).ok()?, 0)?;
    let all_known = !below.is_empty() && below.iter().all(|region| domain(region).is_some());
    if !all_known {
        return None;
    }
    let everywhere =
        all_regions(sys).iter().chain(&below).all(|region| domain(region) == Some(Domain::Caches));
    Some(if everywhere { Domain::Caches } else { Domain::Controller })
}

/// What sysfs has of a block device.
pub(super) fn block_device(sys: &Path, device: u64) -> PathBuf {
    sys.join(format!("dev/block/{}:{}", libc::major(device), libc::minor(device)))
}

/// The regions below a block device; None if part of it is something else.
pub(super) fn regions_under(device: &Path, depth: usize) -> Option<Vec<PathBuf>> {
    // Device mappers can be stacked; sysfs has no cycle, but a bound costs nothing.
    const DEPTH_MAX: usize = 8;
    if let Some(region) = device.ancestors().find(|dir| is_region(dir)) {
        return Some(vec![region.to_owned()]);
    }
    if depth == DEPTH_MAX {
        return None;
    }
    let mut regions = Vec::new();
    for below in fs::read_dir(device.join("slaves")).ok()? {
        let below = fs::canonicalize(below.ok()?.path()).ok()?;
        regions.extend(regions_under(&below, depth + 1)?);
    }
    Some(regions)
}

fn all_regions(sys: &Path) -> Vec<PathBuf> {
    // Unreadable is as good as absent: the regions below the device are asked all the same.
    let devices = fs::read_dir(sys.join("bus/nd/devices")).into_iter().flatten();
    devices.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_region(path)).collect()
}

fn is_region(path: &Path) -> bool {
    let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("region"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn domain(region: &Path) -> Option<Domain> {
    // Missing (memmap=, virtio-pmem), unreadable or unknown: nothing is claimed.
    match fs::read_to_string(region.join("persistence_domain")).ok()?.trim_end() {
        "cpu_cache" => Some(Domain::Caches),
        "memory_controller" => Some(Domain::Controller),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs with one region per entry; `pmemN`, device 259:N, lies on region N, and a mapper 253:0 on all of them.
    fn fixture(domains: &[Option<&str>]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let root = sys.path();
        let mapper = root.join("devices/virtual/block/dm-0/slaves");
        for dir in [
            "dev/block",
            "bus/nd/devices",
            "devices/virtual/block/dm-0/slaves",
            "devices/pci0/block/vda/slaves",
        ] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for (n, says) in domains.iter().enumerate() {
            let region = root.join(format!("devices/LNXSYSTM:00/ndbus0/region{n}"));
            let block = region.join(format!("namespace{n}.0/block/pmem{n}"));
            fs::create_dir_all(block.join(format!("pmem{n}p1"))).unwrap();
            if let Some(says) = says {
                fs::write(region.join("persistence_domain"), format!("{says}\n")).unwrap();
            }
            symlink(&region, root.join(format!("bus/nd/devices/region{n}"))).unwrap();
            symlink(&block, root.join(format!("dev/block/259:{n}"))).unwrap();
            symlink(block.join(format!("pmem{n}p1")), root.join(format!("dev/block/259:{}", n + 10)))
                .unwrap();
            symlink(&block, mapper.join(format!("pmem{n}"))).unwrap();
        }
        symlink(root.join("devices/virtual/block/dm-0"), root.join("dev/block/253:0")).unwrap();
        symlink(root.join("devices/pci0/block/vda"), root.join("dev/block/254:0")).unwrap();
        fs::create_dir(root.join("bus/nd/devices/ndbus0")).unwrap();
        sys
    }

    fn of(sys: &tempfile::TempDir, major: u32, minor: u32) -> Option<Domain> {
        of_device(sys.path(), &block_device(sys.path(), libc::makedev(major, minor)))
    }

    #[test]
    fn device_partition_and_mapper_follow_their_regions() {
        let (cache, controller) = (Some("cpu_cache"), Some("memory_controller"));
        let rows: [(&[Option<&str>], Option<Domain>); 8] = [
            (&[cache], Some(Domain::Caches)),
            (&[cache, cache], Some(Domain::Caches)),
            (&[cache, controller], Some(Domain::Controller)),
            (&[controller], Some(Domain::Controller)),
            (&[None], None),
            (&[Some("")], None),
            (&[Some("platform")], None),
            (&[], None),
        ];
        for (domains, first) in rows {
            let sys = fixture(domains);
            assert_eq!(of(&sys, 259, 0), first, "{domains:?}");
            assert_eq!(of(&sys, 259, 10), first, "partition, {domains:?}");
            assert_eq!(of(&sys, 253, 0), first, "mapper, {domains:?}");
            assert_eq!(of(&sys, 254, 0), None, "a disk");
            assert_eq!(of(&sys, 8, 0), None, "no such device");
        }
    }

    #[test]
    fn a_silent_region_elsewhere_forbids_eadr_only() {
        let sys = fixture(&[Some("cpu_cache"), None]);
        assert_eq!(of(&sys, 259, 0), Some(Domain::Controller));
        assert_eq!(of(&sys, 259, 1), None);
        assert_eq!(of(&sys, 253, 0), None, "a mapper over both");
    }
}
