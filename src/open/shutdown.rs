//! Whether the memory kept what was fenced: the table of decisions of PMDK's `shutdown_state_check`.

use tierlog_tiers::tail::Shutdowns;

/// What the counts of unsafe shutdowns, then and now, say of a tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// Nothing was lost, or nothing that this log had there.
    Sound,
    /// Fenced stores may be gone.
    Suspect(String),
}

/// `stored` is what the open record holds, `now` what the DIMMs say; `closed` means that nothing was under way.
///
/// | stored | DIMMs and count | the log was | |
/// |---|---|---|---|
/// | nothing, or nothing is told now | | | sound: it cannot be known |
/// | damaged | | | sound: the other slot counts, as for everything in the record |
/// | yes | the same | closed or not | sound: the process ended, not the power |
/// | yes | others, or counted on | closed | sound: nothing was in flight; what holds now is stored |
/// | yes | others, or counted on | not closed | suspect: ADR failed |
pub(super) fn judge(stored: Option<Shutdowns>, now: Option<Shutdowns>, closed: bool) -> Judged {
    match (stored, now) {
        (Some(stored), Some(now)) if stored != now && !closed => {
            Judged::Suspect(match stored.dimms == now.dimms {
                true => format!(
                    "in memory that has counted unsafe shutdowns ({}, it was {}): what was fenced may be gone",
                    now.count, stored.count
                ),
                false => "on other DIMMs than when it was last opened".into(),
            })
        }
        _ => Judged::Sound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let was = Shutdowns { dimms: 7, count: 2 };
        let counted = Shutdowns { count: 3, ..was };
        let moved = Shutdowns { dimms: 8, ..was };
        for closed in [true, false] {
            // Never stored, or a record of an earlier program; not told any more.
            assert_eq!(judge(None, Some(was), closed), Judged::Sound);
            assert_eq!(judge(Some(was), None, closed), Judged::Sound);
            assert_eq!(judge(None, None, closed), Judged::Sound);
            // A process that was killed, or a clean start.
            assert_eq!(judge(Some(was), Some(was), closed), Judged::Sound);
        }
        // Power failed while nothing was under way.
        assert_eq!(judge(Some(was), Some(counted), true), Judged::Sound);
        assert_eq!(judge(Some(was), Some(moved), true), Judged::Sound);
        // Power failed in the middle, and so did ADR.
        let Judged::Suspect(what) = judge(Some(was), Some(counted), false) else { panic!("ADR failed") };
        assert!(what.contains("3, it was 2"), "{what}");
        assert!(matches!(judge(Some(was), Some(moved), false), Judged::Suspect(_)));
    }
}
