//! A file: what is read from it, what of it is durable, the sectors in between, and the state of its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::nvme::FileName;
use crate::sim::event::Landing;
use crate::sim::image::Image;

/// What the directory says of a file, and whether it will still say so after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Presence {
    /// Under way: a crash may leave nothing, or a file cut short.
    Creating,
    /// Visible; neither name nor length is durable.
    Unsynced,
    /// Visible, and its length is durable; its name is not.
    Sized,
    Durable,
    /// Under way: a crash may leave it.
    Removing,
    /// Gone; a power cut may bring it back.
    RemovedUnsynced,
    Removed,
}

impl Presence {
    /// Once the directory is flushed.
    pub(super) fn synced(self) -> Presence {
        match self {
            Presence::Unsynced | Presence::Sized => Presence::Durable,
            Presence::RemovedUnsynced => Presence::Removed,
            other => other,
        }
    }
}

/// A content that a sector may have after a power cut: bytes of a write, from an offset on.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Version {
    pub(in crate::sim) write: u64,
    bytes: Arc<[u8]>,
    offset: usize,
    ended: bool,
    /// A flush that should have made it durable failed.
    lost: bool,
}

/// A write that lands after its process is gone.
#[derive(Debug, Clone)]
pub(in crate::sim) struct LateWrite {
    /// What the event of its landing names it by: above every event's number.
    pub(in crate::sim) write: u64,
    pub(in crate::sim) file: u32,
    pub(in crate::sim) at: u64,
    pub(in crate::sim) bytes: Arc<[u8]>,
    pub(in crate::sim) due_ns: u64,
}

#[derive(Debug, Clone)]
pub(in crate::sim) struct FileModel {
    pub(in crate::sim) nvme: u32,
    pub(in crate::sim) name: FileName,
    pub(in crate::sim) presence: Presence,
    pub(in crate::sim) sector_bytes: u64,
    pub(in crate::sim) visible: Image,
    /// As it was before the newest write.
    pub(in crate::sim) stale: Image,
    pub(in crate::sim) durable: Image,
    /// By sector, oldest first: one of these, or what is durable, is left by a power cut.
    pub(in crate::sim) pending: BTreeMap<u64, Vec<Version>>,
    /// Under way.
    pub(in crate::sim) writes: BTreeMap<u64, (u64, Arc<[u8]>)>,
}

impl FileModel {
    pub(super) fn creating(nvme: u32, name: FileName, len: u64, sector_bytes: u64) -> FileModel {
        let zeros = Image::zeroed(len);
        FileModel {
            nvme,
            name,
            presence: Presence::Creating,
            sector_bytes,
            visible: zeros.clone(),
            stale: zeros.clone(),
            durable: zeros,
            pending: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }

    pub(in crate::sim) fn is_visible(&self) -> bool {
        !matches!(self.presence, Presence::Removed | Presence::RemovedUnsynced)
    }

    pub(in crate::sim) fn len(&self) -> u64 {
        self.visible.len()
    }

    /// Cut short, with nothing but zeros in it.
    pub(in crate::sim) fn cut(&mut self, len: u64) {
        let zeros = Image::zeroed(len);
        (self.visible, self.stale, self.durable) = (zeros.clone(), zeros.clone(), zeros);
        self.pending.clear();
        self.writes.clear();
    }

    pub(super) fn begin(&mut self, write: u64, at: u64, bytes: &Arc<[u8]>) {
        for offset in (0..bytes.len()).step_by(self.sector_bytes as usize) {
            let sector = (at + offset as u64) / self.sector_bytes;
            let version = Version { write, bytes: bytes.clone(), offset, ended: false, lost: false };
            self.pending.entry(sector).or_default().push(version);
        }
        self.writes.insert(write, (at, bytes.clone()));
    }

    pub(in crate::sim) fn end(&mut self, write: u64, outcome: Landing) {
        let Some((at, bytes)) = self.writes.remove(&write) else { return };
        let landed = match outcome {
            Landing::Whole { .. } => bytes.len(),
            Landing::Part { bytes: part } => part as usize,
            Landing::Nothing => 0,
        };
        if landed > 0 {
            self.stale = self.visible.clone();
            self.visible.write(at, &bytes[..landed]);
        }
        let sectors = at / self.sector_bytes..(at + bytes.len() as u64) / self.sector_bytes;
        for sector in sectors {
            let Some(versions) = self.pending.get_mut(&sector) else { continue };
            versions.retain(|version| version.write != write || version.offset < landed);
            versions.iter_mut().filter(|version| version.write == write).for_each(|it| it.ended = true);
            match outcome {
                Landing::Whole { durable: true } => self.promote(sector, |it| it.write == write),
                _ => self.promote(sector, |_| false),
            }
        }
    }

    pub(super) fn flush(&mut self, durable: bool) {
        let sectors: Vec<u64> = self.pending.keys().copied().collect();
        for sector in sectors {
            if durable {
                self.promote(sector, |version| version.ended && !version.lost);
            } else {
                let versions = self.pending.get_mut(&sector).into_iter().flatten();
                versions.filter(|version| version.ended).for_each(|version| version.lost = true);
            }
        }
        if durable && self.presence == Presence::Unsynced {
            self.presence = Presence::Sized;
        }
    }

    /// Makes the last version that is durable the durable content; those before it are overwritten.
    fn promote(&mut self, sector: u64, is_durable: impl Fn(&Version) -> bool) {
        let Some(versions) = self.pending.get_mut(&sector) else { return };
        if let Some(last) = versions.iter().rposition(is_durable) {
            let version = versions.drain(..=last).next_back().expect("the one just found");
            let content = version.content(self.sector_bytes);
            self.durable.write(sector * self.sector_bytes, content);
        }
        if versions.is_empty() {
            self.pending.remove(&sector);
        }
    }

    /// After a kill: what was completed waits for a flush by somebody else.
    pub(in crate::sim) fn orphan(&mut self) {
        self.pending.values_mut().flatten().for_each(|version| version.write = 0);
    }

    pub(super) fn rot(&mut self, bit: u64) {
        for image in [&mut self.visible, &mut self.durable] {
            let mut byte = [0];
            image.read(bit / 8, &mut byte);
            byte[0] ^= 1 << (bit % 8);
            image.write(bit / 8, &byte);
        }
    }
}

impl Version {
    pub(in crate::sim) fn content(&self, sector_bytes: u64) -> &[u8] {
        &self.bytes[self.offset..self.offset + sector_bytes as usize]
    }
}
