use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::Topology;

/// A sysfs whose entry for the device under `path` leads to `sys/devices/{device}`.
fn sys_with(path: &Path, device: &str) -> (tempfile::TempDir, PathBuf) {
    let sys = tempfile::tempdir().unwrap();
    let entry = sys.path().join(device_under(path).unwrap());
    let place = sys.path().join("devices").join(device);
    fs::create_dir_all(&place).unwrap();
    fs::create_dir_all(entry.parent().unwrap()).unwrap();
    symlink(&place, entry).unwrap();
    (sys, place)
}

#[test]
fn a_controller_knows_for_its_disks_and_their_partitions() {
    let dir = tempfile::tempdir().unwrap();
    for disk in ["pci0000:00/nvme/nvme0/nvme0n1", "pci0000:00/nvme/nvme0/nvme0n1/nvme0n1p1"] {
        let (sys, _) = sys_with(dir.path(), disk);
        fs::write(sys.path().join("devices/pci0000:00/nvme/nvme0/numa_node"), "1\n").unwrap();
        assert_eq!(node_of_path_in(dir.path(), sys.path()), Some(Node(1)), "{disk}");
    }
}

#[test]
fn the_device_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    for disk in ["virtual/block/pmem0", "virtual/block/pmem0/pmem0p1"] {
        let (sys, _) = sys_with(dir.path(), disk);
        let namespace = sys.path().join("devices/ndbus0/region0/namespace0.0");
        fs::create_dir_all(&namespace).unwrap();
        fs::write(namespace.join("numa_node"), "3\n").unwrap();
        symlink(&namespace, sys.path().join("devices/virtual/block/pmem0/device")).unwrap();
        assert_eq!(node_of_path_in(dir.path(), sys.path()), Some(Node(3)), "{disk}");
    }
}

#[test]
fn the_nearest_part_that_knows_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (sys, disk) = sys_with(dir.path(), "pci0/virtio1/block/vda");
    fs::write(sys.path().join("devices/pci0/numa_node"), "2\n").unwrap();
    fs::write(disk.join("numa_node"), "-1\n").unwrap();
    assert_eq!(node_of_path_in(dir.path(), sys.path()), Some(Node(2)));
    fs::write(disk.join("numa_node"), "0\n").unwrap();
    assert_eq!(node_of_path_in(dir.path(), sys.path()), Some(Node(0)));
}

#[test]
fn unknown_and_nonsense_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let (sys, disk) = sys_with(dir.path(), "block/vda");
    assert_eq!(node_of_path_in(dir.path(), sys.path()), None);
    for text in ["-1\n", "", "one\n", "99999999\n"] {
        fs::write(disk.join("numa_node"), text).unwrap();
        assert_eq!(node_of_path_in(dir.path(), sys.path()), None, "{text:?}");
    }
    assert_eq!(node_of_path_in(dir.path(), &sys.path().join("absent")), None);
}

#[test]
fn a_path_to_come_takes_its_nearest_parent() {
    let dir = tempfile::tempdir().unwrap();
    let (sys, disk) = sys_with(dir.path(), "block/vda");
    fs::write(disk.join("numa_node"), "1\n").unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for path in ["to/come", "file", "file/to/come"] {
        assert_eq!(node_of_path_in(&dir.path().join(path), sys.path()), Some(Node(1)), "{path}");
    }
}

#[test]
fn a_character_device_is_asked_itself() {
    // What a device-DAX region is; /dev/null is one that every machine has.
    let (sys, place) = sys_with(Path::new("/dev/null"), "ndbus0/region1/dax1.1/dax1.0");
    assert!(device_under(Path::new("/dev/null")).unwrap().starts_with("dev/char/"));
    fs::write(place.join("numa_node"), "1\n").unwrap();
    assert_eq!(node_of_path_in(Path::new("/dev/null"), sys.path()), Some(Node(1)));
}

#[test]
fn relative_paths_start_here() {
    assert_eq!(device_under(Path::new("to/come")), device_under(&std::env::current_dir().unwrap()));
}

#[test]
fn this_machine_answers_with_a_node_it_has() {
    let topology = Topology::from_sysfs(Path::new("/sys")).unwrap();
    let node = node_of_path(&std::env::temp_dir());
    assert!(node.is_none_or(|node| topology.cpus_of(node).is_some()), "{node:?}");
    assert_eq!(node_of_path(Path::new("/proc/self")), None);
}
