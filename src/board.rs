//! The board: the words that writers, readers, drainers and views in other processes share.
//!
//! Owns the layout of the shared page. Invariants: each word has one writer at a time (named below); a lane's writer
//! line holds nothing that anybody else writes; watermarks only grow. The page lives for one open: it is stamped with
//! boot id, log, epoch and incarnation, and a view believes no other.

use std::sync::atomic::compiler_fence;

use tierlog_tiers::page::{Page, PageView, Word};
use tierlog_tiers::sync::atomic::{Ordering, fence};

use crate::geometry::Geometry;
use crate::number::{Gsn, Lane, Lsn};

const MAGIC: u64 = u64::from_le_bytes(*b"TIERBRD1");
/// Identity: who wrote the page.
const HEAD_WORDS: usize = 16;
const FLOOR: usize = HEAD_WORDS;
const CLOSED: usize = HEAD_WORDS + 16;
const LANES: usize = HEAD_WORDS + 32;
/// Words of a 128-byte line pair, so that no two writers share what the processor prefetches together.
const LINE_WORDS: usize = 16;

/// Written by the lane's writer.
const PUBLISHED: usize = 0;
const MARK: usize = 1;
/// Written by whoever holds the run lock, the lane's drainer, and the archiver.
const DURABLE: usize = LINE_WORDS;
const STABLE: usize = LINE_WORDS + 1;
const DRAINED: usize = LINE_WORDS + 2;
const TRIMMED: usize = LINE_WORDS + 3;
const ARCHIVED: usize = LINE_WORDS + 4;
/// One word per slot: taken by the lane's writer, given back by the drainer.
const SLOTS: usize = 2 * LINE_WORDS;

/// The floor of a log that takes no commit any more.
pub(crate) const SHUT: u64 = u64::MAX;

/// The stamp on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoardStamp {
    pub(crate) boot: [u8; 16],
    pub(crate) log: [u8; 16],
    pub(crate) epoch: u32,
    pub(crate) incarnation: u64,
}

/// A page of an owner (writable), of a view (another process's), or of nobody (recovered media).
#[derive(Debug)]
pub(crate) struct Board {
    page: Words,
    lanes: usize,
    slots: usize,
    lane_words: usize,
}

#[derive(Debug)]
enum Words {
    Owned(Page),
    Viewed(PageView),
}

impl Board {
    pub(crate) fn words(geometry: &Geometry) -> usize {
        LANES + geometry.lanes as usize * Self::lane_words(geometry.segments as usize)
    }

    fn lane_words(slots: usize) -> usize {
        SLOTS + slots.next_multiple_of(LINE_WORDS)
    }

    pub(crate) fn owned(page: Page, geometry: &Geometry) -> Self {
        Self::over(Words::Owned(page), geometry)
    }

    pub(crate) fn viewed(page: PageView, geometry: &Geometry) -> Self {
        Self::over(Words::Viewed(page), geometry)
    }

    fn over(page: Words, geometry: &Geometry) -> Self {
        let slots = geometry.segments as usize;
        Board { page, lanes: geometry.lanes as usize, slots, lane_words: Self::lane_words(slots) }
    }

    /// Says who owns the page; the magic goes last.
    pub(crate) fn sign(&self, stamp: &BoardStamp) {
        let words = stamp_words(stamp);
        for (i, word) in words.iter().enumerate() {
            self.store(1 + i, *word);
        }
        self.store(0, MAGIC);
    }

    /// Whether the page is that open's.
    pub(crate) fn signed_by(&self, stamp: &BoardStamp) -> bool {
        self.load(0) == MAGIC
            && stamp_words(stamp).iter().enumerate().all(|(i, word)| self.load(1 + i) == *word)
    }

    #[inline]
    fn word(&self, at: usize) -> Option<&Word> {
        match &self.page {
            Words::Owned(page) => page.words().get(at),
            Words::Viewed(_) => None,
        }
    }

    #[inline]
    fn load(&self, at: usize) -> u64 {
        match &self.page {
            Words::Owned(page) => page.words()[at].load(Ordering::Acquire),
            Words::Viewed(page) => page.load(at, Ordering::Acquire),
        }
    }

