//! What happens in a world, one after the other.
//!
//! An event says what took effect, not what was asked for: faults and mutants have had their say before it. Hence
//! applying the same events again makes the same world.

use std::sync::Arc;

use crate::nvme::FileName;
use crate::object::Name;

/// Numbered from 1; `Written` and the like name the event that began what they end.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Store {
        thread: u32,
        tail: u32,
        at: u64,
        bytes: Arc<[u8]>,
        how: Stored,
    },
    Flush {
        thread: u32,
        tail: u32,
        at: u64,
        len: u64,
    },
    /// `streams`: whether it waits for the thread's streams too, as it should.
    Fence {
        thread: u32,
        streams: bool,
    },
    Sync {
        tail: u32,
        at: u64,
        len: u64,
    },
    TailCreate {
        tail: u32,
        len: u64,
    },
    TailCreated {
        tail: u32,
    },
    TailRemove {
        tail: u32,
    },
    Poison {
        tail: u32,
        at: u64,
        len: u64,
    },

    FileCreate {
        nvme: u32,
        name: FileName,
        len: u64,
    },
    /// `synced`: the directory was flushed; otherwise the name is not durable.
    FileCreated {
        file: u32,
        done: bool,
        synced: bool,
    },
    FileRemove {
        file: u32,
    },
    FileRemoved {
        file: u32,
        synced: bool,
    },
    Write {
        file: u32,
        at: u64,
        bytes: Arc<[u8]>,
    },
    Written {
        write: u64,
        outcome: Landing,
    },
    FileFlush {
        file: u32,
        outcome: Flushed,
    },
    Landed {
        write: u64,
    },
    Rot {
        file: u32,
        bit: u64,
    },
    Gone {
        nvme: u32,
        gone: bool,
    },

    ObjectBegin {
        name: Name,
        change: Change,
    },
    /// `blindly`: whatever stands there.
    ObjectApply {
        request: u64,
        blindly: bool,
    },
    /// `late`: it was given up and is applied before the object operation of that number.
    ObjectEnd {
        request: u64,
        answer: &'static str,
        late: Option<u64>,
    },
    ObjectLook {
        text: Arc<str>,
    },
    ObjectSet {
        name: Name,
        body: Option<Arc<[u8]>>,
    },

    Time {
        host: u32,
        now_ns: u64,
    },
    Step {
        ns: u64,
    },
    Jump {
        host: u32,
        ns: i64,
    },
    Trust {
        host: u32,
        trusted: bool,
    },
    Note {
        text: Arc<str>,
    },
}

/// What kind of store it was, and so what may become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// Words in ascending order.
    Words,
    /// Words in any order.
    Shuffled,
    /// Bytes in ascending order.
    Bytes,
    /// One word at once.
    Word,
    /// One word as two halves.
    Halves,
    /// One word that no earlier store to its line comes before.
    Loose,
    /// Past the cache.
    Stream,
    /// In place, by a slice: only what differs.
    InPlace,
}

/// What became of a write that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// It is there; `durable`: also without a flush.
    Whole { durable: bool },
    /// The first so many bytes are there, and an error was answered.
    Part { bytes: u64 },
    /// Success was answered, and nothing was written.
    Nothing,
}

/// What became of a file's flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// What was completed is durable.
    Durable,
    /// It failed: what was completed may be lost for good, whatever a later flush says.
    Lost,
}

/// What is asked of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Create(Arc<[u8]>),
    Put(Arc<[u8]>),
    Replace { old: Arc<[u8]>, new: Arc<[u8]> },
    Delete,
}

impl Change {
    /// Whether it is done where this stands.
    pub(super) fn takes(&self, before: Option<&[u8]>) -> bool {
        match self {
            Change::Create(_) => before.is_none(),
            Change::Put(_) | Change::Delete => true,
            Change::Replace { old, .. } => before == Some(old),
        }
    }

    /// What stands there once it is done.
    pub(super) fn after(&self) -> Option<Arc<[u8]>> {
        match self {
            Change::Create(body) | Change::Put(body) | Change::Replace { new: body, .. } => {
                Some(body.clone())
            }
            Change::Delete => None,
        }
    }
}

impl Event {
    /// Whether the states that can survive, or what is known of them, may differ after it.
    pub(super) fn matters(&self) -> bool {
        !matches!(self, Event::ObjectLook { .. } | Event::Time { .. })
    }
}
