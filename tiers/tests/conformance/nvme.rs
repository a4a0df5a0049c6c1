//! What a directory of files promises.

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use tierlog_tiers::nvme::{Block, Directory, DirectoryOptions, FileName, Nvme, NvmeFile};
use tierlog_tiers::sim::{NvmeOptions, World, WorldOptions};

const SEGMENT: FileName = FileName::Segment(7);

/// Where one directory is: each call is another owner of it.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Nvme>;
}

/// A directory on the disk of the build, by io_uring or without.
struct Real(tempfile::TempDir, bool);

impl Real {
    fn new(uring: bool) -> Real {
        let exe = std::env::current_exe().unwrap();
        Real(tempfile::tempdir_in(exe.parent().unwrap()).unwrap(), uring)
    }
}

impl Place for Real {
    fn open(&self) -> Arc<dyn Nvme> {
        let options = DirectoryOptions { uring: self.1, lock_wait_ms_max: 0, ..DirectoryOptions::default() };
        Arc::new(Directory::open(self.0.path(), &options).unwrap())
    }
}

struct Simulated(World);

impl Simulated {
    fn new(sector_bytes: u64, volatile_cache: bool) -> Simulated {
        let nvme = vec![NvmeOptions { sector_bytes, volatile_cache, ..NvmeOptions::default() }];
        Simulated(World::new(&WorldOptions { nvme, ..WorldOptions::default() }))
    }
}

impl Place for Simulated {
    fn open(&self) -> Arc<dyn Nvme> {
        self.0.nvme(0)
    }
}

fn pattern(len: usize, seed: u64) -> Block {
    let mut block = Block::zeroed(len);
    let mut state = seed | 1;
    for word in block.chunks_exact_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.copy_from_slice(&state.to_le_bytes());
    }
    block
}

fn read(file: &dyn NvmeFile, at: u64, len: usize) -> Block {
    let mut block = Block::zeroed(len);
    file.read(at, &mut block).unwrap();
    block
}