    #[inline]
    fn store(&self, at: usize, value: u64) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::Release);
        }
    }

    fn raise(&self, at: usize, value: u64) {
        if let Some(word) = self.word(at) {
            word.fetch_max(value, Ordering::AcqRel);
        }
    }

    #[inline]
    fn lane(&self, lane: Lane) -> usize {
        LANES + lane.0 as usize * self.lane_words
    }

    /// Exclusive end of the newest batch that others may see.
    #[inline]
    pub(crate) fn published(&self, lane: Lane) -> Lsn {
        Lsn(self.load(self.lane(lane) + PUBLISHED))
    }

    pub(crate) fn publish(&self, lane: Lane, end: Lsn) {
        self.writer_line(lane).publish(end);
    }

    #[inline]
    pub(crate) fn writer_line(&self, lane: Lane) -> WriterLine<'_> {
        let Words::Owned(page) = &self.page else { return WriterLine(None) };
        let at = self.lane(lane);
        WriterLine(page.words().get(at..at + LINE_WORDS))
    }

    /// Odd while the lane's writer is between reading the floor and publishing.
    pub(crate) fn marked(&self, lane: Lane) -> u64 {
        self.load(self.lane(lane) + MARK)
    }

    /// Every stamp drawn from now on is above it.
    #[inline]
    pub(crate) fn floor(&self) -> u64 {
        self.load(FLOOR)
    }

    #[inline(never)]
    pub(crate) fn raise_floor(&self, gsn: u64) {
        self.raise(FLOOR, gsn);
    }

    /// Every batch at or below is published and stable: what a view in another process merges to.
    pub(crate) fn closed(&self) -> Gsn {
        Gsn(self.load(CLOSED))
    }

    pub(crate) fn raise_closed(&self, gsn: Gsn) {
        self.raise(CLOSED, gsn.0);
    }
}

/// The line of a lane that its writer alone stores to; of a page that is viewed, none.
#[derive(Clone, Copy)]
pub(crate) struct WriterLine<'a>(Option<&'a [Word]>);

impl WriterLine<'_> {
    #[inline]
    fn store(self, at: usize, value: u64) {
        if let Some(line) = self.0 {
            line[at].store(value, Ordering::Release);
        }
    }

    #[inline]
    pub(crate) fn publish(self, end: Lsn) {
        self.store(PUBLISHED, end.0);
    }

    #[inline]
    pub(crate) fn mark(self, turn: u64, membarrier: bool) {
        self.store(MARK, turn);
        if membarrier {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    #[inline]
    pub(crate) fn unmark(self, turn: u64) {
        self.store(MARK, turn);
    }
}

/// A watermark kept on the lane's background line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Water {
    /// On NVMe, flushed.
    Durable,
    /// Durable, with all that it depends on.
    Stable,
    /// Durable on NVMe, and said so by the watermark file: the tail may give it up.
    Drained,
    /// Gone below.
    Trimmed,
    /// In the object tier.
    Archived,
}

impl Water {
    fn word(self) -> usize {
        match self {
            Water::Durable => DURABLE,
            Water::Stable => STABLE,
            Water::Drained => DRAINED,
            Water::Trimmed => TRIMMED,
            Water::Archived => ARCHIVED,
        }
    }
}

impl Board {
    pub(crate) fn water(&self, lane: Lane, water: Water) -> Lsn {
        Lsn(self.load(self.lane(lane) + water.word()))
    }

    pub(crate) fn raise_water(&self, lane: Lane, water: Water, lsn: Lsn) {
        self.raise(self.lane(lane) + water.word(), lsn.0);
    }

    /// The slot that holds `lsn` now, and the word to check again after a copy.
    pub(crate) fn slot_of(&self, lane: Lane, lsn: Lsn, slot_bytes: u64) -> Option<(usize, u64)> {
        (0..self.slots).find_map(|slot| {
            let word = self.slot_word(lane, slot);
            let first = word & !1;
            (word & 1 == 1 && first <= lsn.0 && lsn.0 - first < slot_bytes).then_some((slot, word))
        })
    }

    /// First LSN of a slot, if it is taken.
    pub(crate) fn slot_first(&self, lane: Lane, slot: usize) -> Option<Lsn> {
        let word = self.slot_word(lane, slot);
        (word & 1 == 1).then_some(Lsn(word & !1))
    }

    pub(crate) fn slot_word(&self, lane: Lane, slot: usize) -> u64 {
        self.load(self.lane(lane) + SLOTS + slot)
    }

    /// Whether a copy that began when the slot's word was `word` was made from that slot throughout.
    pub(crate) fn slot_still(&self, lane: Lane, slot: usize, word: u64) -> bool {
        fence(Ordering::Acquire);
        self.slot_word(lane, slot) == word
    }

    pub(crate) fn take_slot(&self, lane: Lane, slot: usize, first: Lsn) {
        self.store(self.lane(lane) + SLOTS + slot, first.0 | 1);
    }

    pub(crate) fn free_slot(&self, lane: Lane, slot: usize) {
        self.store(self.lane(lane) + SLOTS + slot, 0);
    }

    /// Whether a slot can be taken. Whoever then sees what its taker stores in it sees too that it was free: readers check
    /// the word again.
    pub(crate) fn is_free(&self, lane: Lane, slot: usize) -> bool {
        let free = self.slot_word(lane, slot) == 0;
        fence(Ordering::Release);
        free
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = Lane> + use<> {
        (0..self.lanes as u32).map(Lane)
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }
}

fn stamp_words(stamp: &BoardStamp) -> [u64; 6] {
    let half = |id: &[u8; 16], i: usize| {
        u64::from_le_bytes(id[i * 8..i * 8 + 8].try_into().expect("half of 16 bytes"))
    };
    [
        half(&stamp.boot, 0),
        half(&stamp.boot, 1),
        half(&stamp.log, 0),
        half(&stamp.log, 1),
        u64::from(stamp.epoch),
        stamp.incarnation,
    ]
}
