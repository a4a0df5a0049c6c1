//! What every medium does alike, and what it refuses.

use std::os::unix::fs::{MetadataExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::*;
use crate::persist::Flush;
#[cfg(target_arch = "x86_64")]
use crate::tail::lane::How;
use crate::tail::{MapError, MappedView, RangeTaken, Tail, TailLane, TailMedium, TailRead};

const ASKS: [MediumAsk; 4] = [MediumAsk::Auto, MediumAsk::Emulated, MediumAsk::Page, MediumAsk::File];

/// Every directory with every medium it can have.
fn everywhere(run: impl Fn(&TempDir, MediumAsk)) {
    let [memory, disk] = directories();
    for ask in ASKS {
        run(&disk, ask);
        std::fs::remove_file(disk.path().join("tail")).unwrap();
        if ask != MediumAsk::Page {
            run(&memory, ask);
            std::fs::remove_file(memory.path().join("tail")).unwrap();
        }
    }
}

fn read(tail: &impl TailRead, at: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0xee; len];
    tail.read(at, &mut out).unwrap();
    out
}

#[test]
fn what_a_lane_stores_is_read_back_by_all() {
    everywhere(|dir, ask| {
        let (path, tail) = create(dir, ask);
        let view = MappedView::open(&path).unwrap();
        let bytes: Vec<u8> = (1..=255u8).cycle().take(1000).collect();
        let mut lane = tail.lane(4096, 8192).unwrap();
        lane.store(3, &bytes[..500]);
        lane.flush(3, 500);
        lane.stream(1024, &bytes[..960]);
        lane.store_word(2048, 0x0102_0304_0506_0708);
        lane.bytes_mut(2056, 5).copy_from_slice(b"place");
        lane.flush(2048, 13);
        lane.fence().unwrap();
        tail.write(0, b"superblock").unwrap();
        tail.persist(0, LEN).unwrap();
        drop(lane);

        let check = |tail: &dyn TailRead| {
            let mut out = vec![0; 8192];
            tail.read(4096, &mut out).unwrap();
            assert_eq!(out[3..503], bytes[..500]);
            assert_eq!(out[1024..1984], bytes[..960]);
            assert_eq!(out[2048..2056], 0x0102_0304_0506_0708u64.to_ne_bytes());
            assert_eq!(out[2056..2061], *b"place");
            let written = 500 + 960 + 8 + 5;
            assert_eq!(out.iter().filter(|b| **b != 0).count(), written, "the rest stays zero");
        };
        check(&*tail);
        check(&view);
        assert_eq!(read(&view, 0, 11), b"superblock\0");
        let medium = tail.medium();
        drop(tail);
        let again = Mapped::open(&path, &asking(ask)).unwrap();
        check(&again);
        assert_eq!((again.medium(), again.len(), view.len()), (medium, LEN, LEN));
    });
}

#[test]
fn created_files_are_private_allocated_and_aligned() {
    everywhere(|dir, ask| {
        let (path, tail) = create(dir, ask);
        let status = std::fs::metadata(path).unwrap();
        assert_eq!(status.mode() & 0o7777, 0o600);
        assert!(status.blocks() * 512 >= LEN, "{} blocks", status.blocks());
        assert!(tail.map().base().as_ptr().addr().is_multiple_of(ALIGN as usize));
        assert_eq!(read(&*tail, 0, LEN as usize), vec![0; LEN as usize]);
    });
}

