//! The cut: per lane the largest end such that everything below it is there, and so is everything that it depends on.
//!
//! A fixpoint over stored dependencies, never a minimum GSN: that loses acknowledged records.

use std::collections::BTreeMap;

use super::scan::LaneScan;
use crate::number::{Lane, Lsn};

/// Takes back, lane by lane, what depends on something that is not there. Each dependency is looked at once or twice,
/// whatever order they are lost in.
pub(crate) fn close(scans: &mut [LaneScan]) {
    let by_lane: BTreeMap<Lane, usize> = scans.iter().enumerate().map(|(i, scan)| (scan.lane, i)).collect();
    // By the lane depended upon, the highest ends last: the end, the lane that depends on it, the group there.
    let mut needs: Vec<Vec<(Lsn, usize, usize)>> = vec![Vec::new(); scans.len()];
    let mut lost = Vec::new();
    for (i, scan) in scans.iter().enumerate() {
        for (number, group) in scan.dependents.iter().enumerate() {
            for dep in &group.deps {
                match by_lane.get(&dep.lane) {
                    Some(lane) => needs[*lane].push((dep.end, i, number)),
                    None => lost.push((i, number)),
                }
            }
        }
    }
    needs.iter_mut().for_each(|needs| needs.sort_unstable());
    let mut shorter: Vec<usize> = (0..scans.len()).collect();
    loop {
        for (i, number) in lost.drain(..) {
            if let Some(group) = scans[i].dependents.get(number) {
                let start = group.start;
                scans[i].take_back(start, number);
                shorter.push(i);
            }
        }
        let Some(lane) = shorter.pop() else { return };
        while let Some((_, i, number)) = needs[lane].pop_if(|(end, ..)| *end > scans[lane].end) {
            lost.push((i, number));
        }
    }
}

impl LaneScan {
    fn take_back(&mut self, start: Lsn, dependents: usize) {
        self.end = start;
        self.why = "depends on a batch of another lane that was lost".into();
        self.cut_at.get_or_insert(start);
        self.dependents.truncate(dependents);
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
        close(&mut scans);
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

    /// Each group that is lost costs one of the other lane.
    #[test]
    fn a_chain_that_goes_to_and_fro_is_cut_in_time() {
        let groups = 100_000;
        let needing = |lane, more, count| -> Vec<_> {
            (0..count).map(|group| (group * 64, lane, (group + more) * 64)).collect()
        };
        let (one, two) = (needing(1, 1, groups), needing(0, 2, groups - 1));
        let (end, began) = (groups * 64, std::time::Instant::now());
        assert_eq!(ends(vec![scan(0, end, &one), scan(1, end, &two)]), [end, end]);
        assert_eq!(ends(vec![scan(0, end, &one), scan(1, end - 64, &two)]), [0, 0]);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
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
