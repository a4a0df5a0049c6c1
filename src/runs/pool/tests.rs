use tierlog_tiers::nvme::{Directory, DirectoryOptions};

use super::*;

const SEGMENT_BYTES: u64 = 65536;

fn directory() -> (tempfile::TempDir, Arc<Directory>) {
    let dir = tempfile::tempdir().unwrap();
    let nvme = Directory::open(dir.path(), &DirectoryOptions::default()).unwrap();
    (dir, Arc::new(nvme))
}

#[test]
fn files_made_for_one_pass_are_not_used_again() {
    let (_dir, nvme) = directory();
    let pool = Pool::new(nvme.clone(), PoolLimits::plain(SEGMENT_BYTES), &[], Vec::new());
    let lens = [4096, SEGMENT_BYTES, 2 * SEGMENT_BYTES].map(|bytes| {
        let (number, file) = pool.make_for(bytes).unwrap();
        (number, file.len())
    });
    assert_eq!(lens, [(1, 4096), (2, SEGMENT_BYTES), (3, SEGMENT_BYTES)]);
    pool.give_back(1);
    assert_eq!((pool.free(), nvme.files().unwrap()), (0, vec![FileName::Segment(2), FileName::Segment(3)]));
}

#[test]
fn files_are_open_before_they_are_taken() {
    let (_dir, nvme) = directory();
    let limits = PoolLimits { spare: 2, ..PoolLimits::plain(SEGMENT_BYTES) };
    let pool = Pool::new(nvme.clone(), limits, &[], Vec::new());
    while pool.prepare(0, Haste::Now).unwrap() {}
    let (number, file, made) = pool.take().unwrap();
    assert_eq!((number, made, pool.state().open()), (2, false, 1));
    // Full, and used again: opened for the next one, and its first handle is in nobody's way.
    pool.put_away(file);
    pool.give_back(number);
    while pool.prepare(0, Haste::Now).unwrap() {}
    assert_eq!((pool.free(), pool.state().open()), (2, 2));
    // Nothing is opened now: the names are gone.
    nvme.files().unwrap().into_iter().for_each(|name| nvme.remove(name).unwrap());
    let mut taken = [(); 2].map(|()| pool.take().unwrap().0);
    taken.sort_unstable();
    assert_eq!(taken, [1, 2]);
}

#[test]
fn files_that_are_wanted_again_stay_and_others_go_after_a_while() {
    let (_dir, nvme) = directory();
    let limits = PoolLimits { free_max: 1, ..PoolLimits::plain(SEGMENT_BYTES) };
    let pool = Pool::new(nvme.clone(), limits, &[], Vec::new());
    let mut now = Duration::ZERO;
    pool.remove_surplus(now).unwrap();
    let mut look = || {
        now += SURPLUS_AFTER;
        (0..5).for_each(|_| pool.remove_surplus(now).unwrap());
        (pool.free(), nvme.files().unwrap().len())
    };
    for round in 0..3 {
        let taken = [(); 4].map(|()| pool.take().unwrap());
        assert_eq!(taken.iter().filter(|(_, _, made)| *made).count(), if round == 0 { 4 } else { 0 });
        taken.into_iter().for_each(|(number, ..)| pool.give_back(number));
        assert_eq!(look(), (4, 4), "all of them were wanted");
    }
    assert_eq!(look(), (1, 1));
}

#[test]
fn free_files_go_at_once_where_the_reserve_needs_their_room() {
    let (_dir, nvme) = directory();
    let plain = PoolLimits::plain(SEGMENT_BYTES);
    let limits =
        PoolLimits { free_max: 1, reserve_bytes: SEGMENT_BYTES, quota_bytes: 3 * SEGMENT_BYTES, ..plain };
    let pool = Pool::new(nvme, limits, &[], Vec::new());
    let taken = [(); 3].map(|()| pool.take().unwrap().0);
    pool.recovered();
    taken.into_iter().for_each(|number| pool.give_back(number));
    let reserved = || {
        pool.refill_reserve().unwrap();
        let reserved = pool.bytes().1;
        pool.remove_surplus(Duration::ZERO).unwrap();
        (reserved, pool.free())
    };
    let looks = [(); 3].map(|()| reserved());
    assert_eq!(looks, [(0, 2), (SEGMENT_BYTES, 2), (SEGMENT_BYTES, 2)]);
}

#[test]
fn whole_files_are_used_again_and_others_replaced() {
    let (_dir, nvme) = directory();
    for (number, len) in [(1, SEGMENT_BYTES), (2, 4096)] {
        drop(nvme.create(FileName::Segment(number), len).unwrap());
    }
    let pool = Pool::new(nvme.clone(), PoolLimits::plain(SEGMENT_BYTES), &nvme.files().unwrap(), vec![1, 2]);
    let (number, file, made) = pool.take().unwrap();
    assert_eq!((number, file.len(), made), (1, SEGMENT_BYTES, false), "2 was left unfinished");
    drop(file);
    pool.give_back(1);
    assert_eq!((pool.free(), nvme.files().unwrap()), (1, vec![FileName::Segment(1)]));
}
