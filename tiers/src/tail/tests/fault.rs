//! Memory that goes away under a tail: truncation, in the guarded process and in one that opted out.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::*;
use crate::tail::map::{Access, Map};
use crate::tail::{MapError, MappedView, Tail, TailLane, TailRead};

fn truncate(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn truncation_is_a_fault_of_that_lane_alone() {
    for (dir, other_dir) in directories().iter().zip(directories().iter()) {
        let (path, tail) = create(dir, MediumAsk::Emulated);
        let (_, other) = create(other_dir, MediumAsk::File);
        let view = MappedView::open(&path).unwrap();
        let mut lane = tail.lane(ALIGN, ALIGN).unwrap();
        lane.store(0, b"here");
        lane.flush(0, 4);
        lane.fence().unwrap();
        truncate(&path, ALIGN + 4096);

        lane.store(0, b"still");
        lane.flush(0, 5);
        lane.fence().expect("nothing has been touched that is gone");
        lane.store(8192 + 100, b"gone");
        lane.flush(8192 + 100, 4);
        let fault = lane.fence().unwrap_err();
        assert_eq!((fault.path.as_str(), fault.at), (path.to_str().unwrap(), ALIGN + 8192));
        assert_eq!(lane.fence().unwrap_err(), fault, "for good");
        assert_eq!(tail.persist(fault.at, 64).unwrap_err(), fault);
        tail.write(0, b"x").expect("nothing is gone there");
        let mut beside = tail.lane(0, 4096).unwrap();
        beside.store(0, b"fine");
        beside.flush(0, 4);
        beside.fence().expect("another lane goes on");

        let mut out = [1; 8];
        assert_eq!(
            tail.read(ALIGN + 8192, &mut out).unwrap_err().at,
            ALIGN + 8192,
            "covered, and not believed"
        );
        assert_eq!(tail.read(2 * ALIGN - 8, &mut out).unwrap_err().at, 2 * ALIGN - 4096);
        tail.read(ALIGN, &mut out).expect("what is there is read");
        assert_eq!(out[..5], *b"still");
        let mut much = vec![0; 16384];
        assert_eq!(view.read(ALIGN, &mut much).unwrap_err().at, ALIGN + 4096, "a view faults for itself");

        let mut lane = other.lane(0, 4096).unwrap();
        lane.store(0, b"fine");
        lane.fence().expect("another tail goes on");
        other.read(0, &mut out).unwrap();
    }
}

#[test]
fn many_threads_survive_together() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::Emulated);
    truncate(&path, 0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let mut lane = tail.lane(thread * (64 << 10), 64 << 10).unwrap();
            scope.spawn(move || {
                for page in 0..16 {
                    lane.store(page * 4096 + 5, b"into the void");
                }
                lane.fence().unwrap_err();
            });
        }
    });
    for page in 0..8 * 16 {
        assert_eq!(tail.read(page * 4096, &mut [0]).unwrap_err().at, page * 4096);
    }
}

#[test]
fn addresses_are_reused_without_a_trace() {
    let dir = in_memory();
    for _ in 0..20 {
        let (path, tail) = create(&dir, MediumAsk::File);
        let mut lane = tail.lane(0, 64).unwrap();
        lane.store(0, b"x");
        lane.fence().expect("an earlier mapping's fault is not this one's");
        truncate(&path, 0);
        lane.store(0, b"x");
        lane.fence().unwrap_err();
        std::fs::remove_file(path).unwrap();
    }
}

/// From now on the kernel answers this thread's msync with EIO.
#[cfg(target_pointer_width = "64")]
fn refuse_msync() {
    let op = |code: u32, jump, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: jump, k };
    let mut program = [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, libc::SYS_msync as u32),
        op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EIO as u32),
        op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers, and a filter that the kernel copies.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) != 0
    };
    assert!(!refused, "seccomp: {}", std::io::Error::last_os_error());
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_refused_msync_stands_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tail) = create(&dir, MediumAsk::Page);
    let mut lane = tail.lane(8192, 8192).unwrap();
    lane.store(5000, b"x");
    lane.flush(5000, 1);
    let (fault, mut lane) = std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            refuse_msync();
            lane.fence().map_err(|fault| (fault, lane))
        });
        refused.join().unwrap().unwrap_err()
    });
    assert_eq!(fault.at, 12288);
    // This thread's msync would succeed: it is not asked.
    lane.store(5000, b"y");
    lane.flush(5000, 1);
    assert_eq!(lane.fence().unwrap_err(), fault);
    assert_eq!(tail.write(0, b"x").unwrap_err(), fault);
    tail.lane(0, 64).unwrap().fence().expect_err("nor is another lane acknowledged");
    let mut out = [0];
    tail.read(8192 + 5000, &mut out).expect("memory that is there can be read");
    assert_eq!(out, *b"y");
}

/// Guards as many mappings as can be.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn fill_the_table() {
    let path = helper_path();
    let tail = Mapped::open(&path, &asking(MediumAsk::File)).unwrap();
    let mut views = Vec::new();
    let refused = loop {
        match MappedView::open(&path) {
            Ok(view) => views.push(view),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, MapError::Full { .. }), "{refused}");
    assert_eq!(views.len(), 1023);
    truncate(&path, ALIGN);
    views.last().unwrap().read(ALIGN, &mut [0]).unwrap_err();
    tail.read(0, &mut [0]).unwrap();
    views.pop();
    MappedView::open(&path).expect("room for one again");
}

#[test]
fn the_table_of_mappings_is_bounded() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::File);
    drop(tail);
    let output = helper("fault::fill_the_table", &path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Meets a fault outside any guarded mapping, while one is guarded.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn strangers_fault() {
    let path = helper_path();
    if std::env::var_os("EARLIER").is_some() {
        exit_on_sigbus();
    }
    let tail = Mapped::open(&path, &asking(MediumAsk::File)).unwrap();
    let strange = path.with_file_name("strange");
    std::fs::write(&strange, [1; 4096]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&strange).unwrap();
    let map = Map::file(&file, 4096, 1, 1, Access::Write, false).unwrap();
    assert_eq!(map.words()[0].load(std::sync::atomic::Ordering::Relaxed), u64::from_ne_bytes([1; 8]));
    file.set_len(0).unwrap();
    let gone = map.words()[0].load(std::sync::atomic::Ordering::Relaxed);
    println!("survived with {gone} and {tail:?}");
}

/// Meets a fault in a tail that is not guarded.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn unguarded_fault() {
    let path = helper_path();
    let options = MapOptions { fault_guard: false, ..asking(MediumAsk::File) };
    let tail = Mapped::open(&path, &options).unwrap();
    truncate(&path, 0);
    println!("survived with {:?}", tail.read(0, &mut [0]));
}

fn exit_on_sigbus() {
    extern "C" fn on_sigbus(_: libc::c_int) {
        // SAFETY: _exit may be called in a handler.
        unsafe { libc::_exit(43) }
    }
    let handler: extern "C" fn(libc::c_int) = on_sigbus;
    // SAFETY: a handler that only exits.
    unsafe { libc::signal(libc::SIGBUS, handler as usize) };
}

#[test]
fn faults_elsewhere_go_to_the_handler_before() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::File);
    drop(tail);
    let status = helper("fault::strangers_fault", &path).output().unwrap().status;
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
    let status = helper("fault::strangers_fault", &path).env("EARLIER", "1").output().unwrap().status;
    assert_eq!(status.code(), Some(43), "{status}");
}

#[test]
fn a_host_that_opts_out_dies_as_before() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::File);
    drop(tail);
    let status = helper("fault::unguarded_fault", &path).output().unwrap().status;
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
}
