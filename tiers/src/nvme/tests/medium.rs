//! What is found out about a directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use super::{open, open_with, scratch, ways};
use crate::nvme::Nvme;
use crate::nvme::medium::{DirectoryMedium, WriteCache};
use crate::nvme::syscall::Facts;

fn facts(device: (u32, u32), mount: Option<u64>) -> Facts {
    Facts { regular: false, len: 0, links: 2, inode: 2, device, mount, born_ns: None, direct_align: None }
}

const MOUNTS: &str = "\
27 1 259:1 / /data rw,relatime shared:1 master:2 - xfs /dev/root rw,attr2
28 27 0:25 / /dev/shm rw - tmpfs tmpfs rw,size=4k
29 27 0:40 / /srv rw - nfs4 server:/export rw
30 27 253:0 / /z rw - ext4 /dev/zram0 rw
";

#[test]
fn a_partition_is_as_its_disk() {
    let root = scratch(true);
    let (proc, sys) = (root.path().join("proc"), root.path().join("sys"));
    fs::create_dir_all(proc.join("self")).expect("made");
    fs::write(proc.join("self/mountinfo"), MOUNTS).expect("written");
    for name in ["nvme0n1/nvme0n1p1", "zram0"] {
        fs::create_dir_all(sys.join("devices").join(name)).expect("made");
    }
    fs::create_dir_all(sys.join("devices/nvme0n1/queue")).expect("made");
    fs::create_dir_all(sys.join("dev/block")).expect("made");
    symlink("../../devices/nvme0n1/nvme0n1p1", sys.join("dev/block/259:1")).expect("linked");
    symlink("../../devices/zram0", sys.join("dev/block/253:0")).expect("linked");
    let probe = |device, mount| DirectoryMedium::probe("/x".as_ref(), &facts(device, mount), &proc, &sys);
    for (text, fua, cache) in [
        ("write back\n", "0\n", WriteCache::Volatile { fua: false }),
        ("write back\n", "1\n", WriteCache::Volatile { fua: true }),
        ("write through\n", "0\n", WriteCache::None),
        ("?", "?", WriteCache::Unknown),
    ] {
        fs::write(sys.join("devices/nvme0n1/queue/fua"), fua).expect("written");
        fs::write(sys.join("devices/nvme0n1/queue/write_cache"), text).expect("written");
        for mount in [Some(27), None] {
            let medium = probe((259, 1), mount);
            assert_eq!((medium.fs.as_str(), medium.device.as_deref()), ("xfs", Some("/dev/nvme0n1p1")));
            assert_eq!((medium.write_cache, medium.block_backed), (cache, true));
        }
    }
    let memory = probe((0, 25), Some(28));
    assert!(!memory.block_backed && memory.to_string().contains("memory: survives nothing but the process"));
    let net = probe((0, 40), Some(29));
    assert!(!net.block_backed && net.to_string().contains("what it survives is not known"), "{net}");
    let zram = probe((253, 0), Some(30));
    assert!(!zram.block_backed && zram.to_string().contains("memory: survives nothing but the process"));
    let lost = probe((8, 1), Some(99));
    assert_eq!((lost.fs.as_str(), lost.block_backed, lost.device), ("unknown file system", false, None));
}

#[test]
fn an_open_measures_within_its_bound_and_says_what_it_found() {
    let at = scratch(false);
    let began = Instant::now();
    let dir = open(at.path());
    eprintln!("{:?}: {}", began.elapsed(), dir.describe());
    let medium = dir.medium();
    let cost = medium.calibration.expect("measured");
    assert!(cost.idle > Duration::ZERO && medium.block_backed, "{medium:?}");
    assert!(dir.describe().contains(&format!("calibrated idle {} us", cost.idle.as_micros())));
    assert!(dir.files().expect("listed").is_empty(), "the file it was measured with is gone");
    for way in ways() {
        let forced = open_with(at.path(), |options| options.durable_way = Some(way));
        eprintln!("{}", forced.describe());
        assert!(forced.describe().contains(&way.to_string()));
    }
}

#[test]
fn memory_is_called_memory() {
    let at = scratch(true);
    let dir = open(at.path());
    eprintln!("{}", dir.describe());
    assert!(!dir.medium().block_backed);
    assert!(
        dir.describe().contains("(tmpfs)") && dir.describe().contains("survives nothing but the process")
    );
}
