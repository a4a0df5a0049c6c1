//! How far a lane is on NVMe, kept in the file `watermarks`: two blocks per lane, written in turn.

use super::Unreadable;
use super::bytes::{Reader, Writer, seal_block, unseal_block};
use crate::number::{Epoch, Gsn, Incarnation, LogId, Lsn};

const MAGIC: [u8; 8] = *b"TIERWMK1";

/// Everything below `drained` is stable on NVMe; a hole there is corruption, and recovery need not look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Watermark {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    /// Counts the writes of this lane's watermark: the higher of the two blocks counts.
    pub(crate) turn: u64,
    /// The end of a stamped batch.
    pub(crate) drained: Lsn,
    /// The newest stamp below `drained`.
    pub(crate) gsn: Gsn,
    /// What the user said is not needed below.
    pub(crate) checkpoint: Lsn,
    /// What is gone below.
    pub(crate) trimmed: Lsn,
}

impl Watermark {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Writer::default();
        body.bytes(&self.log.0).u32(self.epoch.0).u32(0).u64(self.incarnation.0).u64(self.turn);
        body.u64(self.drained.0).u64(self.gsn.0).u64(self.checkpoint.0).u64(self.trimmed.0);
        seal_block(MAGIC, &body.0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut body = Reader(unseal_block(MAGIC, bytes)?);
        let mut fields = || {
            let log = LogId(body.id()?);
            let epoch = Epoch(body.u32()?);
            body.u32()?;
            Some(Watermark {
                log,
                epoch,
                incarnation: Incarnation(body.u64()?),
                turn: body.counter()?,
                drained: body.lsn()?,
                gsn: body.stamp()?,
                checkpoint: body.lsn()?,
                trimmed: body.lsn()?,
            })
        };
        fields().ok_or(Unreadable::Damaged)
    }
}
