//! The kernel, the clock, the processors.

use super::finding::Finding;
use super::finding::Verdict::{Advice, Mend};
use super::roots::Roots;

/// Everything that holds for the machine as a whole; `uring` is why io_uring was refused just now, if it was.
pub(super) fn examine(roots: &Roots, uring: Option<&str>) -> Vec<Finding> {
    vec![
        io_uring(roots, uring),
        memlock(roots),
        clock(roots),
        tsc(roots),
        governor(roots),
        idle(roots),
        isolated(roots),
    ]
}

fn io_uring(roots: &Roots, refused: Option<&str>) -> Finding {
    let disabled = roots.proc("sys/kernel/io_uring_disabled");
    match (disabled.as_deref(), refused) {
        (Some("1" | "2"), Some(why)) => {
            let why = format!("{why}: drainers use plain writes");
            Finding::new(Mend, "io_uring", why, "sysctl kernel.io_uring_disabled=0")
        }
        (_, Some(why)) => {
            let why = format!("refused ({why}): drainers use plain writes");
            Finding::new(Mend, "io_uring", why, "allow io_uring_setup in the container's seccomp profile")
        }
        (_, None) => Finding::ok("io_uring", "allowed, tried just now"),
    }
}

fn memlock(roots: &Roots) -> Finding {
    const ENOUGH_BYTES: u64 = 64 << 20;
    let limits = roots.proc("self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => Finding::ok("memlock", "unlimited"),
        Some(soft) => match soft.parse::<u64>() {
            Ok(bytes) if bytes >= ENOUGH_BYTES => Finding::ok("memlock", format!("{bytes} bytes")),
            _ => {
                let why = format!("{soft} bytes: kernels before 5.12 count io_uring's memory against it");
                Finding::new(
                    Advice,
                    "memlock",
                    why,
                    "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
                )
            }
        },
        None => Finding::new(Advice, "memlock", "not told", ""),
    }
}

fn clock(roots: &Roots) -> Finding {
    match roots.sys("devices/system/clocksource/clocksource0/current_clocksource").as_deref() {
        Some("tsc") => Finding::ok("clock source", "tsc: stamps cost nanoseconds"),
        Some(other @ ("kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter")) => {
            Finding::ok("clock source", format!("{other}: read without a system call"))
        }
        Some(other) => {
            let why = format!("{other}: each stamp is a system call, or slower");
            Finding::new(
                Mend,
                "clock source",
                why,
                "dmesg | grep -i tsc tells why; boot with tsc=reliable if it is",
            )
        }
        None => Finding::new(Advice, "clock source", "not told", ""),
    }
}

fn tsc(roots: &Roots) -> Finding {
    let cpus = roots.proc("cpuinfo").unwrap_or_default();
    let flags = cpus.lines().find(|line| line.starts_with("flags"));
    let has = |flag: &str| flags.is_some_and(|line| line.split_whitespace().any(|found| found == flag));
    match (flags, has("constant_tsc") && has("nonstop_tsc")) {
        (_, true) => Finding::ok("invariant TSC", "constant and non-stop"),
        (Some(_), false) => {
            let why = "the processor's counter changes its rate, or stops when idle";
            Finding::new(
                Advice,
                "invariant TSC",
                why,
                "in a guest: pass the host's processor through (-cpu host)",
            )
        }
        (None, _) => Finding::ok("invariant TSC", "not a question on this processor"),
    }
}

/// Names of the CPUs, as sysfs has them.
fn cpus(roots: &Roots) -> Vec<String> {
    let names = std::fs::read_dir(roots.sys.join("devices/system/cpu")).into_iter().flatten().flatten();
    let number = |name: &String| name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok());
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(number).collect()
}

fn governor(roots: &Roots) -> Finding {
    let of = |cpu: &String| roots.sys(format!("devices/system/cpu/{cpu}/cpufreq/scaling_governor"));
    let governors: Vec<String> = cpus(roots).iter().filter_map(of).collect();
    match governors.iter().find(|governor| *governor != "performance") {
        None if governors.is_empty() => {
            Finding::ok("governor", "none: frequencies are not this kernel's to choose")
        }
        None => Finding::ok("governor", "performance"),
        Some(other) => {
            let why = format!("{other}: the first commits behind a pause run slowly");
            Finding::new(Advice, "governor", why, "cpupower frequency-set -g performance")
        }
    }
}

fn idle(roots: &Roots) -> Finding {
    const SLOW_US: u64 = 20;
    let mut worst = 0;
    for cpu in cpus(roots) {
        let states = roots.sys.join(format!("devices/system/cpu/{cpu}/cpuidle"));
        for state in std::fs::read_dir(states).into_iter().flatten().flatten() {
            let told =
                |name: &str| roots.sys(state.path().join(name)).and_then(|text| text.parse::<u64>().ok());
            if told("disable") != Some(1) {
                worst = worst.max(told("latency").unwrap_or(0));
            }
        }
    }
    match worst {
        0..=SLOW_US => Finding::ok("idle states", format!("awake within {worst} us")),
        _ => {
            let why = format!("an idle processor takes {worst} us to wake: the tail of the latencies");
            Finding::new(Advice, "idle states", why, format!("cpupower idle-set -D {SLOW_US}"))
        }
    }
}

fn isolated(roots: &Roots) -> Finding {
    match roots.sys("devices/system/cpu/isolated").as_deref() {
        Some("") | None => {
            let why = "no CPU is kept from the scheduler: writers share theirs with everybody";
            Finding::new(
                Advice,
                "isolated CPUs",
                why,
                "boot with isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST, pin writers there",
            )
        }
        Some(list) => Finding::ok("isolated CPUs", list),
    }
}
