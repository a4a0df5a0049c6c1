//! Which NVMe segment holds which part of which lane: rebuilt from headers at open, never from names.

use std::io;
use std::sync::Arc;

use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, Nvme, NvmeFile};

use crate::error::{Error, Refusal, Result};
use crate::format::{SegmentHeader, Unreadable};
use crate::number::{Epoch, Lane, LogId, Lsn};

/// One segment file and its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) file: u32,
    pub(crate) header: SegmentHeader,
}

/// Entries of each lane, in the order in which they were written: by (epoch, sequence).
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    lanes: Vec<Vec<Entry>>,
}

impl Catalogue {
    pub(crate) fn new(lanes: u32) -> Self {
        Catalogue { lanes: vec![Vec::new(); lanes as usize] }
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let Some(lane) = self.lanes.get_mut(entry.header.lane.0 as usize) else { return };
        let key = |e: &Entry| (e.header.epoch, e.header.sequence);
        let at = lane.partition_point(|other| key(other) <= key(&entry));
        lane.insert(at, entry);
    }

    /// The segments of `epoch` that may hold `lsn`, the newest first, each with the LSN at which a later one begins. What
    /// was written later takes over from its first LSN on, as far as it got: a frame is the same wherever it is found.
    pub(crate) fn holders(&self, lane: Lane, epoch: Epoch, lsn: Lsn) -> Vec<(Entry, Option<Lsn>)> {
        let mut holders = Vec::new();
        // Where segments of this sequence begin, and where later ones do.
        let (mut sequence, mut here, mut later) = (u64::MAX, None, None);
        for entry in self.of_lane(lane).iter().rev().filter(|entry| entry.header.epoch == epoch) {
            let header = &entry.header;
            if header.sequence != sequence {
                later = here.into_iter().chain(later).min();
                (sequence, here) = (header.sequence, None);
            }
            here = here.into_iter().chain([header.first]).min();
            if header.first <= lsn {
                holders.push((*entry, later));
            }
        }
        holders
    }

    pub(crate) fn of_lane(&self, lane: Lane) -> &[Entry] {
        self.lanes.get(lane.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Takes out the segments of which `gone` is true.
    pub(crate) fn take_if(&mut self, gone: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.lanes.iter_mut().flat_map(|lane| lane.extract_if(.., |entry| gone(entry))).collect()
    }

    /// Takes out the segments that hold nothing at or above `keep`: those written before the one that holds it.
    pub(crate) fn take_below(&mut self, lane: Lane, keep: Lsn) -> Vec<Entry> {
        let key = |entry: &Entry| (entry.header.epoch, entry.header.sequence);
        let begun = self.of_lane(lane).iter().filter(|entry| entry.header.first <= keep);
        let Some(holder) = begun.map(key).max() else { return Vec::new() };
        self.take_if(|entry| entry.header.lane == lane && key(entry) < holder)
    }
}

/// What a scan of the segment files found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) catalogue: Catalogue,
    /// Files that were never written.
    pub(crate) free: Vec<u32>,
    /// Files whose header is damaged.
    pub(crate) damaged: Vec<u32>,
    /// The highest epoch in any header.
    pub(crate) epoch: Epoch,
}

/// Reads every segment's header.
///
/// # Errors
/// [`Refusal::Foreign`] for a segment of another log, [`Refusal::Newer`] for a newer format; I/O errors.
pub(crate) fn scan(nvme: &dyn Nvme, dir: &std::path::Path, log: LogId, lanes: u32) -> Result<Found> {
    let mut found =
        Found { catalogue: Catalogue::new(lanes), free: Vec::new(), damaged: Vec::new(), epoch: Epoch(0) };
    let files = nvme.files().map_err(Error::io(dir.display().to_string()))?;
    for name in files {
        let FileName::Segment(number) = name else { continue };
        let path = dir.join(format!("{number:08}.seg"));
        let file = nvme.open(name, false).map_err(Error::io(path.display().to_string()))?;
        match read_header(&file).map_err(Error::io(path.display().to_string()))? {
            Ok(header) if header.log == log && header.lane.0 < lanes => {
                found.epoch = found.epoch.max(header.epoch);
                found.catalogue.insert(Entry { file: number, header });
            }
            Ok(header) => {
                let what = format!("a segment of log {}, lane {}, not of log {log}", header.log, header.lane);
                return Err(Refusal::Foreign { path, what }.into());
            }
            Err(Unreadable::Version(version)) => {
                return Err(Refusal::Newer { path, version, known: crate::format::FORMAT_VERSION }.into());
            }
            // Never written.
            Err(Unreadable::Blank) => found.free.push(number),
            // Its first write was torn, or it rotted and holds what counts: left alone.
            Err(Unreadable::Damaged) => {
                tracing::warn!(path = %path.display(), "the segment's header is damaged: it is neither read nor reused");
                found.damaged.push(number);
            }
        }
    }
    Ok(found)
}

fn read_header(file: &Arc<dyn NvmeFile>) -> io::Result<Result<SegmentHeader, Unreadable>> {
    if file.len() < BLOCK_BYTES as u64 {
        return Ok(Err(Unreadable::Damaged));
    }
    let mut block = Block::zeroed(BLOCK_BYTES);
    file.read(0, &mut block)?;
    Ok(SegmentHeader::decode(&block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{Gsn, Incarnation};

    fn entry(epoch: u32, sequence: u64, first: u64) -> Entry {
        let (log, lane, incarnation) = (LogId([1; 16]), Lane(0), Incarnation(1));
        let (epoch, first, gsn_before) = (Epoch(epoch), Lsn(first), Gsn(0));
        let header = SegmentHeader { log, lane, epoch, incarnation, sequence, first, gsn_before };
        Entry { file: sequence as u32, header }
    }

    /// A run that failed left segment 2; what it held was written again, from 512 on, to segment 3.
    fn after_a_failed_run() -> Catalogue {
        let mut catalogue = Catalogue::new(1);
        [entry(1, 2, 1024), entry(1, 1, 0), entry(1, 3, 512)]
            .into_iter()
            .for_each(|entry| catalogue.insert(entry));
        catalogue
    }

    #[test]
    fn what_was_written_later_counts_from_where_it_begins() {
        let catalogue = after_a_failed_run();
        let found = |epoch, lsn| -> Vec<_> {
            let holders = catalogue.holders(Lane(0), Epoch(epoch), Lsn(lsn));
            holders.into_iter().map(|(entry, next)| (entry.file, next)).collect()
        };
        assert_eq!(found(1, 0), [(1, Some(Lsn(512)))]);
        assert_eq!(found(1, 512), [(3, None), (1, Some(Lsn(512)))]);
        assert_eq!(found(1, 2048), [(3, None), (2, Some(Lsn(512))), (1, Some(Lsn(512)))]);
        assert_eq!(found(2, 0), []);
    }

    #[test]
    fn trimming_keeps_the_segment_that_holds_the_oldest_record() {
        let files = |keep| -> Vec<u32> {
            after_a_failed_run().take_below(Lane(0), Lsn(keep)).iter().map(|entry| entry.file).collect()
        };
        assert!(files(448).is_empty());
        assert_eq!(files(1536), [1, 2]);
    }
}
