//! What a crash may leave of one cache line.
//!
//! Owns the stores to the line that are not durable. Invariants: they are in program order; those through the cache
//! persist as a prefix of their groups, and any of the last group's; streams persist or not, each by itself; of two
//! stores to one word the later one is what counts.

use super::image::Line;

/// A thread of a process that is gone: its streams are in memory by now, and wait for a flush.
pub(super) const NOBODY: u32 = u32::MAX;

/// A part of a store that persists whole or not at all.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    /// The event that stored it.
    pub(super) event: u64,
    pub(super) word: u8,
    /// Its bytes of the word.
    pub(super) mask: u64,
    pub(super) value: u64,
    pub(super) order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// After every ordered atom before it.
    Next,
    /// As the one before it, and in no order with that.
    Same,
    /// In no order. The thread whose fence alone makes it durable, if any's does.
    Free(Option<u32>),
}

impl Atom {
    fn on(&self, word: u64) -> u64 {
        word & !self.mask | self.value
    }

    fn is_free(&self) -> bool {
        matches!(self.order, Order::Free(_))
    }

    /// Whether the fence of `thread` makes it durable after its flush at event `flush`.
    pub(super) fn is_flushed(&self, flush: u64, thread: u32) -> bool {
        let streamed_elsewhere = matches!(self.order, Order::Free(Some(by)) if by != thread && by != NOBODY);
        self.event < flush && !streamed_elsewhere
    }

    /// Whether the fence of `thread` at event `fence` makes it durable without a flush.
    pub(super) fn is_streamed(&self, fence: u64, thread: u32) -> bool {
        self.event < fence && self.order == Order::Free(Some(thread))
    }
}

/// The stores to one line that are not durable yet.
#[derive(Debug, Clone, Default)]
pub(super) struct PendingLine {
    pub(super) atoms: Vec<Atom>,
}

impl PendingLine {
    /// Lets every store take effect.
    pub(super) fn apply(&self, line: &mut Line) {
        for atom in &self.atoms {
            let word = &mut line[atom.word as usize];
            *word = atom.on(*word);
        }
    }

    /// Makes durable what `is_durable` says of it; order among the rest stays.
    pub(super) fn promote(&mut self, line: &mut Line, is_durable: impl Fn(&Atom) -> bool) {
        let mut over = [0; 8];
        // From the last: what a durable store has overwritten cannot come back.
        for atom in self.atoms.iter_mut().rev() {
            let word = atom.word as usize;
            if is_durable(atom) {
                line[word] = line[word] & (over[word] | !atom.mask) | atom.value & !over[word];
                over[word] |= atom.mask;
                atom.mask = 0;
            } else {
                atom.mask &= !over[word];
                atom.value &= atom.mask;
            }
        }
        self.drop_empty();
    }

    /// Removes atoms without bytes; a group that loses its first keeps its place.
    fn drop_empty(&mut self) {
        let mut first_lost = false;
        self.atoms.retain_mut(|atom| {
            if atom.mask == 0 {
                first_lost |= atom.order == Order::Next;
                return false;
            }
            match atom.order {
                Order::Same if first_lost => (atom.order, first_lost) = (Order::Next, false),
                Order::Next => first_lost = false,
                _ => {}
            }
            true
        });
    }

    /// The contents that may survive of a line with this durable content.
    pub(super) fn states(&self, durable: &Line) -> LineStates {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, atom) in self.atoms.iter().enumerate() {
            match (atom.order, groups.last_mut()) {
                (Order::Free(_), _) => {}
                (Order::Same, Some(group)) => group.push(at),
                _ => groups.push(vec![at]),
            }
        }
        let mut blocks = vec![self.block(durable, |_| false)];
        let mut there = vec![false; self.atoms.len()];
        for group in &groups {
            // Some of the group, but neither none nor all: those are the blocks before and after.
            for some in 1..(1u64 << group.len().min(8)) - 1 {
                let chosen = |at: usize| {
                    there[at] || group.iter().position(|of| *of == at).is_some_and(|bit| some >> bit & 1 == 1)
                };
                blocks.push(self.block(durable, chosen));
            }
            group.iter().for_each(|at| there[*at] = true);
            blocks.push(self.block(durable, |at| there[at]));
        }
        let mut all = *durable;
        self.apply(&mut all);
        LineStates::new(blocks, &all)
    }

    /// The contents with these ordered atoms, and any of the free ones.
    fn block(&self, durable: &Line, there: impl Fn(usize) -> bool) -> Block {
        let mut block = Block { fixed: *durable, open: Vec::new() };
        for (at, atom) in self.atoms.iter().enumerate() {
            let word = atom.word;
            let known = block.open.iter().position(|(of, _)| *of == word);
            match (atom.is_free(), known) {
                (false, _) if !there(at) => {}
                (false, None) => block.fixed[word as usize] = atom.on(block.fixed[word as usize]),
                (false, Some(open)) => {
                    block.open[open].1.iter_mut().for_each(|value| *value = atom.on(*value));
                }
                (true, None) => {
                    let value = block.fixed[word as usize];
                    block.open.push((word, vec![value, atom.on(value)]));
                }
                (true, Some(open)) => {
                    let values = &mut block.open[open].1;
                    let more: Vec<u64> = values.iter().map(|value| atom.on(*value)).collect();
                    values.extend(more);
                }
            }
            if let Some((_, values)) = block.open.iter_mut().find(|(of, _)| *of == word) {
                dedup(values);
            }
        }
        block.settle();
        block
    }
}

