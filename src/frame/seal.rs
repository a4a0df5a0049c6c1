//! The checksum of a frame, seeded so that a stale frame of an earlier lap, lane, open or clone never validates.
//!
//! Order: seed (log id, lane, epoch, incarnation), len, lsn, payload and padding, then the header's last word, GSN last:
//! append does the bulk, commit folds two words.

use std::sync::atomic::AtomicU64;

use tierlog_tiers::checksum::Crc32c;

use super::header::Header;
use crate::number::{Epoch, Gsn, Incarnation, LINE_BYTES, Lane, LogId, Lsn};

static ZEROS: [u8; LINE_BYTES as usize] = [0; LINE_BYTES as usize];

/// The seed for the frames of one lane in one open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    seed: Crc32c,
    /// The header's cross-check.
    pub(crate) epoch: u16,
}

/// The checksum over all but the header's last two words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partial(Crc32c);

/// The same without what the processor can do: [`Seal::finish`] knows that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum(u32);

impl Seal {
    pub(crate) fn new(log: LogId, lane: Lane, epoch: Epoch, incarnation: Incarnation) -> Self {
        let seed = Crc32c::new()
            .bytes(&log.0)
            .word(u64::from(lane.0) | u64::from(epoch.0) << 32)
            .word(incarnation.0);
        Seal { seed, epoch: epoch.0 as u16 }
    }

    /// Starts a frame whose body is covered; the padding behind `payload` is taken as zeros.
    #[inline]
    pub(crate) fn over(&self, lsn: Lsn, payload: &[u8]) -> Partial {
        let padding = super::frame_bytes(payload.len()) - super::HEADER_BYTES - payload.len();
        let head = self.seed.word(payload.len() as u64).word(lsn.0);
        Partial(head.bytes(payload).bytes(&ZEROS[..padding]))
    }

    /// Starts a frame of which all bytes behind the header are there, padding included.
    #[inline]
    pub(crate) fn over_body(&self, lsn: Lsn, len: u32, body: &[u8]) -> Partial {
        Partial(self.over_header(lsn, len).0.bytes(body))
    }

    /// The checksum of a frame with that body, to which others may store meanwhile.
    #[inline]
    pub(crate) fn of_shared(&self, header: &Header, body: &[AtomicU64]) -> u32 {
        let (before, after) = ([u64::from(header.len), header.lsn.0], [header.tail_word(), header.gsn.0]);
        self.seed.framed(before, body, after)
    }

    /// The checksum of which so much is known, ended with the header's last word and the stamp.
    #[inline]
    pub(crate) fn finish(&self, sum: Sum, tail_word: u64, gsn: Gsn) -> u32 {
        Partial(self.seed.resumed(sum.0)).finish(tail_word, gsn)
    }

    /// Starts a frame whose body is not covered (filler, pad).
    #[inline]
    pub(crate) fn over_header(&self, lsn: Lsn, len: u32) -> Partial {
        Partial(self.seed.word(u64::from(len)).word(lsn.0))
    }
}

impl Partial {
    /// What to keep of it: half a word.
    #[inline]
    pub(crate) fn sum(self) -> Sum {
        Sum(self.0.register())
    }

    /// Folds in a body of which only this is known: the sums before and behind it over all that it stands in.
    pub(crate) fn through(self, before: Crc32c, behind: Crc32c, bytes: u64) -> Self {
        Partial(self.0.through(before, behind, bytes))
    }

    /// Ends it with the header's last word and the stamp.
    #[inline]
    pub(crate) fn finish(self, tail_word: u64, gsn: Gsn) -> u32 {
        self.0.word(tail_word).word(gsn.0).finish()
    }

    /// Whether `header` carries this checksum.
    pub(crate) fn matches(self, header: &Header) -> bool {
        self.finish(header.tail_word(), header.gsn) == header.crc
    }
}
