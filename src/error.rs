//! Errors, typed by what the caller can do about them ([`Error::remedy`]).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tierlog_tiers::shortage::what_to_allow;

use crate::durability::Durability;
use crate::number::{Lane, Lsn, Position};

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is wrong with the log: wait, or ask for less, and call again.
    Retry,
    /// The call itself was wrong: change it.
    Change,
    /// This open is over, or one lane of it: drop it and open again.
    Reopen,
    /// A person has to look: another owner, a lost tier, a foreign or copied directory.
    Operator,
    /// Bytes that should be there are not: `tierlog verify`, then restore.
    Restore,
}

/// Why an open stops until it is told explicitly to go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A tail that held the newest records is not there, or is not the one this log wrote last.
    #[error(
        "{path}: the tail is {what}; what was not drained to NVMe is gone: put it back, or open with accept-loss"
    )]
    TailLost {
        /// The tail's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The directory is not where it was made: a copy, or it was moved between file systems.
    #[error("{path}: this log was copied or moved here; open with adopt if no other copy will ever be used")]
    Cloned {
        /// The log's directory.
        path: PathBuf,
    },
    /// The archive holds objects of another owner of this log.
    #[error(
        "{archive}: another owner has taken this log over (object {number}): restore from the archive; or go on here \
         with adopt, which takes it back and voids what that owner wrote, or with fork, into another archive"
    )]
    Superseded {
        /// The archive's address.
        archive: String,
        /// The foreign object, or this log's own last claim where no more is known.
        number: u64,
    },
    /// This log is archived elsewhere.
    #[error("{archive}: this log's archive is {known}: name that one, or begin another here with fork")]
    OtherArchive {
        /// The address asked for.
        archive: String,
        /// The address so far.
        known: String,
    },
    /// The store lets several creators of one name win: it cannot keep two owners apart.
    #[error(
        "{archive}: several creators of one name win here, so this store cannot keep two owners of a log apart; use \
         another, or go on with accept-unfenced where there will never be two"
    )]
    Unfenced {
        /// The archive's address.
        archive: String,
    },
    /// The archive holds more of a lane than this machine.
    #[error(
        "{archive}: lane {lane} is archived to {archived}, this machine has it to {local}: restore from the archive"
    )]
    ArchiveAhead {
        /// The archive's address.
        archive: String,
        /// The lane.
        lane: Lane,
        /// The archive's end.
        archived: Lsn,
        /// This machine's end.
        local: Lsn,
    },
    /// The log was written by another version.
    #[error(
        "{path}: format version {version}, this program knows {known}: use one that knows it; nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        version: u32,
        /// The version known.
        known: u32,
    },
    /// A file is not part of this log.
    #[error("{path}: {what}; move it away")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why it does not belong.
        what: String,
    },
}

