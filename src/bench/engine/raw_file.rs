//! A raw file in the NVMe directory: written past the page cache in requests of 1 MiB, several at a time, flushed once, and
//! perhaps read back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tierlog_tiers::nvme::{Block, Directory, DirectoryOptions, FileName, Nvme, NvmeFile};

use crate::bench::probe::{Measured, Session};

const REQUEST_BYTES: usize = 1 << 20;
/// What it is called, written alone and read back, too.
pub(super) const RAW: &str = "raw file";
pub(super) const RAW_READ_BACK: &str = "raw file, read back";
const NAME: FileName = FileName::Segment(1);

/// Where it is made, again and again.
pub(super) struct RawFile {
    directory: Directory,
}

impl RawFile {
    pub(super) fn new(session: &Session<'_>) -> Measured<RawFile> {
        let options = DirectoryOptions { create: true, ..DirectoryOptions::default() };
        Ok(RawFile { directory: Directory::open(session.nvme_dir.join("raw"), &options)? })
    }

    /// How long `bytes` take.
    pub(super) fn write(&self, bytes: u64) -> Measured<Duration> {
        self.written(bytes, |_| Ok(()))
    }

    /// How long they take, and their reading back.
    pub(super) fn write_and_read(&self, bytes: u64) -> Measured<Duration> {
        self.written(bytes, |file| {
            let mut block = Block::zeroed(REQUEST_BYTES);
            Ok((0..file.len()).step_by(REQUEST_BYTES).try_for_each(|at| file.read(at, &mut block))?)
        })
    }

    fn written(&self, bytes: u64, after: impl Fn(&Arc<dyn NvmeFile>) -> Measured<()>) -> Measured<Duration> {
        let len = bytes.next_multiple_of(REQUEST_BYTES as u64);
        let began = Instant::now();
        let file = self.directory.allocate(NAME, len)?;
        let mut queue = self.directory.queue()?;
        for at in (0..len).step_by(REQUEST_BYTES) {
            let mut block = queue.block(REQUEST_BYTES);
            block.fill(0x5a);
            queue.write(&file, at, block)?;
        }
        queue.settle()?;
        after(&file)?;
        let took = began.elapsed();
        drop((queue, file));
        self.directory.remove(NAME)?;
        Ok(took)
    }
}
