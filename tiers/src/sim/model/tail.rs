//! A tail: what is stored, what of it is durable, and the lines in between.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::sim::event::Stored;
use crate::sim::image::{Image, LINE_BYTES};
use crate::sim::line::{Atom, NOBODY, Order, PendingLine};
use crate::sim::options::TailOptions;
use crate::tail::TailMedium;

/// What msync writes, in bytes.
const PAGE_BYTES: u64 = 4096;

/// Whether the file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Made {
    No,
    /// Under way; a crash leaves it whole or not at all.
    Making,
    Whole,
}

#[derive(Debug, Clone)]
pub(in crate::sim) struct TailModel {
    pub(in crate::sim) medium: TailMedium,
    pub(in crate::sim) made: Made,
    pub(in crate::sim) visible: Image,
    pub(in crate::sim) durable: Image,
    pub(in crate::sim) pending: BTreeMap<u32, PendingLine>,
    pub(in crate::sim) poison: Vec<Range<u64>>,
}

/// Numbers of the lines that a range touches.
pub(in crate::sim) fn lines(at: u64, len: u64) -> Range<u32> {
    let end = if len == 0 { at } else { (at + len).next_multiple_of(LINE_BYTES) };
    (at / LINE_BYTES) as u32..(end / LINE_BYTES) as u32
}

impl TailModel {
    pub(super) fn new(options: &TailOptions) -> TailModel {
        TailModel {
            medium: options.medium,
            made: Made::No,
            visible: Image::zeroed(0),
            durable: Image::zeroed(0),
            pending: BTreeMap::new(),
            poison: Vec::new(),
        }
    }

    pub(super) fn create(&mut self, len: u64) {
        self.visible = Image::zeroed(len);
        self.durable = Image::zeroed(len);
        self.pending.clear();
        self.poison.clear();
        self.made = Made::Making;
    }

    pub(in crate::sim) fn remove(&mut self) {
        self.create(0);
        self.made = Made::No;
    }

    /// Takes a store in; the lines, if it was a stream.
    pub(super) fn store(
        &mut self,
        event: u64,
        thread: u32,
        at: u64,
        bytes: &[u8],
        how: Stored,
    ) -> Option<Range<u32>> {
        for (word_at, mask, value) in words(at, bytes) {
            let word = ((word_at % LINE_BYTES) / 8) as u8;
            let line = (word_at / LINE_BYTES) as u32;
            if how == Stored::InPlace && self.visible.line(u64::from(line))[word as usize] & mask == value {
                continue;
            }
            let atoms = &mut self.pending.entry(line).or_default().atoms;
            let joined = atoms.last().is_some_and(|last| last.event == event);
            let mut push = |mask: u64, order| {
                if mask != 0 {
                    atoms.push(Atom { event, word, mask, value: value & mask, order });
                }
            };
            match how {
                Stored::Words | Stored::Word => push(mask, Order::Next),
                Stored::Shuffled | Stored::InPlace => {
                    push(mask, if joined { Order::Same } else { Order::Next });
                }
                Stored::Bytes => (0..8).for_each(|byte| push(mask & 0xff << (8 * byte), Order::Next)),
                Stored::Halves => {
                    push(mask & 0xffff_ffff, Order::Next);
                    push(mask & !0xffff_ffff, Order::Next);
                }
                Stored::Loose => push(mask, Order::Free(None)),
                Stored::Stream => push(mask, Order::Free(Some(thread))),
            }
        }
        self.visible.write(at, bytes);
        (how == Stored::Stream).then(|| lines(at, bytes.len() as u64))
    }

    /// Where what is visible is durable, the last store has become so, streams aside.
    pub(super) fn settle_visible(&mut self) {
        if self.medium.granularity_bytes() == 1 {
            let lines: Vec<u32> = self.pending.keys().copied().collect();
            for line in lines {
                self.promote(line, |atom| !matches!(atom.order, Order::Free(Some(_))));
            }
        }
    }

    /// msync: whole pages, whoever stored there.
    pub(super) fn sync(&mut self, at: u64, len: u64) {
        let (from, to) = (at / PAGE_BYTES * PAGE_BYTES, (at + len).next_multiple_of(PAGE_BYTES));
        let touched: Vec<u32> = self.pending.range(lines(from, to - from)).map(|(line, _)| *line).collect();
        for line in touched {
            self.promote(line, |_| true);
        }
    }

    pub(super) fn promote(&mut self, line: u32, is_durable: impl Fn(&Atom) -> bool) {
        let Some(pending) = self.pending.get_mut(&line) else { return };
        let mut content = self.durable.line(u64::from(line));
        let before = content;
        pending.promote(&mut content, is_durable);
        if pending.atoms.is_empty() {
            self.pending.remove(&line);
        }
        if content != before {
            self.durable.set_line(u64::from(line), &content);
        }
    }

    /// After a kill: what was stored waits for a flush by somebody else.
    pub(in crate::sim) fn orphan(&mut self) {
        for atom in self.pending.values_mut().flat_map(|line| &mut line.atoms) {
            atom.event = 0;
            if let Order::Free(Some(thread)) = &mut atom.order {
                *thread = NOBODY;
            }
        }
    }

    /// The first poisoned byte of a range.
    pub(in crate::sim) fn poisoned(&self, at: u64, len: u64) -> Option<u64> {
        let met = self.poison.iter().filter(|range| range.start < at + len && at < range.end);
        met.map(|range| range.start.max(at)).min()
    }
}

/// The words that bytes at `at` touch: offset of the word, mask of the bytes, their value.
fn words(at: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, u64, u64)> {
    let end = at + bytes.len() as u64;
    (at / 8 * 8..end).step_by(8).map(move |word| {
        let (mut mask, mut value) = (0, 0);
        for byte in word.max(at)..end.min(word + 8) {
            let shift = 8 * (byte - word);
            mask |= 0xff << shift;
            value |= u64::from(bytes[(byte - at) as usize]) << shift;
        }
        (word, mask, value)
    })
}
