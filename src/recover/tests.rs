//! What is passed ahead of its turn changes nothing: lanes end where they would frame after frame.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tierlog_tiers::nvme::{Directory, DirectoryOptions, FileName, Nvme};
use tierlog_tiers::tail::{Fault, TailRead};

use super::examine::{Inputs, Uncut, scan_lanes};
use super::stretch::Ahead;
use crate::host::Machine;
use crate::open::{Superblock, geometry_of};
use crate::runs::Marks;
use crate::{Config, Durability, Log, Medium};

const SEGMENTS: u32 = 12;

/// A tail in memory, of which one page cannot be read.
#[derive(Debug)]
struct Bytes {
    bytes: Vec<u8>,
    bad: Option<u64>,
}

impl TailRead for Bytes {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        let end = at + out.len() as u64;
        if let Some(page) = self.bad.filter(|page| *page < end && at < page + 4096) {
            return Err(Fault { path: "memory".into(), at: page });
        }
        out.copy_from_slice(&self.bytes[at as usize..end as usize]);
        Ok(())
    }
}

/// Writes to a log, and leaves in `image` what is on NVMe before that; the tail after it. Batches of one record, one over
/// several segments, aborted ones, unstamped ones.
fn crashed(image: &Path) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.tail.medium = Medium::Emulated;
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(64 << 10);
    config.tail.segments = Some(SEGMENTS);
    config.nvme.accept_volatile = true;
    let (log, _) = Log::open(config).unwrap();
    for entry in fs::read_dir(dir.path().join("nvme")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, image.join(path.file_name().unwrap())).unwrap();
    }
    let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
    for writer in &mut writers {
        for i in 0..400_u32 {
            writer.append(i, &vec![i as u8; i as usize * 37 % 1500]).unwrap();
            match i {
                7 | 8 => writer.abort().unwrap(),
                150..=300 => {}
                310..=320 => drop(writer.commit(Durability::Buffered).unwrap()),
                _ => drop(writer.commit(Durability::Power).unwrap()),
            }
        }
    }
    fs::read(dir.path().join("tail")).unwrap()
}

/// What is found with a look ahead and without, and how much was seen ahead.
fn found(image: &Path, tail: Bytes) -> (String, String, usize) {
    let options = DirectoryOptions { create: false, read_only: true, ..DirectoryOptions::default() };
    let nvme: Arc<dyn Nvme> = Arc::new(Directory::open(image, &options).unwrap());
    let file = nvme.open(FileName::Superblock, false).unwrap();
    let record = Superblock { file }.read(image).unwrap().unwrap();
    let geometry = geometry_of(&record).unwrap();
    let marks = Marks::open(&*nvme, image, record.log, geometry.lanes, false).unwrap();
    let inputs = Inputs {
        record: &record,
        geometry,
        tails: vec![Arc::new(tail)],
        tail_paths: vec!["memory".into()],
        nvme,
        nvme_path: image.into(),
        marks: &marks,
        env: Arc::new(Machine::detect()),
    };
    let Uncut { media, open, .. } = inputs.uncut().unwrap();
    let ahead = Ahead::look(&media, &open, &marks);
    let scan = |ahead| format!("{:?}", scan_lanes(&media, &open, &marks, ahead));
    (scan(&ahead), scan(&Ahead::default()), ahead.0.len())
}

#[test]
fn a_look_ahead_finds_what_frame_after_frame_does() {
    let image = tempfile::tempdir().unwrap();
    let bytes = crashed(image.path());
    let (whole, again, stretches) = found(image.path(), Bytes { bytes: bytes.clone(), bad: None });
    assert_eq!(whole, again);
    assert!(stretches > 8, "only {stretches} segments were seen ahead");
    let mut different = 0;
    let segment = |at: usize| at - at % (64 << 10);
    for at in (0..bytes.len()).step_by(2048 + 192).filter(|at| bytes[at & !63..][..64] != [0; 64]) {
        let (mut changed, mut twice) = (bytes.clone(), bytes.clone());
        changed[at] ^= 0x40;
        // A segment that is there twice.
        let from = segment(at);
        twice.copy_within(from..from + (64 << 10), (from + (192 << 10)) % segment(bytes.len()));
        for (bytes, bad) in [(changed, None), (bytes.clone(), Some(at as u64 & !4095)), (twice, None)] {
            let (ahead, frames, _) = found(image.path(), Bytes { bytes, bad });
            assert_eq!(ahead, frames, "something is wrong at {at}");
            different += usize::from(ahead != whole);
        }
    }
    assert!(different > 100, "only {different} changes changed anything");
}
