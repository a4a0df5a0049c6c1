//! Promises to break: what a test of recovery must notice.

/// One broken promise of a tier's seam. A world with a mutant behaves in every other way as it should; what tests a
/// recovery is worth little unless it notices each of them that concerns it.
///
/// The numbers are those of the sections of the design, and of the persistency rules in [`sim`](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mutant {
    /// A tail's fence does nothing. (4: one fence a commit.)
    FenceDoesNothing,
    /// The fence of the tail's lane with the lowest offset does nothing. (4: a lane's writer fences its own.)
    FenceSkipsLane,
    /// A flush leaves the first of several lines out. (4; rule 4: flush whole lines, both edges.)
    FlushSkipsFirstLine,
    /// A flush leaves the last of several lines out. (4; rule 4.)
    FlushSkipsLastLine,
    /// Flushes are started after the next fence. (4; rule 4: the fence waits for flushes before it.)
    FlushAfterFence,
    /// A fence does not wait for streams. (4; rule 5.)
    StreamNotFenced,
    /// The word that validates a frame is stored as two halves. (4, 7: stored atomically; rule 1.)
    WordTorn,
    /// The word that validates a frame may be there before what was stored to its line earlier. (4: stored last; rule 2.)
    WordFirst,
    /// Persisting a range of a tail does nothing. (5: what recovery accepts is persisted before it is yielded.)
    PersistDoesNothing,
    /// A write from a cold path is not persisted. (5: the open record is durable before anything is yielded.)
    ColdWriteNotPersisted,
    /// A fence is silent about memory that faulted. (7: the flag is checked before every acknowledgement.)
    FaultSilent,
    /// A range of a tail is given to two writers. (4: a lane has one writer at a time.)
    RangeTwice,

    /// A durable write returns before the device is flushed. (7: a completion is not durability.)
    WriteNotFlushed,
    /// A flush that failed says that it succeeded. (1: an error on a path that carries a promise poisons.)
    FlushErrorSwallowed,
    /// A flush that failed is tried again, and the second answer is given. (1: no fsync is retried.)
    FlushRetried,
    /// A write lands one block further on. (6: read back before the tail gives a segment up.)
    WriteNextBlock,
    /// A queue settles while its writes are under way. (6: data written, device flushed, in that order.)
    SettleEarly,
    /// A queue settles without a flush. (6.)
    SettleNotFlushed,
    /// A queue whose write failed settles. (6.)
    SettleForgetsError,
    /// A file's name is not durable when its creation returns. (6: no create where a commit can wait, names durable.)
    CreateNotDurable,
    /// A file's removal is not durable when it returns. (6.)
    RemoveNotDurable,
    /// A file is opened for writing without a lock. (5: the lock.)
    OpenWithoutLock,
    /// A file's lock ends with its process, not with the process's last write. (5: it outlives a killed process.)
    LockEndsEarly,

    /// A create overwrites an object that is there. (6: created only if its number is free: that is the fence.)
    CreateOverwrites,
    /// A create says `Ours` where somebody else's object is. (6.)
    ConflictIsOurs,
    /// A create whose first answer was lost is refused for good. (6: a conflict is settled by reading back.)
    LostAnswerRefused,
    /// A replace does not look at what it replaces. (6: `base` is raised by If-Match.)
    ReplaceBlind,
    /// A create, or a put, is answered before it is applied. (6: acknowledged by the object store.)
    CreateEarly,
    /// The newest object is not seen by reads until there is a newer one. (6: read after write.)
    ObjectStale,

    /// A clock runs backwards. (5: never stepped back.)
    ClockBackwards,
    /// A clock always says that it is trusted. (5: UTC as far as the clock can be trusted.)
    ClockTrusted,
}

impl Mutant {
    /// All of them.
    pub const ALL: &[Mutant] = &[
        Mutant::FenceDoesNothing,
        Mutant::FenceSkipsLane,
        Mutant::FlushSkipsFirstLine,
        Mutant::FlushSkipsLastLine,
        Mutant::FlushAfterFence,
        Mutant::StreamNotFenced,
        Mutant::WordTorn,
        Mutant::WordFirst,
        Mutant::PersistDoesNothing,
        Mutant::ColdWriteNotPersisted,
        Mutant::FaultSilent,
        Mutant::RangeTwice,
        Mutant::WriteNotFlushed,
        Mutant::FlushErrorSwallowed,
        Mutant::FlushRetried,
        Mutant::WriteNextBlock,
        Mutant::SettleEarly,
        Mutant::SettleNotFlushed,
        Mutant::SettleForgetsError,
        Mutant::CreateNotDurable,
        Mutant::RemoveNotDurable,
        Mutant::OpenWithoutLock,
        Mutant::LockEndsEarly,
        Mutant::CreateOverwrites,
        Mutant::ConflictIsOurs,
        Mutant::LostAnswerRefused,
        Mutant::ReplaceBlind,
        Mutant::CreateEarly,
        Mutant::ObjectStale,
        Mutant::ClockBackwards,
        Mutant::ClockTrusted,
    ];
}
