//! A disk of our own below a file system: a file of a FUSE file system in this process, which keeps its bytes in memory
//! and notes every write and every flush in the order in which they come.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, WriteFlags,
};

const NAME: &str = "disk";
const DISK: INodeNo = INodeNo(2);

/// What the disk was told.
#[derive(Debug)]
pub enum Entry {
    Write { at: usize, bytes: Vec<u8> },
    Flush,
}

/// What is on the disk, and what has come since [`Disk::begin`].
#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// The disk, as long as this lives.
pub struct Disk {
    state: Arc<Mutex<State>>,
    /// Ends before its directory goes.
    _session: BackgroundSession,
    dir: tempfile::TempDir,
}

impl Disk {
    /// An empty one.
    ///
    /// # Errors
    /// Where this user may not mount.
    pub fn new(bytes: usize) -> io::Result<Disk> {
        let state = Arc::new(Mutex::new(State { bytes: vec![0; bytes], entries: Vec::new() }));
        let dir = tempfile::tempdir()?;
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("tierlog-test".into())];
        let session = fuser::spawn_mount(Files(state.clone()), dir.path(), &config)?;
        Ok(Disk { state, _session: session, dir })
    }

    /// The file that a loop device goes on.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(NAME)
    }

    /// Begins to note; what is there now.
    pub fn begin(&self) -> Vec<u8> {
        let mut state = lock(&self.state);
        state.entries.clear();
        state.bytes.clone()
    }

    /// How much has been noted.
    pub fn noted(&self) -> usize {
        lock(&self.state).entries.len()
    }

    /// All that was noted.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut lock(&self.state).entries)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nothing panics under it")
}

/// The directory and its one file. Requests are answered by one thread, one after the other.
struct Files(Arc<Mutex<State>>);

impl Files {
    fn attributes(&self, of: INodeNo) -> FileAttr {
        let size = if of == DISK { lock(&self.0).bytes.len() as u64 } else { 0 };
        FileAttr {
            ino: of,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if of == DISK { FileType::RegularFile } else { FileType::Directory },
            perm: if of == DISK { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

const TTL: Duration = Duration::from_secs(3600);

impl Filesystem for Files {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&TTL, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, of: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(of));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Past the page cache: what the loop device is told comes here at once.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        at: u64,
        len: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let state = lock(&self.0);
        let from = state.bytes.len().min(at as usize);
        let to = state.bytes.len().min(from + len as usize);
        reply.data(&state.bytes[from..to]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        at: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = lock(&self.0);
        let at = at as usize;
        match state.bytes.get_mut(at..at + bytes.len()) {
            Some(there) => {
                there.copy_from_slice(bytes);
                state.entries.push(Entry::Write { at, bytes: bytes.to_vec() });
                reply.written(bytes.len() as u32);
            }
            None => reply.error(Errno::ENOSPC),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        lock(&self.0).entries.push(Entry::Flush);
        reply.ok();
    }
}
