//! Frames and batches of one lane: what an append, a claim, a commit and an abort store, and in which order.
//!
//! Invariants:
//! - the newest frame's header is held back (`pending`) until the next append or the commit, so that LAST is known;
//! - a header's first word is stored last, or with its line past the cache, after the others, in whichever order the words
//!   arrive: the checksum tells; each line of a frame is written back once;
//! - on power-safe tails a batch is fenced before it is published, and nothing is acknowledged without a look at the
//!   fault flag;
//! - after every append the open slot still takes a deps frame and an abort frame.

use tierlog_tiers::tail::{Fault, TailLane};

use super::ring::{Ring, words};
use crate::board::{Board, Water, WriterLine};
use crate::frame::{
    Dep, FENCED, FIRST, HEADER_BYTES, Kind, LAST, Partial, Seal, Sum, deps_frame_bytes_max, encode_deps,
    flag_bits, frame_bytes, header_words, tail_word,
};
use crate::geometry::Geometry;
use crate::number::{Gsn, LINE_BYTES, Lane, Lsn};
use crate::order::Order;

const LINE: usize = LINE_BYTES as usize;
static ZEROS: [u8; LINE] = [0; LINE];

/// The payload's words in a frame's first line.
type Head = [u64; (LINE - HEADER_BYTES) / 8];

/// A frame whose payload is stored and whose header is not; it ends where the ring goes on. In few words: what is stored
/// between two fences waits for the first one in a buffer that is soon full.
#[derive(Debug)]
struct Pending {
    len: u32,
    sum: Sum,
    tail_word: u64,
    /// Its other lines went past the cache: what shares the first one with the header is [`Core::head`].
    streamed: bool,
}

/// The batch that is being built. Two halves of a word: LLVM clears seven bytes by two stores that overlap, and a load of
/// what both hold waits until the fence before them is over.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    frames: u32,
    done: u32,
}

/// One of its headers was stored: then its LSNs are spent.
const STORED: u32 = 1;
/// Its deps frame, or its abort frame, was appended: a retry after an error appends no other.
const HAS_DEPS: u32 = 2;
const HAS_ABORT: u32 = 4;

/// Whether a frame can be appended now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Yes,
    /// In the next segment: [`Core::next_segment`] tells more.
    Next,
    /// The ring is full until the drainer retires a segment.
    Full,
    /// The batch would not fit the ring.
    TooLarge,
}

/// The writing side of a lane. One thread at a time; it moves between threads only while no batch is open. On lines of its
/// own: nothing else that is stored lies beside it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Core<M> {
    ring: Ring<M>,
    lane: Lane,
    seal: Seal,
    pending: Option<Pending>,
    head: Head,
    open: Open,
    /// Start of the batches closed without a stamp, equal to the last stamped end while there are none. On a power-safe
    /// tail everything below is fenced.
    unstamped: Lsn,
    /// End of the last closed batch.
    closed: Lsn,
    gsn: Gsn,
    /// The lane's mark on the board, odd while a commit is between floor and publication.
    turn: u64,
    /// Kept free behind every append.
    reserve: usize,
    batch_bytes_max: u64,
    /// The tail is not power-safe.
    visible_first: bool,
    deps_body: Vec<u8>,
}

