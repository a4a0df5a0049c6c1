//! What a tail promises.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tierlog_tiers::sim::{SimTail, TailOptions, World, WorldOptions};
use tierlog_tiers::tail::{
    ALIGN, MapError, MapOptions, Mapped, MappedView, MediumAsk, Tail, TailLane, TailMedium, TailRead,
};

/// Where one tail can be.
pub(crate) trait Place {
    type Tail: Tail;
    fn create(&self) -> Result<Arc<Self::Tail>, MapError>;
    fn open(&self) -> Result<Arc<Self::Tail>, MapError>;
    fn view(&self) -> Result<Arc<dyn TailRead>, MapError>;
}

/// A file in memory, or for msync on the disk of the build.
struct Real(tempfile::TempDir, MediumAsk);

impl Real {
    fn new(ask: MediumAsk) -> Real {
        let exe = std::env::current_exe().unwrap();
        let parent = if ask == MediumAsk::Page { exe.parent().unwrap() } else { Path::new("/dev/shm") };
        Real(tempfile::tempdir_in(parent).unwrap(), ask)
    }

    fn options(&self) -> MapOptions {
        MapOptions { ask: self.1, lock_wait_ms_max: 0, ..MapOptions::default() }
    }
}

impl Place for Real {
    type Tail = Mapped;

    fn create(&self) -> Result<Arc<Mapped>, MapError> {
        Mapped::create(self.0.path().join("tail"), ALIGN, &self.options()).map(Arc::new)
    }

    fn open(&self) -> Result<Arc<Mapped>, MapError> {
        Mapped::open(self.0.path().join("tail"), &self.options()).map(Arc::new)
    }

    fn view(&self) -> Result<Arc<dyn TailRead>, MapError> {
        Ok(Arc::new(MappedView::open(self.0.path().join("tail"))?))
    }
}

struct Simulated(World);

impl Simulated {
    fn new(medium: TailMedium) -> Simulated {
        let tails = vec![TailOptions { medium, ..TailOptions::default() }];
        Simulated(World::new(&WorldOptions { tails, ..WorldOptions::default() }))
    }
}

impl Place for Simulated {
    type Tail = SimTail;

    fn create(&self) -> Result<Arc<SimTail>, MapError> {
        self.0.create_tail(0, ALIGN)
    }

    fn open(&self) -> Result<Arc<SimTail>, MapError> {
        self.0.open_tail(0)
    }

