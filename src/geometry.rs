//! The sizes of a log, and what follows from them.

use crate::error::{Error, Result};

/// The sizes of a log, fixed at creation and kept in the open record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) tails: u32,
    pub(crate) lanes: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) segments: u32,
    pub(crate) nvme_segment_bytes: u64,
}

impl Geometry {
    /// Also applied to what an open record says: media are input.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::Config(what.to_string()));
        if self.tails == 0 || self.lanes == 0 || self.lanes > 1_024 || !self.lanes.is_multiple_of(self.tails)
        {
            return bad("tail.lanes: a log has 1 to 1,024 lanes, the same number in each place");
        }
        if !self.segment_bytes.is_power_of_two() || !(4 << 10..=1 << 30).contains(&self.segment_bytes) {
            return bad("tail.segment_bytes: a power of two from 4 KiB to 1 GiB");
        }
        if !(4..=64).contains(&self.segments) {
            return bad("tail.segments: 4 to 64");
        }
        let nvme_range = 2 * self.segment_bytes..=16 << 30;
        if !self.nvme_segment_bytes.is_multiple_of(4096) || !nvme_range.contains(&self.nvme_segment_bytes) {
            return bad(
                "nvme.segment_bytes: a multiple of 4 KiB, at least two tail segments, at most 16 GiB",
            );
        }
        if crate::frame::deps_frame_bytes_max(self.lanes as usize) as u64 > self.segment_bytes / 4 {
            return bad("tail.segment_bytes: too small for that many lanes");
        }
        Ok(())
    }

    pub(crate) fn lanes_per_tail(&self) -> u32 {
        self.lanes / self.tails
    }

    /// Bytes that a tail segment gives to frames.
    pub(crate) fn slot_bytes(&self) -> u64 {
        self.segment_bytes - crate::format::SEGMENT_HEADER_BYTES as u64
    }

    pub(crate) fn ring_bytes(&self) -> u64 {
        self.segment_bytes * u64::from(self.segments)
    }

    /// Bytes of NVMe that a recovery may need: every ring full, in segments of its own.
    pub(crate) fn recovery_bytes(&self) -> u64 {
        let segments = self.ring_bytes().div_ceil(self.nvme_segment_bytes - 4096) + 1;
        u64::from(self.lanes) * segments * self.nvme_segment_bytes
    }

    pub(crate) fn record_bytes_max(&self) -> u64 {
        (16 << 20).min(self.segment_bytes / 4)
    }

    /// LSNs that one batch, or a run of unstamped batches, may take.
    pub(crate) fn batch_bytes_max(&self) -> u64 {
        self.slot_bytes() * u64::from(self.segments - 2)
    }
}
