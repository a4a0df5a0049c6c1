//! What the models put below the engine: memory that loom watches, time that stands still, files that are there.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64 as Counter, Ordering::Relaxed as Plain};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use tierlog_tiers::clock::Clock;
use tierlog_tiers::nvme::{Block, FileName, Nvme, NvmeFile, RunQueue};
use tierlog_tiers::page::Page;
use tierlog_tiers::sync::atomic::{AtomicU64, Ordering};
use tierlog_tiers::sync::thread;
use tierlog_tiers::tail::{Fault, TailLane, TailRead};

use crate::board::Board;
use crate::catalogue::Catalogue;
use crate::format::{EpochRange, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::geometry::Geometry;
use crate::host::{Bell, Env};
use crate::lane::{Core, Ring, Room};
use crate::media::{Horizon, Media, RINGS_AT};
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};
use crate::order::Order;

const OPEN: (Epoch, Incarnation) = (Epoch(1), Incarnation(7));
const LOG: LogId = LogId([1; 16]);

/// `lanes` lanes, with slots that take `lines` lines of frames each.
pub(super) fn geometry(lanes: u32, lines: u64) -> Geometry {
    let segment_bytes = SEGMENT_HEADER_BYTES as u64 + lines * 64;
    Geometry { tails: 1, lanes, segment_bytes, segments: 3, nvme_segment_bytes: 8192 }
}

pub(super) fn board(geometry: &Geometry) -> Board {
    Board::owned(Page::heap(Board::words(geometry)).unwrap(), geometry)
}

/// A clock that stands.
#[derive(Debug)]
struct Standing(u64);

impl Clock for Standing {
    fn now_ns(&self) -> u64 {
        self.0
    }

    fn describe(&self) -> String {
        "stands".into()
    }

    fn trusted(&self) -> bool {
        true
    }
}

/// An order that draws from a clock which says `now_ns`.
pub(super) fn order(now_ns: u64) -> Order {
    Order::new(Arc::new(Standing(now_ns)), env())
}

/// Each look at the time is a millisecond after the last one; whoever sleeps lets the others go first.
#[derive(Debug, Default)]
struct Time(Counter);

pub(super) fn env() -> Arc<dyn Env> {
    Arc::new(Time::default())
}

impl Env for Time {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Plain))
    }

    fn sleep(&self, _: Duration) {
        thread::yield_now();
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        bell.listen(heard, how_long);
    }

    fn random(&self, into: &mut [u8]) {
        into.fill(1);
    }

    fn threads(&self) -> usize {
        1
    }
}

/// A lane's ring, seen by its writer and its readers. A plain store is a relaxed one of each word, as the processor
/// makes it; readers copy with relaxed loads as those of a mapped tail do.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    words: Arc<[AtomicU64]>,
    /// What the writer stored last: the same once more is no choice for a relaxed load.
    last: Arc<[Counter]>,
}

impl Memory {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let words = geometry.ring_bytes() * u64::from(geometry.lanes) / 8;
        let words = (0..words).map(|_| AtomicU64::new(0)).collect::<Arc<[_]>>();
        let last = words.iter().map(|_| Counter::new(0)).collect();
        Memory { words, last }
    }

    /// The word at an offset of the first ring.
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        &self.words[at / 8]
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        for (i, word) in bytes.chunks(8).enumerate() {
            let word = u64::from_le_bytes(word.try_into().expect("models store whole words"));
            if self.last[at / 8 + i].swap(word, Plain) != word {
                self.word(at + i * 8).store(word, Ordering::Relaxed);
            }
        }
    }
}

impl TailRead for Memory {
    fn len(&self) -> u64 {
        RINGS_AT + self.words.len() as u64 * 8
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        let at = (at - RINGS_AT) as usize;
        for (i, word) in out.chunks_mut(8).enumerate() {
            let len = word.len();
            word.copy_from_slice(&self.word(at + i * 8).load(Ordering::Relaxed).to_le_bytes()[..len]);
        }
        Ok(())
    }
}

/// The writer's side. Nothing is lost here, so a flush and a fence do nothing.
impl TailLane for Memory {
    fn len(&self) -> usize {
        self.words.len() * 8
    }

    fn crossover(&self) -> usize {
        usize::MAX
    }

    fn store(&mut self, at: usize, bytes: &[u8]) {
        self.put(at, bytes);
    }

    fn stream(&mut self, at: usize, bytes: &[u8]) {
        self.put(at, bytes);
    }

    fn store_word(&mut self, at: usize, word: u64) {
        self.last[at / 8].store(word, Plain);
        self.word(at).store(word, Ordering::Release);
    }

    fn bytes(&self, _: usize, _: usize) -> &[u8] {
        unreachable!("no model claims")
    }

    fn bytes_mut(&mut self, _: usize, _: usize) -> &mut [u8] {
        unreachable!("no model claims")
    }

