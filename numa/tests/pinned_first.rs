//! A process of its own: the process's CPUs are read once, and here the first to ask is pinned already.

use core_affinity::{CoreId, get_core_ids, set_for_current};
use tierlog_numa::{Cpu, Topology, pin_to};

#[test]
fn a_caller_pinned_from_outside_still_sees_all_cpus_of_the_process() {
    let all: Vec<CoreId> = get_core_ids().unwrap();
    let last = *all.last().unwrap();
    let pinned = move || {
        assert!(set_for_current(last));
        assert_eq!(get_core_ids().unwrap(), [last]);
        let mut seen: Vec<Cpu> =
            Topology::detect().nodes().iter().flat_map(|node| node.cpus.clone()).collect();
        seen.sort();
        assert_eq!(seen, all.iter().map(|core| Cpu(core.id as u32)).collect::<Vec<_>>());
        pin_to(&seen).unwrap();
        assert_eq!(get_core_ids().unwrap(), all);
    };
    std::thread::spawn(pinned).join().unwrap();
}
