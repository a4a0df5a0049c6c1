//! The yardsticks on the disk: whole blocks written past the page cache over a file of zeros, one file a thread.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::DISK;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};

const BLOCK_BYTES: usize = 4096;
/// Of each file; a writer begins again at its end.
const BLOCKS: u64 = 4096;
/// `O_DIRECT` and `O_DSYNC` of Linux on x86-64; aarch64 has another `O_DIRECT`.
const O_DIRECT: i32 = if cfg!(target_arch = "aarch64") { 0o200_000 } else { 0o40_000 };
const O_DSYNC: i32 = 0o10_000;

pub const FDATASYNC: Kind = Kind {
    name: "raw fdatasync",
    about: || "O_DIRECT over zeros, fdatasync; a file a thread, a record a commit, always".into(),
    on: DISK,
    when: When::Always,
    by_file: true,
    open: |place| open(place, false),
    read: None,
};

pub const DSYNC: Kind = Kind {
    name: "raw O_DSYNC",
    about: || "O_DIRECT over zeros, O_DSYNC; a file a thread, a record a commit, always".into(),
    on: DISK,
    when: When::Always,
    by_file: true,
    open: |place| open(place, true),
    read: None,
};

/// Memory as O_DIRECT wants it.
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Block([u8; BLOCK_BYTES]);

struct RawDisk {
    files: Vec<File>,
    dsync: bool,
}

struct Turn<'a> {
    file: &'a File,
    dsync: bool,
    block: Box<Block>,
    next: u64,
}

fn open(place: &Place, dsync: bool) -> Outcome<Box<dyn Peer>> {
    let file = |nth| file(&place.dir.join(format!("{nth}")), dsync);
    Ok(Box::new(RawDisk { files: (0..place.threads).map(file).collect::<Outcome<_>>()?, dsync }))
}

fn file(path: &Path, dsync: bool) -> Outcome<File> {
    let mut zeros = File::create(path)?;
    let chunk = vec![0; 1 << 20];
    for _ in 0..BLOCKS * BLOCK_BYTES as u64 / chunk.len() as u64 {
        zeros.write_all(&chunk)?;
    }
    zeros.sync_all()?;
    let flags = O_DIRECT | if dsync { O_DSYNC } else { 0 };
    Ok(OpenOptions::new().write(true).custom_flags(flags).open(path)?)
}

impl Peer for RawDisk {
    fn writer(&self, nth: usize) -> Outcome<Box<dyn Writer + '_>> {
        let block = Box::new(Block([0; BLOCK_BYTES]));
        Ok(Box::new(Turn { file: &self.files[nth], dsync: self.dsync, block, next: 0 }))
    }
}

impl Writer for Turn<'_> {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        self.block.0[..records[0].len()].copy_from_slice(records[0]);
        self.file.write_all_at(&self.block.0, self.next % BLOCKS * BLOCK_BYTES as u64)?;
        self.next += 1;
        if self.dsync { Ok(()) } else { Ok(self.file.sync_data()?) }
    }
}
