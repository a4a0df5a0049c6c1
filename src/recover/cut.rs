//! The cut: per lane the largest end such that everything below it is there, and so is everything that it depends on.
//!
//! A fixpoint over stored dependencies, never a minimum GSN: that loses acknowledged records.

use super::scan::LaneScan;
use crate::number::{Lane, Lsn};

/// Takes back, lane by lane, what depends on something that is not there. `floor` says what is stable in a lane that was
/// not scanned.
pub(crate) fn close(scans: &mut [LaneScan], floor: impl Fn(Lane) -> Option<Lsn>) {
    loop {
        let ends: Vec<(Lane, Lsn)> = scans.iter().map(|scan| (scan.lane, scan.end)).collect();
        let there = |lane: Lane, end: Lsn| {
            let known = ends.iter().find(|(of, _)| *of == lane).map(|(_, end)| *end).or_else(|| floor(lane));
            known.is_some_and(|known| known >= end)
        };
        let mut changed = false;
        for scan in scans.iter_mut() {
            let lost = scan.dependents.iter().position(|group| {
                group.start < scan.end && !group.deps.iter().all(|dep| there(dep.lane, dep.end))
            });
            if let Some(lost) = lost {
                scan.end = scan.dependents[lost].start;
                scan.why = "depends on a batch of another lane that was lost".into();
                scan.cut_at.get_or_insert(scan.end);
                scan.dependents.truncate(lost);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Dep;
    use crate::number::Gsn;
    use crate::recover::scan::Dependent;

    fn scan(lane: u32, end: u64, dependents: &[(u64, u32, u64)]) -> LaneScan {
        let dependents = dependents
            .iter()
            .map(|(start, lane, end)| Dependent {
                start: Lsn(*start),
                deps: vec![Dep { lane: Lane(*lane), end: Lsn(*end) }],
            })
            .collect();
        let (from, gsn, end) = (Lsn(0), Gsn(0), Lsn(end));
        LaneScan { lane: Lane(lane), from, end, gsn, dependents, why: String::new(), cut_at: None }
    }

    fn ends(mut scans: Vec<LaneScan>) -> Vec<u64> {
        close(&mut scans, |_| None);
        scans.iter().map(|scan| scan.end.0).collect()
    }

    #[test]
    fn a_chain_of_lost_dependencies_is_cut_to_its_root() {
        // 2 depends on 1 depends on 0, whose end is short.
        let scans = vec![
            scan(0, 64, &[]),
            scan(1, 320, &[(192, 0, 128)]),
            scan(2, 640, &[(0, 1, 192), (384, 1, 256)]),
        ];
        assert_eq!(ends(scans), [64, 192, 384]);
    }

    #[test]
    fn nothing_is_cut_when_everything_is_there() {
        assert_eq!(ends(vec![scan(0, 128, &[(64, 1, 64)]), scan(1, 64, &[(0, 0, 64)])]), [128, 64]);
    }

    #[test]
    fn a_dependency_on_a_lane_that_does_not_exist_is_not_there() {
        assert_eq!(ends(vec![scan(0, 128, &[(64, 9, 64)])]), [64]);
    }
}
