//! The NVMe tier's file system and device.

use std::path::Path;

use super::finding::Finding;
use super::finding::Verdict::{Advice, Mend, Unsafe};
use super::roots::{Mount, Roots, attribute};
use crate::cli::figures::count;

/// Everything about the directory; `free` is what may still be written there, `wanted` what a log takes.
pub(super) fn examine(roots: &Roots, path: &Path, free: Option<u64>, wanted: u64) -> Vec<Finding> {
    let name = format!("nvme {}", path.display());
    let mut found = vec![space(&name, free, wanted)];
    let Some(mount) = roots.mount_of(path) else {
        let why = "not found in /proc/self/mountinfo";
        found.push(Finding::new(Advice, format!("{name}: file system"), why, ""));
        return found;
    };
    found.push(file_system(&name, &mount));
    found.push(mount_options(&name, &mount));
    match roots.device_of(&mount) {
        Some(device) => found.extend(queue(&name, &device)),
        None if mount.lies().is_none() => {
            let why =
                format!("no block device of {} is known: nothing can be said of its cache", mount.source);
            found.push(Finding::new(Advice, format!("{name}: device"), why, ""));
        }
        None => {}
    }
    found
}

fn space(name: &str, free: Option<u64>, wanted: u64) -> Finding {
    let about = format!("{name}: free space");
    match free {
        None => Finding::new(Advice, about, "not told", ""),
        Some(free) if free < wanted => {
            let why = format!("{} bytes, and a log takes {} at least", count(free), count(wanted));
            Finding::new(
                Mend,
                about,
                why,
                "free some, or smaller segments (--segment-bytes, --nvme-segment-bytes)",
            )
        }
        Some(free) => Finding::ok(about, format!("{} bytes", count(free))),
    }
}

fn file_system(name: &str, mount: &Mount) -> Finding {
    let about = format!("{name}: file system");
    let fs = &mount.fs;
    if let Some(why) = mount.lies() {
        return Finding::new(
            Unsafe,
            about,
            format!("{fs}: {why}"),
            "--nvme DIR on ext4 or xfs on a local device",
        );
    }
    match fs.as_str() {
        "ext4" | "xfs" => Finding::ok(about, format!("{fs} on {}", mount.source)),
        "btrfs" | "zfs" | "bcachefs" | "f2fs" => {
            let why = format!("{fs} writes elsewhere instead of over: each commit changes metadata as well");
            Finding::new(Mend, about, why, "--nvme DIR on ext4 or xfs")
        }
        _ => Finding::new(Advice, about, format!("{fs}: not one that is tested (ext4, xfs)"), ""),
    }
}

fn mount_options(name: &str, mount: &Mount) -> Finding {
    let about = format!("{name}: mount options");
    let (source, point) = (&mount.source, mount.point.display());
    if let Some(option) = ["nobarrier", "barrier=0"].iter().find(|option| mount.has(option)) {
        let why = format!("{option}: the file system asks for no flush, so a commit may be lost with power");
        return Finding::new(Unsafe, about, why, format!("mount -o remount,barrier=1 {point}"));
    }
    if mount.has("data=journal") {
        let why = "data=journal: no O_DIRECT, each commit is written twice";
        return Finding::new(
            Mend,
            about,
            why,
            format!("umount {point} && mount -o data=ordered {source} {point}"),
        );
    }
    Finding::ok(about, mount.options.join(","))
}

/// What the block layer says of the device.
fn queue(name: &str, device: &Path) -> Vec<Finding> {
    let disk = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = |attr: &str| attribute(device, &format!("queue/{attr}"));
    let number = |attr: &str| told(attr).and_then(|text| text.parse::<u64>().ok());
    let mut found = Vec::new();
    let about = format!("{name}: write cache and FUA");
    found.push(match (told("write_cache").as_deref(), number("fua")) {
        (Some("write through"), _) => Finding::ok(about, "no volatile cache: a completed write is durable"),
        (Some("write back"), Some(1)) => {
            Finding::ok(about, "volatile, with FUA: a commit is one forced write")
        }
        (Some("write back"), _) => {
            let why = "volatile, no FUA: each commit flushes the whole cache";
            Finding::new(Advice, about, why, "a drive with power-loss protection")
        }
        _ => Finding::new(Advice, about, "not told: taken for volatile", ""),
    });
    let about = format!("{name}: sectors");
    found.push(match (number("logical_block_size"), number("physical_block_size")) {
        (Some(logical), _) if logical > 4096 => {
            let why = format!("{logical} bytes: runs are written by 4,096");
            Finding::new(Unsafe, about, why, "a device with sectors of 4,096 bytes or less")
        }
        (Some(512), Some(physical)) if physical >= 4096 => {
            let why = "512 bytes on top of 4,096: fine, runs are whole blocks of 4,096";
            Finding::new(
                Advice,
                about,
                why,
                format!("nvme id-ns -H /dev/{disk}; nvme format --lbaf=N erases all"),
            )
        }
        (Some(logical), Some(physical)) => {
            Finding::ok(about, format!("{logical} logical, {physical} physical"))
        }
        _ => Finding::new(Advice, about, "not told", ""),
    });
    let about = format!("{name}: scheduler");
    let chosen =
        told("scheduler").map(|list| match list.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
            Some((chosen, _)) => chosen.to_string(),
            None => list,
        });
    found.push(match (chosen.as_deref(), number("rotational")) {
        (Some(scheduler), Some(0)) if scheduler != "none" => {
            let why = format!("{scheduler}: a queue in software in front of one in hardware");
            Finding::new(Mend, about, why, format!("echo none > /sys/block/{disk}/queue/scheduler"))
        }
        (Some(scheduler), _) => Finding::ok(about, scheduler),
        (None, _) => Finding::new(Advice, about, "not told", ""),
    });
    found
}