#[test]
fn media_are_what_was_asked_for_and_named() {
    let [memory, disk] = directories();
    let rows = [
        (&memory, MediumAsk::Auto, TailMedium::File, "file "),
        (&memory, MediumAsk::Emulated, TailMedium::Emulated, "EMULATED "),
        (&disk, MediumAsk::File, TailMedium::File, "file "),
        (&disk, MediumAsk::Emulated, TailMedium::Emulated, "EMULATED "),
        (&disk, MediumAsk::Page, TailMedium::Page, "page "),
    ];
    for (dir, ask, medium, word) in rows {
        let (path, tail) = create(dir, ask);
        assert_eq!(tail.medium(), medium, "{ask:?}");
        let line = tail.describe();
        assert!(line.starts_with(word) && line.contains(path.to_str().unwrap()), "{line}");
        assert_eq!(medium.power_safe(), medium != TailMedium::File);
        drop(tail);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn the_flush_can_be_named() {
    let dir = in_memory();
    let named = |flush| MapOptions { flush: Some(flush), ..asking(MediumAsk::Emulated) };
    let path = dir.path().join("tail");
    let instruction = if cfg!(target_arch = "aarch64") { Flush::Cvap } else { Flush::Clflush };
    for flush in [Flush::Fence, instruction] {
        let tail = Arc::new(Mapped::create(&path, LEN, &named(flush)).unwrap());
        assert!(tail.describe().contains(flush.name()), "{}", tail.describe());
        let mut lane = tail.lane(0, 4096).unwrap();
        assert!((64..=4096).contains(&lane.crossover()));
        lane.store(0, b"x");
        lane.flush(0, 1);
        lane.fence().unwrap();
        drop((lane, tail));
        std::fs::remove_file(&path).unwrap();
    }
    #[cfg(target_arch = "x86_64")]
    {
        let refused = Mapped::create(&path, LEN, &named(Flush::Cvap)).unwrap_err();
        assert!(matches!(refused, MapError::Unfit { .. }), "{refused}");
        assert!(!path.exists(), "what could not be created does not stay");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_fence_alone_is_for_eadr() {
    let flush = |medium, named| How::new(medium, named).map(|how| how.persist().map(|p| p.flush()));
    let (adr, eadr) = (TailMedium::FsDax { eadr: false }, TailMedium::FsDax { eadr: true });
    assert_eq!(flush(eadr, None), Ok(Some(Flush::Fence)));
    assert_eq!(flush(eadr, Some(Flush::Clflush)), Ok(Some(Flush::Clflush)));
    assert_eq!(flush(adr, Some(Flush::Clflush)), Ok(Some(Flush::Clflush)));
    assert!(flush(adr, Some(Flush::Fence)).is_err(), "it would keep nothing");
    assert_ne!(flush(adr, None), Ok(Some(Flush::Fence)));
    assert_eq!(flush(TailMedium::Page, Some(Flush::Fence)), Ok(None));
    assert_eq!(flush(TailMedium::File, None), Ok(None));
}

#[test]
fn one_writer_a_range() {
    let dir = in_memory();
    let (_, tail) = create(&dir, MediumAsk::Emulated);
    let lane = tail.lane(128, 256).unwrap();
    assert_eq!(tail.lane(320, 64).unwrap_err(), RangeTaken { at: 320, end: 384 });
    let next = tail.lane(384, LEN - 384).unwrap();
    for (at, len) in [(0, 192), (LEN, 64), (64, 8), (0, 0), (u64::MAX - 63, 64)] {
        tail.lane(at, len).unwrap_err();
    }
    drop(lane);
    tail.lane(320, 64).unwrap();
    drop((tail, next));
}

#[test]
fn out_of_bounds_is_a_panic() {
    let dir = in_memory();
    let (_, tail) = create(&dir, MediumAsk::Emulated);
    let mut lane = tail.lane(4096, 4096).unwrap();
    let panics = |work: &mut dyn FnMut()| {
        let hook = catch_unwind(AssertUnwindSafe(work));
        assert!(hook.is_err());
    };
    panics(&mut || lane.store(4090, b"1234567"));
    panics(&mut || lane.store(usize::MAX, b"1"));
    panics(&mut || lane.stream(4096, &[0; 64]));
    panics(&mut || lane.stream(32, &[0; 64]));
    panics(&mut || lane.stream(0, &[0; 63]));
    panics(&mut || lane.store_word(4096, 1));
    panics(&mut || lane.store_word(4, 1));
    panics(&mut || lane.flush(1, 4096));
    panics(&mut || lane.flush(1, usize::MAX));
    panics(&mut || assert!(lane.bytes_mut(4097, 0).is_empty()));
    panics(&mut || drop(tail.read(LEN - 1, &mut [0; 2])));
    panics(&mut || drop(tail.read(u64::MAX, &mut [0; 2])));
    panics(&mut || drop(tail.persist(1, LEN)));
    panics(&mut || drop(tail.write(LEN, b"x")));
    panics(&mut || drop(tail.write(8190, b"into the lane")));
    // At the very edges, and after all that, it still works.
    lane.store(4096, b"");
    lane.flush(4096, 0);
    lane.store_word(4088, 7);
    lane.fence().unwrap();
    tail.write(4095, b"x").unwrap();
    tail.write(8192, b"x").unwrap();
    assert_eq!(read(&*tail, 8184, 8), 7u64.to_ne_bytes());
    assert!(lane.bytes_mut(0, 4096)[..4088].iter().all(|b| *b == 0));
}

#[test]
fn refusals_are_typed() {
    let [memory, disk] = directories();
    let options = asking(MediumAsk::Auto);
    let path = disk.path().join("tail");
    let open = |path: &Path| Mapped::open(path, &options).unwrap_err();
    assert!(matches!(open(&path), MapError::Missing { .. }));
    assert!(matches!(MappedView::open(&path).unwrap_err(), MapError::Missing { .. }));
    for len in [0, 4096, ALIGN + 1] {
        let refused = Mapped::create(&path, len, &options).unwrap_err();
        assert!(matches!(refused, MapError::Foreign { .. }) && !path.exists(), "{refused}");
    }
    std::fs::write(&path, [1; 4096]).unwrap();
    assert!(matches!(open(&path), MapError::Foreign { .. }));
    assert!(matches!(Mapped::create(&path, LEN, &options).unwrap_err(), MapError::Exists { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), [1; 4096], "a stranger's file is left alone");
    let link = disk.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(open(&link), MapError::Foreign { .. }));
    assert!(matches!(open(disk.path()), MapError::Foreign { .. }));
    assert!(matches!(MappedView::open(disk.path()).unwrap_err(), MapError::Foreign { .. }));
    let unfit = Mapped::create(memory.path().join("tail"), LEN, &asking(MediumAsk::Page)).unwrap_err();
    assert!(matches!(unfit, MapError::Unfit { .. }), "{unfit}");
    let full = Mapped::create(memory.path().join("tail"), 1 << 50, &options).unwrap_err();
    assert!(matches!(full, MapError::Full { .. }) && !memory.path().join("tail").exists(), "{full}");
}

#[test]
fn reading_beside_a_writer_yields_words_that_were_written() {
    let dir = in_memory();
    let (path, tail) = create(&dir, MediumAsk::Emulated);
    let view = MappedView::open(path).unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for round in 0..2000u64 {
                for word in 0..512 {
                    lane.store_word(word * 8, round << 32 | !round & 0xffff_ffff);
                }
            }
        });
        while !writer.is_finished() {
            for word in read(&view, 0, 4096).as_chunks::<8>().0 {
                let word = u64::from_ne_bytes(*word);
                assert!(word == 0 || word >> 32 == !word & 0xffff_ffff, "torn: {word:#x}");
            }
        }
    });
}
