//! How far processors, tails and device are from each other.

use std::path::{Path, PathBuf};

use tierlog_numa::{Node, Topology, node_of_path_in};

use super::finding::Finding;
use super::finding::Verdict::{Advice, Mend};
use super::roots::Roots;

/// One line a tail: its node, the CPUs there, the way to the device.
pub(super) fn examine(
    roots: &Roots,
    topology: &Topology,
    tails: &[(PathBuf, Option<u32>)],
    nvme: &Path,
) -> Vec<Finding> {
    let disk = node_of_path_in(nvme, &roots.sys);
    let one = |(path, asked): &(PathBuf, Option<u32>)| {
        let node = asked.map(Node).or_else(|| node_of_path_in(path, &roots.sys));
        distance(topology, &format!("tail {}: distance", path.display()), node, disk)
    };
    tails.iter().map(one).collect()
}

fn distance(topology: &Topology, about: &str, tail: Option<Node>, disk: Option<Node>) -> Finding {
    if topology.nodes().len() == 1 {
        return Finding::ok(about, "one node: everything is near");
    }
    let Some(tail) = tail else {
        return Finding::new(Advice, about, "its node is not known", "name it: node = N in [[tail.places]]");
    };
    let Some(near) = topology.nearest_with_cpus(tail) else {
        let why = format!("{tail} is not one of this machine's nodes");
        return Finding::new(Mend, about, why, "mend node = N in [[tail.places]]; lscpu lists them");
    };
    if near != tail {
        let why = format!("{tail} has no CPU that this process may use: its drainers run on {near}");
        return Finding::new(Advice, about, why, "numactl --hardware; widen the cpuset where it has some");
    }
    let cpus = topology.cpus_of(tail).map_or(0, |cpus| cpus.len());
    match disk {
        Some(disk) if disk != tail => {
            let far = topology.nodes().iter().find(|info| info.id == tail);
            let far = far.and_then(|info| info.distances.iter().find(|(to, _)| *to == disk));
            let far = far.map_or(String::new(), |(_, distance)| format!(", distance {distance}"));
            let why = format!("{tail} with {cpus} CPUs; the NVMe device hangs on {disk}{far}");
            Finding::new(Advice, about, why, format!("a device on {tail}, where there is one: lstopo"))
        }
        Some(_) => Finding::ok(about, format!("{tail} with {cpus} CPUs, and the NVMe device beside it")),
        None => {
            Finding::ok(about, format!("{tail} with {cpus} CPUs; where the NVMe device hangs is not told"))
        }
    }
}
