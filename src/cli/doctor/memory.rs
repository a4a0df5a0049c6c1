//! The tail's memory: what it is, and why it is no more than that.

use std::path::Path;

use tierlog_tiers::tail::{MapError, Probed, TailMedium, is_region, persistence_domain};

use super::finding::Finding;
use super::finding::Verdict::{Advice, Mend, Unsafe};
use super::roots::{Mount, Roots, attribute};

const HUGE_PAGE_BYTES: u64 = 2 << 20;

/// Everything about one tail.
pub(super) fn examine(roots: &Roots, path: &Path, probed: &Result<Probed, MapError>) -> Vec<Finding> {
    let name = format!("tail {}", path.display());
    let mut found = vec![medium(roots, &name, path, probed)];
    let device = match is_region(path) {
        true => roots.character(path),
        false => roots.mount_of(path).and_then(|mount| roots.device_of(&mount)),
    };
    let pmem = device.filter(|device| is_persistent(device));
    if let Some(device) = pmem {
        found.push(domain(roots, &name, &device));
        found.push(alignment(&name, &device));
        found.push(bad_blocks(&name, &device));
    }
    found
}

fn medium(roots: &Roots, name: &str, path: &Path, probed: &Result<Probed, MapError>) -> Finding {
    let about = format!("{name}: DAX and MAP_SYNC");
    let probed = match probed {
        Ok(probed) => probed,
        Err(error) => return Finding::new(Mend, about, format!("cannot be probed: {error}"), ""),
    };
    match probed.medium {
        Ok(TailMedium::FsDax { .. }) => Finding::ok(about, "fsdax, MAP_SYNC taken: a commit is one fence"),
        Ok(TailMedium::DevDax { .. }) => Finding::ok(about, "device DAX: a commit is one fence"),
        Ok(TailMedium::Page) => {
            let why = "DAX without MAP_SYNC (virtio-pmem): a commit is an msync";
            Finding::new(Advice, about, why, "give the guest an NVDIMM in the place of virtio-pmem")
        }
        Err(why) => {
            Finding::new(Unsafe, about, why, "ndctl list -RN: use a region with a persistence domain")
        }
        Ok(_) if probed.dax && !probed.domain => {
            let why = "DAX, and no region says that it outlives power (memmap=): a commit is a write to the NVMe tier";
            Finding::new(Advice, about, why, "")
        }
        Ok(_) => {
            let mount = roots.mount_of(path);
            let why = "no DAX: a commit is a write to the NVMe tier";
            let mend = mount.as_ref().map_or_else(String::new, |mount| make_dax(roots, mount));
            let verdict = if mend.is_empty() { Advice } else { Mend };
            Finding::new(verdict, about, why, mend)
        }
    }
}

/// How DAX is to be had, if it is to be had at all.
fn make_dax(roots: &Roots, mount: &Mount) -> String {
    let on_pmem = roots.device_of(mount).is_some_and(|device| is_persistent(&device));
    let (source, point) = (&mount.source, mount.point.display());
    match (on_pmem, mount.fs.as_str()) {
        (true, "ext4" | "xfs") => format!("umount {point} && mount -o dax=always {source} {point}"),
        (true, _) => format!("mkfs.ext4 -b 4096 {source} && mount -o dax=always {source} {point}"),
        (false, _) => elsewhere(roots),
    }
}

/// Persistent memory that this machine has, but the tail does not lie on.
fn elsewhere(roots: &Roots) -> String {
    let devices = std::fs::read_dir(roots.sys.join("block")).into_iter().flatten().flatten();
    let mut pmem: Vec<String> = devices
        .filter_map(|device| device.file_name().into_string().ok())
        .filter(|name| name.starts_with("pmem"))
        .collect();
    pmem.sort();
    match pmem.first() {
        Some(name) => format!("mount -o dax=always /dev/{name} /mnt/{name}, and --tail /mnt/{name}/tail"),
        None => String::new(),
    }
}

fn is_persistent(device: &Path) -> bool {
    device.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.strip_prefix("region").is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

fn domain(roots: &Roots, name: &str, device: &Path) -> Finding {
    let about = format!("{name}: persistence domain");
    match persistence_domain(&roots.sys, device) {
        Some(true) => Finding::ok(about, "cpu_cache (eADR): a store that others see is durable"),
        Some(false) => Finding::ok(about, "memory_controller (ADR): durable once written back and fenced"),
        None => {
            let why = "not told by the region: it is not taken for persistent";
            Finding::new(Advice, about, why, "ndctl list -R; emulated and virtio memory have none")
        }
    }
}

/// Huge pages need memory and file laid out by 2 MiB: without them each page of the tail costs a fault and a TLB entry.
fn alignment(name: &str, device: &Path) -> Finding {
    let about = format!("{name}: 2 MiB alignment");
    let number = |text: String| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse::<u64>().ok(),
    };
    let start = attribute(device, "start").and_then(number).unwrap_or(0) * 512;
    // The namespace's own attributes are above the block device.
    let above = |name: &str| {
        device.ancestors().skip(1).take(4).find_map(|part| attribute(part, name)).and_then(number)
    };
    let unit = attribute(device, "align").and_then(number).or_else(|| above("align"));
    let base = above("resource").unwrap_or(0);
    let mend = "parted -a 2MiB, or ndctl create-namespace --align=2M; mkfs.ext4 -b 4096 -E stride=512,stripe_width=512";
    match unit {
        _ if !(base + start).is_multiple_of(HUGE_PAGE_BYTES) => {
            Finding::new(Mend, about, format!("begins at {base:#x} + {start}: no huge pages"), mend)
        }
        Some(unit) if unit < HUGE_PAGE_BYTES => {
            Finding::new(Mend, about, format!("mapped by {unit} bytes: no huge pages"), mend)
        }
        _ => Finding::ok(about, "device and namespace begin on 2 MiB"),
    }
}

fn bad_blocks(name: &str, device: &Path) -> Finding {
    let about = format!("{name}: bad blocks");
    match attribute(device, "badblocks").or_else(|| attribute(device, "../../badblocks")) {
        Some(list) if !list.is_empty() => {
            let why = format!("{} ranges cannot be read, the first at sector {}", list.lines().count(), list);
            let why = why.lines().next().unwrap_or_default().to_string();
            Finding::new(
                Unsafe,
                about,
                why,
                "tierlog verify; then ndctl clear-errors, or a new tail elsewhere",
            )
        }
        _ => Finding::ok(about, "none known"),
    }
}
