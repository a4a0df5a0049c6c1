//! Who takes part, one file each.

use crate::peer::{Kind, Medium};

mod fjall;
mod libpmemlog;
mod nodedb;
mod okaywal;
mod open_wal;
mod raft_engine;
mod raw_disk;
mod raw_tail;
mod redb;
mod rocksdb;
mod sqlite;
mod tierlog;
mod wal_db;
mod walrus;
mod writeahead;

/// What the results call ours.
pub const OURS: &str = "tierlog";
/// Ours, with a stream for each record of a commit.
pub const STREAMS: &str = "tierlog, a stream each";

/// Ours, with one lane for all threads.
pub const SHARED: &str = "tierlog, one lane";

const DISK: &[Medium] = &[Medium::Disk];
const BOTH: &[Medium] = &[Medium::Tail, Medium::Disk];

/// All of them, yardsticks first.
pub const KINDS: &[Kind] = &[
    raw_tail::KIND,
    raw_disk::FDATASYNC,
    raw_disk::DSYNC,
    tierlog::KIND,
    tierlog::STREAMS,
    tierlog::SHARED,
    libpmemlog::SHARED,
    libpmemlog::SPLIT,
    open_wal::SHARED,
    open_wal::SPLIT,
    wal_db::KIND,
    okaywal::KIND,
    raft_engine::KIND,
    walrus::KIND,
    writeahead::KIND,
    nodedb::O_DIRECT,
    nodedb::BUFFERED,
    fjall::KIND,
    rocksdb::KIND,
    sqlite::KIND,
    redb::KIND,
];

/// What is not here, and why.
pub const ABSENT: &[(&str, &str)] = &[
    ("commitlog 0.2.0", "not durable: makes no system call that would, flush() included"),
    ("simple_wal 0.3.0", "not durable: its flush() is that of std::fs::File, which does nothing"),
    ("mrecordlog 0.4.0", "not durable: SyncPolicy::OnAppend makes no system call that would"),
    ("sled 0.34.7", "not durable: flush() is sync_file_range, which its own issue #1452 says"),
    ("nodedb-wal 0.6.2", "needs Rust 1.96"),
    ("chronik-wal", "part of a server, no library of its own"),
    ("Chronicle Queue, Aeron Archive", "Java"),
    ("LeanStore (branch latency)", "needs a kernel module, and recovers nothing yet"),
    (
        "Microsoft's verified multilog",
        "needs a nightly compiler and a patch to open at all; where it was tried (64 B, emulated), a commit over 2 and 4 \
         logs took 6.2 and 10 times the raw loop of one record",
    ),
];
