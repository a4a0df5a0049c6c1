//! Torn or corrupt? One row per case, and every input is in one row.
//!
//! A lane is read to its first hole, an LSN at which no tier has a valid frame of the epoch. A *torn* hole is the end of a
//! crashed lane: what lies there was never acknowledged. A *corrupt* one held something that was.

use std::fmt;

/// What is known of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    /// It lies below an end, or a durable watermark: everything there was stable on NVMe once.
    pub(crate) below_watermark: bool,
    /// It lies below the oldest live tail segment: that was only given up after NVMe had what came before.
    pub(crate) below_tail: bool,
    /// A valid FENCED frame of the same or a later epoch lies beyond: everything before it was stable.
    pub(crate) fenced_beyond: bool,
    /// The memory or the drive refused to read it, instead of giving other bytes.
    pub(crate) unreadable: bool,
    /// Frames are valid, but in an order that no writer makes.
    pub(crate) misplaced: bool,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The lane ends here.
    Cut(&'static str),
    /// Stop, and say so.
    Refuse(&'static str),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Verdict::Cut(why) | Verdict::Refuse(why)) = self;
        f.write_str(why)
    }
}

/// The table, first match first.
pub(crate) fn judge(hole: Hole) -> Verdict {
    match hole {
        // Media error, never a cut: the bytes may be what was acknowledged.
        Hole { unreadable: true, .. } => Verdict::Refuse("unreadable: the medium refuses these bytes"),
        // Checksums are right, so a writer, not the medium, did this: a foreign version, or a bug.
        Hole { misplaced: true, .. } => {
            Verdict::Refuse("misplaced: valid frames in an order that no writer makes")
        }
        // Acknowledged, proved, and now gone.
        Hole { below_watermark: true, .. } => Verdict::Refuse("below the watermark: this was stable on NVMe"),
        Hole { below_tail: true, .. } => {
            Verdict::Refuse("below the tail: this was drained before the tail gave it up")
        }
        // Later bytes are there that were only written once these were stable.
        Hole { fenced_beyond: true, .. } => {
            Verdict::Refuse("before a fenced frame: this was stable when that was written")
        }
        // Nothing says that it was ever acknowledged: the torn end. Limit: rot in the last fenced group looks like this.
        Hole { .. } => Verdict::Cut("torn: never acknowledged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every input, against the rules as sentences.
    #[test]
    fn every_input_has_its_verdict() {
        for bits in 0_u32..32 {
            let bit = |i: u32| bits >> i & 1 == 1;
            let hole = Hole {
                below_watermark: bit(0),
                below_tail: bit(1),
                fenced_beyond: bit(2),
                unreadable: bit(3),
                misplaced: bit(4),
            };
            let verdict = judge(hole);
            let evidence = bits != 0;
            assert_eq!(matches!(verdict, Verdict::Refuse(_)), evidence, "{hole:?}: {verdict}");
            if hole.unreadable {
                assert!(
                    verdict.to_string().starts_with("unreadable"),
                    "a media error is never called anything else"
                );
            }
        }
    }
}