fn dedup(values: &mut Vec<u64>) {
    let mut seen = 0;
    for at in 0..values.len() {
        if !values[..seen].contains(&values[at]) {
            values[seen] = values[at];
            seen += 1;
        }
    }
    values.truncate(seen);
}

/// Contents: fixed words, and words with several values each that vary independently.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    fixed: Line,
    open: Vec<(u8, Vec<u64>)>,
}

impl Block {
    /// A word with one value is fixed.
    fn settle(&mut self) {
        self.open.retain(|(word, values)| {
            self.fixed[*word as usize] = values[0];
            values.len() > 1
        });
    }

    fn count(&self) -> u128 {
        self.open.iter().map(|(_, values)| values.len() as u128).product()
    }

    fn content(&self, mut index: u128) -> Line {
        let mut line = self.fixed;
        for (word, values) in &self.open {
            line[*word as usize] = values[(index % values.len() as u128) as usize];
            index /= values.len() as u128;
        }
        line
    }

    fn position(&self, line: &Line) -> Option<u128> {
        let (mut index, mut scale) = (0, 1);
        for (word, value) in line.iter().enumerate() {
            match self.open.iter().find(|(of, _)| usize::from(*of) == word) {
                None if self.fixed[word] == *value => {}
                None => return None,
                Some(_) => {}
            }
        }
        for (word, values) in &self.open {
            index += scale * values.iter().position(|value| *value == line[*word as usize])? as u128;
            scale *= values.len() as u128;
        }
        Some(index)
    }

    fn values(&self, word: usize) -> &[u64] {
        let open = self.open.iter().find(|(of, _)| usize::from(*of) == word);
        open.map_or(std::slice::from_ref(&self.fixed[word]), |(_, values)| values)
    }

    fn meets(&self, other: &Block) -> bool {
        (0..8).all(|word| self.values(word).iter().any(|value| other.values(word).contains(value)))
    }

    fn holds(&self, other: &Block) -> bool {
        (0..8).all(|word| other.values(word).iter().all(|value| self.values(word).contains(value)))
    }
}

/// Blocks that meet are listed content by content up to here; beyond, what they share counts twice.
const LISTED_MAX: u128 = 1 << 14;

/// The contents that one line may have after a crash, numbered: 0 is that of the media without any pending store.
#[derive(Debug, Clone)]
pub(super) struct LineStates {
    blocks: Vec<Block>,
    count: u128,
    /// The number of the content with every store.
    full: u128,
}

impl LineStates {
    fn new(mut blocks: Vec<Block>, all: &Line) -> LineStates {
        let mut kept: Vec<Block> = Vec::with_capacity(blocks.len());
        for block in blocks.drain(..) {
            if !kept.iter().any(|other| other.holds(&block)) {
                kept.push(block);
            }
        }
        let total: u128 = kept.iter().map(Block::count).sum();
        let apart = (1..kept.len()).all(|at| kept[..at].iter().all(|other| !other.meets(&kept[at])));
        if !apart && total <= LISTED_MAX {
            let mut seen = std::collections::HashSet::new();
            let contents = kept.iter().flat_map(|block| (0..block.count()).map(|i| block.content(i)));
            let listed = contents.filter(|content| seen.insert(*content));
            kept = listed.map(|fixed| Block { fixed, open: Vec::new() }).collect();
        }
        let count = kept.iter().map(Block::count).sum();
        let mut before = 0;
        let full = kept.iter().find_map(|block| {
            let here = block.position(all).map(|index| before + index);
            before += block.count();
            here
        });
        LineStates { blocks: kept, count, full: full.unwrap_or(count - 1) }
    }

    pub(super) fn count(&self) -> u128 {
        self.count
    }

    pub(super) fn full(&self) -> u128 {
        self.full
    }

    pub(super) fn content(&self, mut index: u128) -> Line {
        for block in &self.blocks {
            let count = block.count();
            if index < count {
                return block.content(index);
            }
            index -= count;
        }
        unreachable!("a line has {} states", self.count)
    }
}