    fn view(&self) -> Result<Arc<dyn TailRead>, MapError> {
        Ok(self.0.view_tail(0)?)
    }
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn read(tail: &dyn TailRead, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    tail.read(at, &mut bytes).unwrap();
    bytes
}

fn panics(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

fn a_new_tail_is_zeros(place: &impl Place) {
    let tail = place.create().unwrap();
    assert_eq!((tail.len(), tail.is_empty()), (ALIGN, false));
    assert!(read(&*tail, 0, ALIGN as usize).iter().all(|byte| *byte == 0));
    assert!(!tail.describe().is_empty());
}

fn what_is_stored_is_read(place: &impl Place) {
    let tail = place.create().unwrap();
    let view = place.view().unwrap();
    let mut lane = tail.lane(4096, 65536).unwrap();
    assert_eq!((lane.len(), lane.is_empty()), (65536, false));
    for (at, len) in [(0, 1), (3, 7), (60, 9), (4090, 5000), (65535, 1), (100, 0)] {
        let bytes = pattern(len, at as u8);
        lane.store(at, &bytes);
        lane.flush(at, len);
        lane.fence().unwrap();
        assert_eq!(lane.bytes(at, len), bytes);
        assert_eq!(read(&*tail, 4096 + at as u64, len), bytes);
        assert_eq!(read(&*view, 4096 + at as u64, len), bytes);
    }
    for (at, len) in [(0, 64), (128, 4096), (65536 - 64, 64)] {
        let bytes = pattern(len, len as u8);
        lane.stream(at, &bytes);
        lane.fence().unwrap();
        assert_eq!(read(&*view, 4096 + at as u64, len), bytes);
        assert_eq!(lane.bytes(at, len), bytes);
    }
    let words: Vec<u64> =
        pattern(64, 5).as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    lane.stream_line(192, words.try_into().unwrap());
    lane.fence().unwrap();
    assert_eq!(read(&*view, 4096 + 192, 64), pattern(64, 5));
    lane.store_word(72, 0x0102_0304_0506_0708);
    assert_eq!(read(&*tail, 4096 + 72, 8), [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(read(&*tail, 0, 4096), [0; 4096], "nothing before the lane");
    let mut seen = Vec::new();
    let load = |words: &[AtomicU64]| words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    view.look(4096, 65536, &mut |words| seen = load(words)).unwrap();
    let bytes: Vec<u8> = seen.into_iter().flat_map(u64::to_ne_bytes).collect();
    assert_eq!(bytes, read(&*tail, 4096, 65536));
}

fn what_is_written_in_place_is_read_after_the_next_fence(place: &impl Place) {
    let tail = place.create().unwrap();
    let mut lane = tail.lane(64, 8192).unwrap();
    lane.store(100, &[9; 50]);
    let slice = lane.bytes_mut(90, 40);
    assert_eq!(slice[..20], [[0; 10], [9; 10]].concat());
    slice[5..30].copy_from_slice(&pattern(25, 1));
    assert_eq!(lane.bytes(95, 25), pattern(25, 1));
    lane.store(95, &[7]);
    lane.flush(90, 40);
    lane.fence().unwrap();
    assert_eq!(read(&*tail, 64 + 95, 26), [&[7][..], &pattern(25, 1)[1..], &[9]].concat());
    lane.bytes_mut(0, 8).fill(3);
    drop(lane);
    assert_eq!(read(&*tail, 64, 9), [3, 3, 3, 3, 3, 3, 3, 3, 0]);
}

fn a_range_has_one_writer(place: &impl Place) {
    let tail = place.create().unwrap();
    let first = tail.lane(4096, 4096).unwrap();
    for (at, len) in [(4096, 64), (8128, 64), (0, 8192), (64, 0), (1, 64), (64, 63), (ALIGN - 64, 128)] {
        let refused = tail.lane(at, len).unwrap_err();
        assert_eq!((refused.at, refused.end), (at, at + len));
    }
    let _beside = (tail.lane(0, 4096).unwrap(), tail.lane(8192, 64).unwrap());
    assert!(panics(|| tail.write(8191, &[1]).unwrap()), "a cold write into a lane");
    drop(first);
    tail.write(8191, &[1]).unwrap();
    tail.lane(4096, 4096).unwrap();
}

fn nothing_goes_out_of_bounds(place: &impl Place) {
    let tail = place.create().unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    assert!(panics(|| lane.store(4090, &[0; 7])));
    assert!(panics(|| lane.stream(4096, &[0; 64])));
    assert!(panics(|| lane.stream(32, &[0; 64])), "not on a line");
    assert!(panics(|| lane.stream_line(4096, [0; 8])));
    assert!(panics(|| lane.stream_line(32, [0; 8])), "not on a line");
    assert!(panics(|| lane.store_word(4092, 1)));
    assert!(panics(|| lane.store_word(4, 1)), "not on a word");
    assert!(panics(|| lane.flush(4096, 1)));
    assert!(panics(|| _ = lane.bytes(usize::MAX, 2)));
    assert!(panics(|| _ = lane.bytes_mut(4096, 1)));
    assert!(panics(|| tail.read(ALIGN - 1, &mut [0; 2]).unwrap()));
    assert!(panics(|| tail.write(ALIGN - 1, &[0; 2]).unwrap()));
    assert!(panics(|| tail.persist(u64::MAX, 2).unwrap()));
    lane.fence().unwrap();
}

fn cold_writes_lie_anywhere(place: &impl Place) {
    let tail = place.create().unwrap();
    for (at, len) in [(0, 1), (63, 2), (4000, 10_000), (ALIGN - 3, 3)] {
        tail.write(at, &pattern(len, 5)).unwrap();
        assert_eq!(read(&*tail, at, len), pattern(len, 5));
        tail.persist(at, len as u64).unwrap();
    }
}

fn the_crossover_is_in_its_bounds(place: &impl Place) {
    let tail = place.create().unwrap();
    let crossover = tail.lane(0, 64).unwrap().crossover();
    let by_line =
        matches!(tail.medium(), TailMedium::FsDax { .. } | TailMedium::DevDax { .. } | TailMedium::Emulated);
    assert_eq!(by_line, crossover != usize::MAX);
    assert!(!by_line || (64..=4096).contains(&crossover), "{crossover}");
}

fn one_owner_and_what_it_stored_stays(place: &impl Place) {
    assert!(matches!(place.open(), Err(MapError::Missing { .. })));
    assert!(matches!(place.view(), Err(MapError::Missing { .. })));
    let tail = place.create().unwrap();
    assert!(matches!(place.create(), Err(MapError::Exists { .. })));
    assert!(matches!(place.open(), Err(MapError::Held { .. })));
    let mut lane = tail.lane(64, 64).unwrap();
    lane.store_word(0, 42);
    drop(tail);
    assert!(matches!(place.open(), Err(MapError::Held { .. })), "a lane keeps its tail");
    drop(lane);
    let again = place.open().unwrap();
    assert_eq!(read(&*again, 64, 8), 42u64.to_le_bytes());
    assert_eq!(again.len(), ALIGN);
}

/// A reader beside the writer sees each word as it was stored, never a mixture.
fn words_are_never_torn(place: &impl Place) {
    let tail = place.create().unwrap();
    let (view, stop) = (place.view().unwrap(), AtomicBool::new(false));
    let mut lane = tail.lane(0, 64).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let word = read(&*view, 8, 8);
                assert!(word.iter().all(|byte| *byte == word[0]), "{word:?}");
            }
        });
        for round in 0..20_000u64 {
            lane.store_word(8, 0x0101_0101_0101_0101 * (round % 251));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn a_lane_moves_between_threads(place: &impl Place) {
    let tail = place.create().unwrap();
    let mut lane = tail.lane(0, 4096).unwrap();
    for round in 1..5u8 {
        lane = thread::spawn(move || {
            lane.store(usize::from(round), &[round]);
            lane.flush(usize::from(round), 1);
            lane.fence().unwrap();
            lane
        })
        .join()
        .unwrap();
    }
    assert_eq!(read(&*tail, 0, 6), [0, 1, 2, 3, 4, 0]);
}

macro_rules! tails {
    ($($name:ident: $place:expr),* $(,)?) => {
        $(
            mod $name {
                use super::*;
                crate::suite!(tail, $place, [
                    a_new_tail_is_zeros,
                    what_is_stored_is_read,
                    what_is_written_in_place_is_read_after_the_next_fence,
                    a_range_has_one_writer,
                    nothing_goes_out_of_bounds,
                    cold_writes_lie_anywhere,
                    the_crossover_is_in_its_bounds,
                    one_owner_and_what_it_stored_stays,
                    words_are_never_torn,
                    a_lane_moves_between_threads,
                ]);
            }
        )*
    };
}

tails! {
    emulated: Real::new(MediumAsk::Emulated),
    page: Real::new(MediumAsk::Page),
    file: Real::new(MediumAsk::File),
    simulated_adr: Simulated::new(TailMedium::FsDax { eadr: false }),
    simulated_eadr: Simulated::new(TailMedium::FsDax { eadr: true }),
    simulated_emulated: Simulated::new(TailMedium::Emulated),
    simulated_page: Simulated::new(TailMedium::Page),
    simulated_file: Simulated::new(TailMedium::File),
}
