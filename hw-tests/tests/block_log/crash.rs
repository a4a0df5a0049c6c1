//! Disks as a power cut may leave them: all that came before the last flush, and of what came behind it whatever a cache
//! had written by then, in any order.

use crate::chance::Chance;
use crate::device::Entry;

/// What a drive writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What the cut left of the writes behind the last flush.
#[derive(Debug, Clone, Copy)]
pub enum Kept {
    Nothing,
    Everything,
    /// Each write or not.
    Some,
    /// Each sector of each write or not.
    Torn,
}

/// A recording, gone through from its beginning.
pub struct Cuts<'a> {
    entries: &'a [Entry],
    /// With all that had been flushed by the last cut.
    disk: Vec<u8>,
    /// Entries that are on it.
    done: usize,
}

impl<'a> Cuts<'a> {
    /// `disk` is what was there before the first entry.
    pub fn new(disk: Vec<u8>, entries: &'a [Entry]) -> Cuts<'a> {
        Cuts { entries, disk, done: 0 }
    }

    /// The disk after a cut behind `at` entries, not before that of the call before.
    pub fn at(&mut self, at: usize, kept: Kept, chance: &mut Chance) -> Vec<u8> {
        let flush = self.entries[..at].iter().rposition(|entry| matches!(entry, Entry::Flush));
        let flushed = flush.map_or(0, |last| last + 1).max(self.done);
        for entry in &self.entries[self.done..flushed] {
            write(&mut self.disk, entry, |_| true);
        }
        self.done = flushed;
        let mut disk = self.disk.clone();
        for entry in &self.entries[flushed..at] {
            let whole = chance.below(2) == 0;
            write(&mut disk, entry, |sector| match kept {
                Kept::Nothing => false,
                Kept::Everything => true,
                Kept::Some => whole,
                // The two sectors of a superblock of ext4, which takes them for one.
                Kept::Torn if (2..4).contains(&sector) => whole,
                Kept::Torn => chance.below(2) == 0,
            });
        }
        disk
    }
}

/// Writes those sectors that `keep` wants.
fn write(disk: &mut [u8], entry: &Entry, mut keep: impl FnMut(usize) -> bool) {
    let Entry::Write { at, bytes } = entry else { return };
    for (i, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
        let at = at + i * SECTOR_BYTES;
        if keep(at / SECTOR_BYTES) {
            disk[at..at + sector.len()].copy_from_slice(sector);
        }
    }
}