impl<M: TailLane> Core<M> {
    pub(crate) fn new(
        ring: Ring<M>,
        lane: Lane,
        seal: Seal,
        gsn: Gsn,
        geometry: &Geometry,
        visible_first: bool,
    ) -> Self {
        let lsn = ring.lsn;
        let reserve = deps_frame_bytes_max(geometry.lanes as usize) + LINE;
        Core {
            ring,
            lane,
            seal,
            pending: None,
            head: Head::default(),
            open: Open::default(),
            unstamped: lsn,
            closed: lsn,
            gsn,
            turn: 0,
            reserve,
            batch_bytes_max: geometry.batch_bytes_max() - reserve as u64,
            visible_first,
            deps_body: Vec::with_capacity(reserve),
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// End of the last closed batch.
    pub(crate) fn closed(&self) -> Lsn {
        self.closed
    }

    pub(crate) fn has_open_batch(&self) -> bool {
        self.open.frames > 0
    }

    /// Whether the newest frame can still be made the batch's last.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn has_unstamped(&self) -> bool {
        self.unstamped != self.closed
    }

    /// Bytes of closed batches that wait for a stamp.
    pub(crate) fn unstamped_bytes(&self) -> u64 {
        self.closed.0 - self.unstamped.0
    }

    /// Whether there is room for a payload of `len` bytes.
    #[inline]
    pub(crate) fn room(&self, len: usize) -> Room {
        let bytes = frame_bytes(len);
        if self.ring.lsn.0 - self.unstamped.0 + bytes as u64 > self.batch_bytes_max {
            return Room::TooLarge;
        }
        if self.ring.has(bytes + self.reserve) { Room::Yes } else { Room::Next }
    }

    /// Goes to the next segment, if there is one.
    #[cold]
    pub(crate) fn next_segment(&mut self, board: &Board) -> Room {
        let Some(slot) = self.ring.free_slot(board) else { return Room::Full };
        // A filler follows: the frame before it can no longer be taken back.
        self.seal_pending(board, 0, Gsn(0));
        self.ring.advance(board, slot, &self.seal, self.gsn);
        Room::Yes
    }

    /// Appends a record for which there is room.
    #[inline]
    pub(crate) fn append(&mut self, board: &Board, stream: u32, payload: &[u8]) -> Lsn {
        let at = self.ring.at;
        let streamed = frame_bytes(payload.len()) >= self.ring.memory.crossover();
        if streamed {
            // The frame before still has its own first line here.
            self.seal_pending(board, 0, Gsn(0));
            self.stream(at, payload);
        } else {
            self.store(at, payload);
        }
        let partial = self.seal.over(self.ring.lsn, payload);
        self.hold(board, Kind::Record, stream, payload.len(), partial, streamed)
    }

    #[inline]
    fn store(&mut self, at: usize, payload: &[u8]) {
        let end = HEADER_BYTES + payload.len();
        self.ring.memory.store(at + HEADER_BYTES, payload);
        self.ring.memory.store(at + end, &ZEROS[..frame_bytes(payload.len()) - end]);
    }

    /// All lines but the first past the cache; what shares that with the header is kept, to go with it.
    #[inline]
    fn stream(&mut self, at: usize, payload: &[u8]) {
        let (first, rest) = payload.split_at(payload.len().min(LINE - HEADER_BYTES));
        let (lines, last) = rest.split_at(rest.len() - rest.len() % LINE);
        if !lines.is_empty() {
            self.ring.memory.stream(at + LINE, lines);
        }
        if !last.is_empty() {
            self.ring.memory.stream_line(at + LINE + lines.len(), words(last));
        }
        self.head = words(first);
    }

    /// Where the next payload will lie, for a caller that builds it in place. There must be room.
    pub(crate) fn claim(&mut self, len: usize) -> &mut [u8] {
        let at = self.ring.at + HEADER_BYTES;
        self.ring.memory.bytes_mut(at, len)
    }

    /// The bytes of the claim as they stand.
    pub(crate) fn claimed(&self, len: usize) -> &[u8] {
        self.ring.memory.bytes(self.ring.at + HEADER_BYTES, len)
    }

    /// Appends what was built by [`claim`](Core::claim).
    pub(crate) fn append_claimed(&mut self, board: &Board, stream: u32, len: usize) -> Lsn {
        let (at, end) = (self.ring.at, HEADER_BYTES + len);
        self.ring.memory.store(at + end, &ZEROS[..frame_bytes(len) - end]);
        let lsn = self.ring.lsn;
        let partial = self.seal.over(lsn, self.ring.memory.bytes_mut(at + HEADER_BYTES, len));
        self.hold(board, Kind::Record, stream, len, partial, false)
    }

    /// Stores the header held back before, and holds back the new frame's.
    #[inline]
    fn hold(
        &mut self,
        board: &Board,
        kind: Kind,
        stream: u32,
        len: usize,
        partial: Partial,
        streamed: bool,
    ) -> Lsn {
        let lsn = self.ring.lsn;
        let first = self.open.frames == 0;
        if first {
            self.open = Open { frames: 1, done: 0 };
        } else {
            self.seal_pending(board, 0, Gsn(0));
            self.open.frames += 1;
        }
        let tail_word = tail_word(kind, if first { FIRST } else { 0 }, self.seal.epoch, stream);
        self.pending = Some(Pending { len: len as u32, sum: partial.sum(), tail_word, streamed });
        self.ring.pass(frame_bytes(len));
        lsn
    }

    /// Completes the held-back header and starts the write-back of its frame.
    fn seal_pending(&mut self, board: &Board, flags: u8, gsn: Gsn) {
        self.seal_here(board, flags, gsn);
    }

    /// The same without a call, for a commit of one record.
    #[inline(always)]
    fn seal_here(&mut self, board: &Board, flags: u8, gsn: Gsn) {
        let Some(Pending { len, sum, mut tail_word, streamed }) = self.pending.take() else { return };
        let bytes = frame_bytes(len as usize);
        let (at, lsn) = (self.ring.at - bytes, Lsn(self.ring.lsn.0 - bytes as u64));
        tail_word |= flag_bits(flags);
        if tail_word & flag_bits(FIRST) != 0 {
            let stable =
                if self.visible_first { board.water(self.lane, Water::Stable) } else { self.unstamped };
            if stable == lsn {
                tail_word |= flag_bits(FENCED);
            }
        }
        let header = header_words(len, self.seal.finish(sum, tail_word, gsn), lsn, gsn, tail_word);
        self.open.done |= STORED;
        if streamed {
            // One aligned line, stored by whole words: the checksum tells whether all of it arrived.
            let ([a, b, c, d], [e, f, g, h]) = (header, self.head);
            self.ring.memory.stream_line(at, [a, b, c, d, e, f, g, h]);
        } else {
            self.ring.put(at, header);
            self.ring.memory.flush(at, bytes);
        }
    }

    /// Adds a frame that belongs to the engine; the reserve has room for it.
    fn append_own(&mut self, board: &Board, kind: Kind, body: &[u8]) -> Lsn {
        debug_assert!(
            self.ring.has(frame_bytes(body.len())),
            "every append keeps room for the closing frames"
        );
        let at = self.ring.at;
        self.store(at, body);
        let partial = self.seal.over(self.ring.lsn, body);
        self.hold(board, kind, 0, body.len(), partial, false)
    }

    /// Appends a mark for which there is room.
    pub(crate) fn append_mark(&mut self, board: &Board, name: &str) -> Lsn {
        self.append_own(board, Kind::Mark, name.as_bytes())
    }

    /// Closes the batch without a stamp, a fence or publication.
    pub(crate) fn close_unstamped(&mut self, board: &Board) {
        if self.pending.is_none() {
            self.append_deps(board, &[]);
        }
        self.seal_pending(board, LAST, Gsn(0));
        self.open = Open::default();
        self.closed = self.ring.lsn;
    }

    /// Closes the batch with a stamp and publishes it, fenced before where the tail is power-safe. `None`: the log is
    /// shut, nothing was published. Never a result that is copied whole: that would wait for the fence.
    #[inline(always)]
    pub(crate) fn close_stamped(&mut self, board: &Board, order: &Order) -> Result<Option<Gsn>, Fault> {
        let line = board.writer_line(self.lane);
        line.mark(self.turn + 1, order.has_membarrier());
        let drawn = order.draw(board, self.gsn);
        if let Some(gsn) = drawn {
            self.seal_here(board, LAST, gsn);
            // A lane of an ordinary tail fences for nothing, and looks at the fault flag.
            if let Err(fault) = self.ring.memory.fence() {
                self.unmark(&line);
                return Err(fault);
            }
            self.gsn = gsn;
            line.publish(self.ring.lsn);
        }
        self.unmark(&line);
        if drawn.is_some() {
            let end = self.ring.lsn;
            self.open = Open::default();
            (self.closed, self.unstamped) = (end, end);
        }
        Ok(drawn)
    }

    #[inline(always)]
    fn unmark(&mut self, line: &WriterLine<'_>) {
        self.turn += 2;
        line.unmark(self.turn);
    }

    /// Makes the batch end in a deps frame, also when there is nothing else in it: a stamp for what came before.
    pub(crate) fn append_deps(&mut self, board: &Board, deps: &[Dep]) {
        if self.open.done & HAS_DEPS != 0 {
            return;
        }
        let mut body = std::mem::take(&mut self.deps_body);
        encode_deps(deps, &mut body);
        self.append_own(board, Kind::Deps, &body);
        self.open.done |= HAS_DEPS;
        self.deps_body = body;
    }

    /// Start of the open batch's stamp: of the unstamped batches before it, if there are any.
    pub(crate) fn group_start(&self) -> Lsn {
        self.unstamped
    }

    /// Before another thread may take the lane: its fence would not wait for this thread's flushes.
    pub(crate) fn hand_over(&mut self) -> Result<(), Fault> {
        self.ring.memory.fence()
    }

    /// The lane's newest stamp.
    pub(crate) fn gsn(&self) -> Gsn {
        self.gsn
    }

    /// Whatever is stamped from now on comes after `gsn`.
    pub(crate) fn observe(&mut self, gsn: Gsn) {
        self.gsn = self.gsn.max(gsn);
    }

    /// Takes the open batch back. True if its LSNs are spent: an abort frame was appended, which has to be stamped.
    pub(crate) fn abandon(&mut self, board: &Board) -> bool {
        if self.open.done & STORED == 0 {
            if let Some(pending) = self.pending.take() {
                let bytes = frame_bytes(pending.len as usize);
                self.ring.at -= bytes;
                self.ring.lsn.0 -= bytes as u64;
            }
            self.open = Open::default();
            return false;
        }
        if self.open.done & HAS_ABORT == 0 {
            self.append_own(board, Kind::Abort, &[]);
            self.open.done |= HAS_ABORT;
        }
        true
    }
}