/// Everything that can go wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lane's ring has no room and none came in time: the drain is slower than the appends, or failing.
    #[error(
        "lane {lane}: the tail is full and was not drained in time ({why}); nothing was appended, try again"
    )]
    Full {
        /// The lane.
        lane: Lane,
        /// What the drain last failed with, or how far it got meanwhile.
        why: String,
    },
    /// The NVMe tier has no room for what a commit has to write there, and none came in time. The batch is published, not yet
    /// durable: the next commit of its lane, also one of nothing, covers it.
    #[error("lane {lane}: {why}; what was appended is not durable yet: make room and commit again")]
    NoRoom {
        /// The lane.
        lane: Lane,
        /// What stands in the way.
        why: String,
    },
    /// Neither the quota nor the file system has room for another segment, which a mark may need. Nothing was written.
    #[error("{why}; nothing was marked: make room and mark again")]
    NoRoomToMark {
        /// What stands in the way.
        why: String,
    },
    /// A record or a batch above its limit; the writer is unharmed.
    #[error("a {what} of {bytes} bytes is above the limit of {bytes_max} for this log's tail segments")]
    TooLarge {
        /// `record` or `batch`.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Every lane has its writer: drop one, share one, or make the log with more lanes.
    #[error("all {lanes} lanes have a writer: drop one, share one, or create the log with more lanes")]
    NoLane {
        /// Lanes of the log.
        lanes: u32,
    },
    /// An I/O error, a memory fault, a panic or a foreign claim ended this lane; it keeps giving its first error.
    #[error("lane {lane} is poisoned: {cause}; what was acknowledged is safe, open the log again")]
    Poisoned {
        /// The lane.
        lane: Lane,
        /// The first error.
        cause: Arc<str>,
    },
    /// The log was closed, or its directory belongs to a forked parent.
    #[error("the log is closed")]
    Closed,
    /// Another writing open has it.
    #[error("{path}: open for writing by {owner}; close it there first")]
    Locked {
        /// The log's directory.
        path: PathBuf,
        /// Who has it, as far as it can be told.
        owner: String,
    },
    /// The configuration cannot be carried out.
    #[error("{0}")]
    Config(String),
    /// An open stopped; see [`Refusal`], and [`Log::open`](crate::Log::open) for what was written by then.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Bytes that count are damaged or missing, and no other tier has them.
    #[error(
        "lane {lane} at {lsn}: {what}; `tierlog verify` tells more, `tierlog repair` mends what another tier has"
    )]
    Corrupt {
        /// The lane.
        lane: Lane,
        /// Where.
        lsn: Lsn,
        /// What was found.
        what: String,
    },
    /// The log's newest stamp is the last one that there is ([`Gsn::MAX`](crate::Gsn::MAX)): it can be read, and takes no
    /// commit. No clock gets there: something else wrote that stamp.
    #[error(
        "no stamp comes after the newest one of this log: copy it into a new one, or restore it to a point before"
    )]
    OutOfStamps,
    /// The position is below what was trimmed.
    #[error("lane {lane} below {oldest} was trimmed", lane = .position.lane)]
    Trimmed {
        /// What was asked for.
        position: Position,
        /// The oldest LSN there is.
        oldest: Lsn,
    },
    /// The position is of an earlier open, beyond what survived of it.
    #[error("lane {lane} at {lsn}: was lost with epoch {epoch}", lane = .position.lane, lsn = .position.lsn, epoch = .position.epoch)]
    Lost {
        /// What was asked for.
        position: Position,
    },
    /// A stamp lies further in the future than the configured lead allows.
    #[error("stamp leads the clock by {lead_ms} ms, above the limit of {lead_ms_max}: it was not taken in")]
    FarAhead {
        /// How far.
        lead_ms: u64,
        /// The limit.
        lead_ms_max: u64,
    },
    /// The slot was broken by its limit: it holds nothing back any more. Drop it, make another, and read on from what is
    /// still there.
    #[error("slot {name} is broken: {why}; records that it waited for may be gone: drop it and make it anew")]
    SlotBroken {
        /// The slot.
        name: String,
        /// By which limit.
        why: String,
    },
    /// There is no slot of that name.
    #[error("there is no slot {name:?}")]
    NoSlot {
        /// The name.
        name: String,
    },
    /// The system refused an operation.
    #[error("{what}: {source}{}", hint(.source))]
    Io {
        /// The file or operation.
        what: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// This log, as it was opened, cannot keep the level asked for: nothing was stored for the commit.
    #[error("{level} cannot be kept here: {why}")]
    NotKept {
        /// The level.
        level: Durability,
        /// What is in the way, and which word takes it all the same.
        why: String,
    },
    /// The object store refused or did not answer.
    #[error("{0}")]
    Archive(String),
}

impl Error {
    /// What the caller can do.
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Full { .. }
            | Error::NoRoom { .. }
            | Error::NoRoomToMark { .. }
            | Error::NoLane { .. }
            | Error::Archive(_) => Remedy::Retry,
            Error::TooLarge { .. } | Error::Config(_) | Error::FarAhead { .. } | Error::NotKept { .. } => {
                Remedy::Change
            }
            Error::Trimmed { .. } | Error::Lost { .. } => Remedy::Change,
            Error::SlotBroken { .. } | Error::NoSlot { .. } => Remedy::Change,
            Error::Poisoned { .. } | Error::Closed => Remedy::Reopen,
            Error::Locked { .. } | Error::Refused(_) | Error::Io { .. } => Remedy::Operator,
            Error::Corrupt { .. } | Error::OutOfStamps => Remedy::Restore,
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source: Arc::new(source) }
    }
}

/// What to do about an answer of the system, where that is known.
fn hint(error: &io::Error) -> String {
    if let Some(what) = what_to_allow(error) {
        return format!(": {what}");
    }
    let what = match error.kind() {
        io::ErrorKind::PermissionDenied => ": run as the owner, or change the mode",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": free some room",
        io::ErrorKind::ReadOnlyFilesystem => ": mount it writable",
        _ => "",
    };
    what.into()
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;
