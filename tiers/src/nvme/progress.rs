//! How far one transfer is: the only place that judges what a read or write call answered.
//!
//! Invariant: `done` is a multiple of [`BLOCK_BYTES`], so that what is left stays fit for direct I/O.

use std::io;

use super::BLOCK_BYTES;

/// Answers in a row that move nothing (less than a block, or `EAGAIN`) before it counts as an error.
const STALLS_MAX: u32 = 64;

/// A transfer of `len` bytes, of which `done` are through.
#[derive(Debug)]
pub(super) struct Progress {
    len: usize,
    done: usize,
    stalls: u32,
    /// What it is called if nothing moves any more.
    stuck: io::ErrorKind,
}

impl Progress {
    pub(super) fn reading(len: usize) -> Progress {
        Progress { len, done: 0, stalls: 0, stuck: io::ErrorKind::UnexpectedEof }
    }

    pub(super) fn writing(len: usize) -> Progress {
        Progress { len, done: 0, stalls: 0, stuck: io::ErrorKind::WriteZero }
    }

    /// Bytes through so far: where to go on.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    pub(super) fn is_over(&self) -> bool {
        self.done >= self.len
    }

    /// Takes in one answer. `Ok`: go on at `done` unless it is over; an interrupted call is simply repeated.
    pub(super) fn take(&mut self, answer: io::Result<usize>) -> io::Result<()> {
        match answer {
            Ok(0) => Err(self.stuck.into()),
            Ok(bytes) if bytes >= BLOCK_BYTES => {
                self.done += bytes - bytes % BLOCK_BYTES;
                self.stalls = 0;
                Ok(())
            }
            Ok(_) => self.stall(self.stuck.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stall(error),
            Err(error) => Err(error),
        }
    }

    fn stall(&mut self, error: io::Error) -> io::Result<()> {
        self.stalls += 1;
        if self.stalls > STALLS_MAX { Err(error) } else { Ok(()) }
    }
}
