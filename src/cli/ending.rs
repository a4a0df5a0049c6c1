//! How a command ends.

use std::io;
use std::process::ExitCode;

use crate::error::Error;

/// What a command comes to.
pub(super) type Outcome = Result<Status, Failure>;

/// Exit statuses; what each command means by them is in the help of `tierlog` (`args`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// All was done.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// The command line or the configuration is wrong, or every lane has its writer.
    Usage = 2,
    /// It was done, and something was found: damage, or what else the command looks for.
    Damage = 3,
    /// A level cannot be kept here.
    NotKept = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(status as u8)
    }
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The log said so.
    #[error(transparent)]
    Log(#[from] Error),
    /// The command line or the configuration is wrong.
    #[error("{0}")]
    Usage(String),
    /// Input, output, or a check.
    #[error("{0}")]
    Failed(String),
    /// Whoever read standard output has enough (`| head`): nothing is wrong.
    #[error("nobody reads standard output any more")]
    ReaderGone,
}

impl Failure {
    pub(super) fn status(&self) -> Status {
        match self {
            Failure::Log(Error::Config(_) | Error::NoLane { .. }) | Failure::Usage(_) => Status::Usage,
            Failure::Log(Error::NotKept { .. }) => Status::NotKept,
            Failure::Log(_) | Failure::Failed(_) => Status::Failed,
            Failure::ReaderGone => Status::Done,
        }
    }

    /// An I/O error on `what`.
    pub(super) fn io(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::Failed(format!("{what}: {error}"))
    }
}
