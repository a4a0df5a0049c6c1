//! Machines made of files: each thing that is wrong is named, with what mends it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tierlog_numa::Topology;
use tierlog_tiers::tail::{Probed, TailMedium};

use super::finding::{Finding, Verdict};
use super::roots::Roots;
use super::{disk, memory, near, system};

/// A machine in a directory: sysfs and procfs, and a place that the log's paths lie in.
struct Machine {
    dir: TempDir,
    roots: Roots,
}

impl Machine {
    fn new() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { sys: dir.path().join("sys"), proc: dir.path().join("proc") };
        fs::create_dir_all(dir.path().join("data")).unwrap();
        Machine { dir, roots }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data").canonicalize().unwrap()
    }

    fn sys(self, path: &str, text: &str) -> Self {
        put(&self.roots.sys.join(path), text);
        self
    }

    fn proc(self, path: &str, text: &str) -> Self {
        put(&self.roots.proc.join(path), text);
        self
    }

    /// The data lie on `fs` with `options`, on the device 259:1 whose directory in sysfs is `device`.
    fn mounted(self, fs: &str, options: &str, device: &str) -> Self {
        let device = self.roots.sys.join("devices").join(device);
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(self.roots.sys.join("dev/block")).unwrap();
        symlink(&device, self.roots.sys.join("dev/block/259:1")).unwrap();
        let point = self.data().display().to_string();
        let lines = format!(
            "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n30 22 259:1 / {point} rw,noatime shared:1 - {fs} /dev/one rw,{options}\n"
        );
        self.proc("self/mountinfo", &lines)
    }
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[track_caller]
fn expect(found: &[Finding], about: &str, verdict: Verdict, says: &str) {
    let of: Vec<&Finding> = found.iter().filter(|finding| finding.about.ends_with(about)).collect();
    let all = format!("{} {}", of[0].why, of[0].mend.as_deref().unwrap_or_default());
    assert!(of.len() == 1 && of[0].verdict == verdict && all.contains(says), "{of:#?}");
}

fn probed(medium: TailMedium, dax: bool, map_sync: bool, domain: bool) -> Probed {
    Probed { medium: Ok(medium), dax, map_sync, domain }
}

const PMEM: &str = "ndbus0/region0/pfn0.1/block/pmem0";

#[test]
fn a_tail_on_fsdax_is_well_and_one_beside_it_is_sent_there() {
    let adr = TailMedium::FsDax { eadr: false };
    let machine = Machine::new()
        .mounted("ext4", "dax=always", PMEM)
        .sys("devices/ndbus0/region0/persistence_domain", "memory_controller\n")
        .sys("devices/ndbus0/region0/pfn0.1/align", "2097152\n")
        .sys("devices/ndbus0/region0/pfn0.1/resource", "0x100000000\n");
    let found =
        memory::examine(&machine.roots, &machine.data().join("tail"), &Ok(probed(adr, true, true, true)));
    assert!(found.iter().all(|finding| finding.verdict == Verdict::Ok) && found.len() == 4, "{found:#?}");

    let found =
        memory::examine(&machine.roots, &machine.data(), &Ok(probed(TailMedium::File, false, false, true)));
    expect(&found, "DAX and MAP_SYNC", Verdict::Mend, "mount -o dax=always /dev/one");

    let found =
        memory::examine(&machine.roots, &machine.data(), &Ok(probed(TailMedium::Page, true, false, false)));
    expect(&found, "DAX and MAP_SYNC", Verdict::Advice, "msync");

    let elsewhere = Machine::new().mounted("ext4", "", "pci0/nvme0n1").sys("block/pmem3/size", "1");
    let found = memory::examine(
        &elsewhere.roots,
        &elsewhere.data(),
        &Ok(probed(TailMedium::File, false, false, false)),
    );
    expect(&found, "DAX and MAP_SYNC", Verdict::Mend, "--tail /mnt/pmem3/tail");
}

#[test]
fn a_region_that_tells_nothing_small_pages_and_bad_blocks() {
    let machine = Machine::new()
        .mounted("ext4", "dax=always", PMEM)
        .sys("devices/ndbus0/region0/pfn0.1/align", "4096\n")
        .sys(&format!("devices/{PMEM}/badblocks"), "8 1\n4096 8\n");
    let found =
        memory::examine(&machine.roots, &machine.data(), &Ok(probed(TailMedium::File, true, true, false)));
    expect(&found, "DAX and MAP_SYNC", Verdict::Advice, "memmap=");
    expect(&found, "persistence domain", Verdict::Advice, "not told");
    expect(&found, "alignment", Verdict::Mend, "mapped by 4096 bytes");
    expect(&found, "bad blocks", Verdict::Unsafe, "2 ranges");
    let odd = Machine::new().mounted("ext4", "", PMEM).sys(&format!("devices/{PMEM}/start"), "2049\n");
    let found = memory::examine(&odd.roots, &odd.data(), &Ok(probed(TailMedium::File, true, true, false)));
    expect(&found, "alignment", Verdict::Mend, "begins at 0x0 + 1049088");
}

#[test]
fn file_systems_that_lie_and_options_that_lose() {
    for (fs, verdict, says) in [
        ("tmpfs", Verdict::Unsafe, "gone with power"),
        ("overlay", Verdict::Unsafe, "container"),
        ("9p", Verdict::Unsafe, "host"),
        ("nfs4", Verdict::Unsafe, "network"),
        ("fuse.sshfs", Verdict::Unsafe, "program"),
        ("btrfs", Verdict::Mend, "elsewhere"),
        ("xfs", Verdict::Ok, "/dev/one"),
    ] {
        let machine = Machine::new().mounted(fs, "seclabel", "pci0/nvme0n1");
        let found = disk::examine(&machine.roots, &machine.data(), Some(1 << 40), 1 << 20);
        expect(&found, "file system", verdict, says);
        expect(&found, "mount options", Verdict::Ok, "noatime");
    }
    for (options, verdict) in [("nobarrier", Verdict::Unsafe), ("data=journal", Verdict::Mend)] {
        let machine = Machine::new().mounted("ext4", options, "pci0/nvme0n1");
        let found = disk::examine(&machine.roots, &machine.data(), Some(1), 2);
        expect(&found, "mount options", verdict, options);
        expect(&found, "free space", Verdict::Mend, "1 bytes");
    }
}

