//! What will be measured, and what it takes.

use std::time::Duration;

use super::job::Job;
use crate::bench::kinds;
use crate::bench::probe::{Estimate, Pace, Probe};
use crate::bench::results::Group;

/// One probe of a plan.
pub struct Item {
    /// Part of the suite.
    pub group: Group,
    /// What is measured.
    pub what: &'static str,
    /// How long.
    pub pace: Pace,
    /// The probe.
    pub probe: Box<dyn Probe>,
}

/// Changes to the jobs of a profile, from the command line.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Only these, as `engine` or `engine/commit`; all where there is none.
    pub only: Vec<String>,
    /// Another time for each contestant at each point.
    pub time: Option<Duration>,
    /// Another number of runs.
    pub runs: Option<u32>,
}

/// The probes of some jobs, in the order of the groups and of what they measure.
///
/// # Errors
/// A sentence, where `only` names what there is not, or nothing is left.
pub fn plan(jobs: &[Job], changes: &Changes) -> Result<Vec<Item>, String> {
    check(&changes.only)?;
    let mut items = Vec::new();
    for (group, name) in kinds::GROUPS {
        for kind in kinds::kinds(group) {
            let full = format!("{name}/{}", kind.what);
            let wanted =
                changes.only.is_empty() || changes.only.iter().any(|only| only == name || *only == full);
            for job in
                jobs.iter().filter(|job| wanted && job.group == group && job.whats.contains(&kind.what))
            {
                let time = changes.time.unwrap_or(job.pace.time);
                let pace = Pace { time, runs: changes.runs.unwrap_or(job.pace.runs).max(1) };
                let probes = (kind.probes)(&job.sweep).into_iter();
                items.extend(probes.map(|probe| Item { group, what: kind.what, pace, probe }));
            }
        }
    }
    if items.is_empty() { Err("nothing to measure: --list shows what there is".into()) } else { Ok(items) }
}

fn check(only: &[String]) -> Result<(), String> {
    let known = |wanted: &String| {
        kinds::GROUPS.iter().any(|(group, name)| {
            wanted == name
                || kinds::kinds(*group).iter().any(|kind| *wanted == format!("{name}/{}", kind.what))
        })
    };
    match only.iter().find(|wanted| !known(wanted)) {
        Some(wanted) => Err(format!("{wanted:?} is nothing to measure: --list shows what there is")),
        None => Ok(()),
    }
}

/// What all of it takes.
pub fn total(items: &[Item]) -> Estimate {
    let add = |sum: Estimate, item: &Item| {
        let one = item.probe.estimate(&item.pace);
        Estimate {
            time: sum.time + one.time,
            tail_bytes: sum.tail_bytes + one.tail_bytes,
            nvme_bytes: sum.nvme_bytes + one.nvme_bytes,
        }
    };
    items.iter().fold(Estimate::default(), add)
}