fn kind<T: Debug>(outcome: io::Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

fn a_new_file_is_zeros(place: &impl Place) {
    let file = place.open().create(SEGMENT, 65536).unwrap();
    assert_eq!((file.name(), file.len(), file.is_empty()), (SEGMENT, 65536, false));
    assert!(read(&*file, 0, 65536).iter().all(|byte| *byte == 0));
}

fn an_allocated_file_is_zeros_and_written_once(place: &impl Place) {
    let nvme = place.open();
    let file = nvme.allocate(SEGMENT, 65536).unwrap();
    assert_eq!((file.name(), file.len(), file.is_empty()), (SEGMENT, 65536, false));
    assert!(read(&*file, 0, 65536).iter().all(|byte| *byte == 0));
    let mut queue = nvme.queue().unwrap();
    for at in (0..65536).step_by(16384) {
        queue.write(&file, at, pattern(16384, at)).unwrap();
    }
    queue.settle().unwrap();
    let reader = nvme.open(SEGMENT, false).unwrap();
    for at in (0..65536).step_by(16384) {
        assert!(read(&*reader, at, 16384)[..] == pattern(16384, at)[..], "{at}");
    }
    assert_eq!(kind(nvme.allocate(SEGMENT, 65536)), ErrorKind::AlreadyExists);
}

fn what_is_written_is_read(place: &impl Place) {
    let nvme = place.open();
    let file = nvme.create(SEGMENT, 1 << 20).unwrap();
    let reader = place.open().open(SEGMENT, false).unwrap();
    for (at, len) in [(0, 4096), (4096, 65536), (8192, 8192), ((1 << 20) - 4096, 4096)] {
        let run = pattern(len, at);
        file.write_durable(at, &run).unwrap();
        assert!(read(&*file, at, len)[..] == run[..], "{at}+{len}");
        assert!(read(&*reader, at, len)[..] == run[..], "{at}+{len}");
    }
    file.flush().unwrap();
    drop(file);
    assert!(read(&*nvme.open(SEGMENT, true).unwrap(), 0, 4096)[..] == pattern(4096, 0)[..]);
}

fn nothing_goes_beyond_the_end_or_off_the_grid(place: &impl Place) {
    let nvme = place.open();
    let file = nvme.create(SEGMENT, 16384).unwrap();
    let mut block = Block::zeroed(8192);
    assert_eq!(kind(file.read(12288, &mut block)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(file.read(u64::MAX - 4095, &mut block)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(file.read(100, &mut block)), ErrorKind::InvalidInput);
    assert_eq!(kind(file.write_durable(12288, &block)), ErrorKind::InvalidInput);
    assert_eq!(kind(file.write_durable(100, &block)), ErrorKind::InvalidInput);
    let mut queue = nvme.queue().unwrap();
    assert_eq!(kind(queue.write(&file, 12288, Block::zeroed(8192))), ErrorKind::InvalidInput);
    assert_eq!(kind(queue.write(&file, 100, Block::zeroed(4096))), ErrorKind::InvalidInput);
    queue.settle().unwrap();
    for len in [0, 100, 4097] {
        assert_eq!(kind(nvme.create(FileName::Superblock, len)), ErrorKind::InvalidInput);
    }
    assert_eq!(nvme.files().unwrap(), [SEGMENT]);
}

fn names_are_listed_in_order_and_told_apart(place: &impl Place) {
    let nvme = place.open();
    assert_eq!(nvme.files().unwrap(), []);
    let names =
        [FileName::Superblock, FileName::Watermarks, FileName::Segment(0), FileName::Segment(u32::MAX)];
    for (at, name) in names.iter().enumerate().rev() {
        let file = nvme.create(*name, 4096).unwrap();
        file.write_durable(0, &pattern(4096, at as u64 * 2)).unwrap();
    }
    assert_eq!(nvme.files().unwrap(), names);
    for (at, name) in names.iter().enumerate() {
        let file = nvme.open(*name, false).unwrap();
        assert!(read(&*file, 0, 4096)[..] == pattern(4096, at as u64 * 2)[..], "{name}");
    }
    assert_eq!(kind(nvme.create(FileName::Superblock, 4096)), ErrorKind::AlreadyExists);
    nvme.remove(FileName::Segment(0)).unwrap();
    assert_eq!(kind(nvme.remove(FileName::Segment(0))), ErrorKind::NotFound);
    for write in [false, true] {
        assert_eq!(kind(nvme.open(FileName::Segment(0), write)), ErrorKind::NotFound);
    }
    assert_eq!(place.open().files().unwrap(), [names[0], names[1], names[3]]);
    let error = nvme.open(FileName::Segment(0), true).unwrap_err().to_string();
    assert!(error.contains("00000000.seg"), "{error}");
}

fn a_file_has_one_writer(place: &impl Place) {
    let (nvme, other) = (place.open(), place.open());
    let created = nvme.create(SEGMENT, 4096).unwrap();
    for owner in [&nvme, &other] {
        assert_eq!(kind(owner.open(SEGMENT, true)), ErrorKind::WouldBlock);
        owner.open(SEGMENT, false).unwrap();
    }
    let mut queue = nvme.queue().unwrap();
    queue.write(&created, 0, pattern(4096, 1)).unwrap();
    drop(created);
    queue.settle().unwrap();
    drop(queue);
    let opened = other.open(SEGMENT, true).unwrap();
    assert_eq!(kind(nvme.open(SEGMENT, true)), ErrorKind::WouldBlock);
    drop(opened);
    nvme.open(SEGMENT, true).unwrap();
}

fn a_reader_cannot_write(place: &impl Place) {
    let nvme = place.open();
    drop(nvme.create(SEGMENT, 4096).unwrap());
    let reader = nvme.open(SEGMENT, false).unwrap();
    assert_eq!(kind(reader.write_durable(0, &Block::zeroed(4096))), ErrorKind::PermissionDenied);
}

fn a_removed_file_lives_on_for_those_who_have_it(place: &impl Place) {
    let nvme = place.open();
    let old = nvme.create(SEGMENT, 8192).unwrap();
    nvme.remove(SEGMENT).unwrap();
    let new = nvme.create(SEGMENT, 4096).unwrap();
    old.write_durable(0, &pattern(8192, 1)).unwrap();
    assert!(read(&*old, 0, 8192)[..] == pattern(8192, 1)[..]);
    assert!(read(&*new, 0, 4096).iter().all(|byte| *byte == 0));
    drop(old);
    assert_eq!(kind(nvme.open(SEGMENT, true)), ErrorKind::WouldBlock, "the new one is held");
}

fn queues_write_several_files(place: &impl Place) {
    let nvme = place.open();
    let files: Vec<Arc<dyn NvmeFile>> =
        (0..3).map(|number| nvme.create(FileName::Segment(number), 1 << 20).unwrap()).collect();
    let mut queue = nvme.queue().unwrap();
    let runs: Vec<(usize, u64, usize)> =
        (0..90).map(|run| (run % 3, (run / 3 * 16384) as u64, [4096, 8192, 16384][run % 7 % 3])).collect();
    for lap in 1..=2 {
        for &(file, at, len) in &runs {
            let mut block = queue.block(len);
            assert_eq!(block.len(), len);
            block.copy_from_slice(&pattern(len, at + file as u64 * lap));
            queue.write(&files[file], at, block).unwrap();
        }
        queue.settle().unwrap();
        queue.settle().unwrap();
        for &(file, at, len) in &runs {
            assert!(read(&*files[file], at, len)[..] == pattern(len, at + file as u64 * lap)[..]);
        }
    }
}

fn a_dropped_queue_has_written_what_it_was_given(place: &impl Place) {
    let nvme = place.open();
    let file = nvme.create(SEGMENT, 1 << 20).unwrap();
    let mut queue = nvme.queue().unwrap();
    for run in 0..8 {
        queue.write(&file, run << 17, pattern(1 << 17, run * 2)).unwrap();
    }
    drop(queue);
    for run in 0..8 {
        assert!(read(&*file, run << 17, 1 << 17)[..] == pattern(1 << 17, run * 2)[..]);
    }
}

macro_rules! directories {
    ($($name:ident: $place:expr),* $(,)?) => {
        $(
            mod $name {
                use super::*;
                crate::suite!(nvme, $place, [
                    a_new_file_is_zeros,
                    an_allocated_file_is_zeros_and_written_once,
                    what_is_written_is_read,
                    nothing_goes_beyond_the_end_or_off_the_grid,
                    names_are_listed_in_order_and_told_apart,
                    a_file_has_one_writer,
                    a_reader_cannot_write,
                    a_removed_file_lives_on_for_those_who_have_it,
                    queues_write_several_files,
                    a_dropped_queue_has_written_what_it_was_given,
                ]);
            }
        )*
    };
}

directories! {
    uring: Real::new(true),
    plain: Real::new(false),
    simulated: Simulated::new(512, true),
    simulated_without_cache: Simulated::new(4096, false),
}