#[test]
fn the_queue_of_the_device_also_under_a_partition() {
    let queue = |attrs: &[(&str, &str)]| {
        let device = "pci0/nvme0/nvme0n1";
        let mut machine = Machine::new().mounted("ext4", "", &format!("{device}/nvme0n1p1"));
        for (name, text) in attrs {
            machine = machine.sys(&format!("devices/{device}/queue/{name}"), text);
        }
        disk::examine(&machine.roots, &machine.data(), None, 1)
    };
    let good = queue(&[
        ("write_cache", "write back"),
        ("fua", "1"),
        ("logical_block_size", "4096"),
        ("physical_block_size", "4096"),
        ("scheduler", "[none] mq-deadline"),
        ("rotational", "0"),
    ]);
    expect(&good, "write cache and FUA", Verdict::Ok, "one forced write");
    expect(&good, "sectors", Verdict::Ok, "4096");
    expect(&good, "scheduler", Verdict::Ok, "none");
    expect(&good, "free space", Verdict::Advice, "not told");
    let bad = queue(&[
        ("write_cache", "write back"),
        ("fua", "0"),
        ("logical_block_size", "512"),
        ("physical_block_size", "4096"),
        ("scheduler", "none [mq-deadline] bfq"),
        ("rotational", "0"),
    ]);
    expect(&bad, "write cache and FUA", Verdict::Advice, "flushes the whole cache");
    expect(&bad, "sectors", Verdict::Advice, "512");
    expect(&bad, "scheduler", Verdict::Mend, "mq-deadline");
    expect(&queue(&[("logical_block_size", "8192")]), "sectors", Verdict::Unsafe, "8192");
    expect(&queue(&[("write_cache", "write through")]), "write cache and FUA", Verdict::Ok, "no volatile");
}

#[test]
fn the_kernel_the_clock_and_the_processors() {
    let good = Machine::new()
        .proc("sys/kernel/io_uring_disabled", "0\n")
        .proc(
            "self/limits",
            "Limit  Soft\nMax locked memory         unlimited            unlimited            bytes\n",
        )
        .proc("cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc clwb\n")
        .sys("devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        .sys("devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
        .sys("devices/system/cpu/cpu0/cpuidle/state1/latency", "2\n")
        .sys("devices/system/cpu/isolated", "2-3\n");
    let found = system::examine(&good.roots, None);
    assert!(found.iter().all(|finding| finding.verdict == Verdict::Ok) && found.len() == 7, "{found:#?}");
    let bad = Machine::new()
        .proc("sys/kernel/io_uring_disabled", "2\n")
        .proc("self/limits", "Max locked memory         8388608              8388608              bytes\n")
        .proc("cpuinfo", "flags\t\t: fpu constant_tsc\n")
        .sys("devices/system/clocksource/clocksource0/current_clocksource", "hpet\n")
        .sys("devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
        .sys("devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n")
        .sys("devices/system/cpu/cpu1/cpuidle/state3/latency", "170\n")
        .sys("devices/system/cpu/isolated", "\n");
    let found = system::examine(&bad.roots, Some("Operation not permitted"));
    expect(&found, "io_uring", Verdict::Mend, "sysctl kernel.io_uring_disabled=0");
    expect(&found, "memlock", Verdict::Advice, "8388608");
    expect(&found, "clock source", Verdict::Mend, "hpet");
    expect(&found, "invariant TSC", Verdict::Advice, "-cpu host");
    expect(&found, "governor", Verdict::Advice, "powersave");
    expect(&found, "idle states", Verdict::Advice, "170 us");
    expect(&found, "isolated CPUs", Verdict::Advice, "isolcpus");
    let filtered = Machine::new().proc("sys/kernel/io_uring_disabled", "0\n");
    expect(&system::examine(&filtered.roots, Some("EPERM")), "io_uring", Verdict::Mend, "seccomp");
}

#[test]
fn distances_from_the_tail_to_processors_and_device() {
    let machine = Machine::new()
        .mounted("ext4", "", "pci0/nvme0/nvme0n1")
        .sys("devices/system/node/online", "0-2\n")
        .sys("devices/system/node/node0/cpulist", "0-1\n")
        .sys("devices/system/node/node0/distance", "10 21 17\n")
        .sys("devices/system/node/node1/cpulist", "2-3\n")
        .sys("devices/system/node/node1/distance", "21 10 28\n")
        .sys("devices/system/node/node2/cpulist", "\n")
        .sys("devices/system/node/node2/distance", "17 28 10\n");
    let topology = Topology::from_sysfs(&machine.roots.sys).unwrap();
    let tail = |node| vec![(machine.data().join("tail"), node)];
    let examine = |node| near::examine(&machine.roots, &topology, &tail(node), &machine.data());
    expect(&examine(Some(1)), "distance", Verdict::Ok, "node1 with 2 CPUs");
    expect(&examine(Some(2)), "distance", Verdict::Advice, "its drainers run on node0");
    expect(&examine(Some(7)), "distance", Verdict::Mend, "node7 is not one");
    expect(&examine(None), "distance", Verdict::Advice, "not known");
}