    fn flush(&mut self, _: usize, _: usize) {}

    fn fence(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

pub(super) fn segment_header(lane: Lane) -> SegmentHeader {
    let (epoch, incarnation) = OPEN;
    SegmentHeader { log: LOG, lane, epoch, incarnation, sequence: 0, first: Lsn(0), gsn_before: Gsn(0) }
}

/// A lane's writing side over `memory`, which it has for itself.
pub(super) fn core<M: TailLane>(memory: M, lane: Lane, geometry: &Geometry) -> Core<M> {
    let header = segment_header(lane);
    let ring = Ring::new(memory, geometry, header);
    Core::new(ring, lane, header.seal(), Gsn(0), geometry, false)
}

/// Appends one frame of one word; false if the ring is full.
pub(super) fn append<M: TailLane>(core: &mut Core<M>, board: &Board, word: u64) -> bool {
    let mut room = core.room(8);
    if room == Room::Next {
        room = core.next_segment(board);
    }
    let room = room == Room::Yes;
    if room {
        core.append(board, 0, &word.to_le_bytes());
    }
    room
}

/// Memory of which nobody reads more than the newest stamp; loom need not watch it, for it is read behind a publication.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps(Arc<Counter>);

impl Stamps {
    pub(super) fn newest(&self) -> Gsn {
        Gsn(self.0.load(Plain))
    }
}

impl TailLane for Stamps {
    fn len(&self) -> usize {
        usize::MAX
    }

    fn crossover(&self) -> usize {
        usize::MAX
    }

    fn store(&mut self, _: usize, _: &[u8]) {}

    fn stream(&mut self, _: usize, _: &[u8]) {}

    fn store_word(&mut self, at: usize, word: u64) {
        if at % 64 == 16 {
            self.0.store(word, Plain);
        }
    }

    fn bytes(&self, _: usize, _: usize) -> &[u8] {
        unreachable!("no model claims")
    }

    fn bytes_mut(&mut self, _: usize, _: usize) -> &mut [u8] {
        unreachable!("no model claims")
    }

    fn flush(&mut self, _: usize, _: usize) {}

    fn fence(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Files in memory. The kernel orders reads and writes of a file, so loom need not watch them.
#[derive(Debug, Default)]
pub(super) struct Files(Lock<BTreeMap<FileName, Arc<File>>>);

#[derive(Debug)]
struct File(FileName, Lock<Vec<u8>>);

impl Files {
    pub(super) fn none() -> Arc<Files> {
        Arc::default()
    }
}

impl Nvme for Files {
    fn files(&self) -> io::Result<Vec<FileName>> {
        Ok(self.0.lock().unwrap().keys().copied().collect())
    }

    fn create(&self, name: FileName, len: u64) -> io::Result<Arc<dyn NvmeFile>> {
        let file = Arc::new(File(name, Lock::new(vec![0; len as usize])));
        self.0.lock().unwrap().insert(name, file.clone());
        Ok(file)
    }

    fn open(&self, name: FileName, _: bool) -> io::Result<Arc<dyn NvmeFile>> {
        let file = self.0.lock().unwrap().get(&name).cloned();
        Ok(file.ok_or(io::ErrorKind::NotFound)?)
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        self.0.lock().unwrap().remove(&name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn queue(&self) -> io::Result<Box<dyn RunQueue>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn power_safe(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        "files in memory".into()
    }

    fn fingerprint(&self) -> io::Result<u64> {
        Ok(0)
    }
}

impl NvmeFile for File {
    fn name(&self) -> FileName {
        self.0
    }

    fn len(&self) -> u64 {
        self.1.lock().unwrap().len() as u64
    }

    fn read(&self, at: u64, into: &mut Block) -> io::Result<()> {
        let len = into.len();
        into.copy_from_slice(&self.1.lock().unwrap()[at as usize..at as usize + len]);
        Ok(())
    }

    fn write_durable(&self, at: u64, run: &Block) -> io::Result<()> {
        self.1.lock().unwrap()[at as usize..at as usize + run.len()].copy_from_slice(run);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What counts in a lane: all of this open.
pub(super) fn range(lane: Lane) -> EpochRange {
    let (epoch, incarnation) = OPEN;
    EpochRange { lane, epoch, incarnation, first: Lsn(0), end: Lsn(u64::MAX) }
}

/// What readers look at.
pub(super) fn media(geometry: Geometry, memory: Memory, nvme: Arc<dyn Nvme>) -> Arc<Media> {
    Arc::new(Media::new(
        LOG,
        geometry,
        vec![Arc::new(memory)],
        board(&geometry),
        nvme,
        "nowhere".into(),
        Catalogue::new(geometry.lanes),
        (0..geometry.lanes).map(|lane| vec![range(Lane(lane))]).collect(),
        (OPEN.0, Gsn::MAX),
        Horizon::Ended,
        env(),
        false,
    ))
}
