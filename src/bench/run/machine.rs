//! Facts of the machine that matter to latencies.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tierlog_numa::Topology;

use crate::bench::cpus::Cpus;
use crate::bench::results::{Machine, Medium};

/// Of the kernel's command line, what matters here; nothing else of it is kept.
const BOOT: [&str; 14] = [
    "isolcpus",
    "nohz",
    "nohz_full",
    "rcu_nocbs",
    "mitigations",
    "idle",
    "processor.max_cstate",
    "intel_idle.max_cstate",
    "intel_pstate",
    "amd_pstate",
    "tsc",
    "memmap",
    "transparent_hugepage",
    "preempt",
];
/// Instructions that flush a line or go past the cache.
const FLUSHES: [&str; 5] = ["clflush", "clflushopt", "clwb", "movdir64b", "avx512f"];

/// What there is, as the kernel tells it.
pub fn facts(cpus: &Cpus, media: Vec<Medium>) -> Machine {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let of_cpu = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_string())
    };
    let mut facts = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_string(), value);
        }
    };
    put("microcode", of_cpu("microcode"));
    let flags = of_cpu("flags").or_else(|| of_cpu("Features")).unwrap_or_default();
    let flags: Vec<&str> = flags.split_whitespace().collect();
    put("flush instructions", Some(having(&flags, &FLUSHES)));
    let virtualised = flags.contains(&"hypervisor");
    put("hypervisor", virtualised.then(|| vendor().unwrap_or_else(|| "yes, not named".into())));
    put("governor", read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    put("clock source", read("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    put("isolated processors", read("/sys/devices/system/cpu/isolated"));
    put(
        "threads a core",
        read("/sys/devices/system/cpu/smt/active").map(|on| if on == "1" { "2" } else { "1" }.into()),
    );
    put("transparent huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled"));
    put("boot options", read("/proc/cmdline").map(|line| boot(&line)));
    put(
        "cache",
        read("/sys/devices/system/cpu/cpu0/cache/index3/size").map(|size| format!("{size} of level 3")),
    );
    let topology = Topology::detect();
    Machine {
        host: read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into()),
        cpu: of_cpu("model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
        cpus: cpus.count() as u32,
        nodes: topology.nodes().len() as u32,
        memory_bytes: memory_bytes().unwrap_or(0),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
        facts,
        media,
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_string())
}

fn having(flags: &[&str], of: &[&str]) -> String {
    of.iter().copied().filter(|name| flags.contains(name)).collect::<Vec<_>>().join(" ")
}

fn vendor() -> Option<String> {
    read("/sys/hypervisor/type").or_else(|| read("/sys/class/dmi/id/sys_vendor"))
}

fn boot(line: &str) -> String {
    let known = |word: &&str| BOOT.contains(&word.split('=').next().unwrap_or_default());
    line.split_whitespace().filter(known).collect::<Vec<_>>().join(" ")
}

fn memory_bytes() -> Option<u64> {
    let info = read("/proc/meminfo")?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_command_line_only_what_matters_is_kept() {
        assert_eq!(
            boot("quiet isolcpus=2-3 secret=key nohz_full=2-3 tsc=reliable"),
            "isolcpus=2-3 nohz_full=2-3 tsc=reliable"
        );
    }

    #[test]
    fn this_machine_has_processors_and_memory() {
        let found = facts(&Cpus::detect(), Vec::new());
        assert!(
            found.cpus > 0 && found.nodes > 0 && found.memory_bytes > 1 << 20 && !found.kernel.is_empty(),
            "{found:?}"
        );
    }
}
