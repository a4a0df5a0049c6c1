//! Latencies over time, and the longest with what is known of their causes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::bench::latency::Latencies;
use crate::bench::results::{Moment, Stall};

const SLICE_MS: u64 = 100;
/// Slices that are kept; longer runs have longer ones.
const SLICES_MAX: usize = 600;
/// Shorter ones are none.
const STALL_NS: u64 = 20_000;
/// A cause that the caller of [`Stalls::note`] knows.
pub(super) const NO_ROOM: &str = "waited for room in the ring: the drainer is behind";
/// The worst that are kept.
const STALLS: usize = 10;

/// Median and maximum for each slice of time.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    slice: Latencies,
    number: u64,
    moments: Vec<Moment>,
}

impl Pulse {
    /// One latency, of what was due at `at_ns`. Whether it ended a slice, which takes a while.
    pub(super) fn beat(&mut self, at_ns: f64, ns: u64) -> bool {
        let number = at_ns as u64 / (SLICE_MS * 1_000_000);
        let ends = number != self.number;
        if ends {
            self.close();
            self.number = number;
        }
        self.slice.record(ns);
        ends
    }

    fn close(&mut self) {
        if let Some(slice) = self.slice.quantiles() {
            let at_ms = self.number * SLICE_MS;
            self.moments.push(Moment { at_ms, p50_ns: slice.p50_ns, max_ns: slice.max_ns });
        }
        self.slice.clear();
    }

    /// All slices; where there are too many, neighbours are put together.
    pub(super) fn timeline(&self) -> Vec<Moment> {
        let mut all = self.moments.clone();
        if let Some(slice) = self.slice.quantiles() {
            let at_ms = self.number * SLICE_MS;
            all.push(Moment { at_ms, p50_ns: slice.p50_ns, max_ns: slice.max_ns });
        }
        let together = all.len().div_ceil(SLICES_MAX).max(1);
        let one = |some: &[Moment]| {
            let mut medians: Vec<u64> = some.iter().map(|moment| moment.p50_ns).collect();
            medians.sort_unstable();
            let max_ns = some.iter().map(|moment| moment.max_ns).max().unwrap_or(0);
            Moment { at_ms: some[0].at_ms, p50_ns: medians[medians.len() / 2], max_ns }
        };
        all.chunks(together).map(one).collect()
    }
}

/// The calling thread's, as the kernel counts them.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// Time for which it could have run and did not, in ns.
    kept_waiting_ns: u64,
    voluntary: u64,
    involuntary: u64,
    faults: u64,
}

/// The worst stalls of the thread that began.
#[derive(Debug)]
pub(super) struct Stalls {
    schedstat: File,
    status: File,
    stat: File,
    last: Counted,
    worst: Vec<Stall>,
}

impl Stalls {
    pub(super) fn begin() -> io::Result<Stalls> {
        let open = |name: &str| File::open(format!("/proc/thread-self/{name}"));
        let mut stalls = Stalls {
            schedstat: open("schedstat")?,
            status: open("status")?,
            stat: open("stat")?,
            last: Counted::default(),
            worst: Vec::new(),
        };
        stalls.last = stalls.now()?;
        Ok(stalls)
    }

    /// Whether a latency is to be noted.
    #[inline]
    pub(super) fn counts(&self, ns: u64) -> bool {
        ns >= STALL_NS && (self.worst.len() < STALLS || self.worst.last().is_some_and(|least| ns > least.ns))
    }

    /// Notes one, and the cause that the caller knows. What is late only because the one before it was is the same stall.
    pub(super) fn note(&mut self, at_ns: f64, ns: u64, known: Option<&str>) -> io::Result<()> {
        let now = self.now()?;
        let why = why(&self.last, &now, ns, known);
        self.last = now;
        let at_ms = at_ns / 1e6;
        let over = |stall: &Stall| (stall.at_ms..=stall.at_ms + stall.ns as f64 / 1e6).contains(&at_ms);
        if self.worst.iter().any(over) {
            return Ok(());
        }
        self.worst.push(Stall { at_ms, ns, why });
        self.worst.sort_by_key(|stall| std::cmp::Reverse(stall.ns));
        self.worst.truncate(STALLS);
        Ok(())
    }

    /// Worst first.
    pub(super) fn worst(&self) -> Vec<Stall> {
        self.worst.clone()
    }

    fn now(&self) -> io::Result<Counted> {
        let (schedstat, status, stat) = (text(&self.schedstat)?, text(&self.status)?, text(&self.stat)?);
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
        };
        // Behind the name, which may hold spaces: fields 10 and 12 are minor and major faults.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let field = |n: usize| fields.get(n - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Ok(Counted {
            kept_waiting_ns: schedstat.split(' ').nth(1).and_then(|ns| ns.parse().ok()).unwrap_or(0),
            voluntary: line("voluntary_ctxt_switches:"),
            involuntary: line("nonvoluntary_ctxt_switches:"),
            faults: field(10) + field(12),
        })
    }
}

fn text(file: &File) -> io::Result<String> {
    let mut bytes = [0; 4096];
    let len = file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..len]).into_owned())
}

/// What changed since the last stall; nothing where nothing did.
fn why(before: &Counted, now: &Counted, ns: u64, known: Option<&str>) -> String {
    let mut causes: Vec<String> = known.map(str::to_string).into_iter().collect();
    let kept = now.kept_waiting_ns.saturating_sub(before.kept_waiting_ns);
    if kept >= ns / 4 {
        causes.push(format!("another thread had the processor ({} us)", kept / 1000));
    } else if now.involuntary > before.involuntary {
        causes.push("preempted".into());
    }
    if now.voluntary > before.voluntary && known != Some(NO_ROOM) {
        causes.push("waited in the kernel".into());
    }
    if now.faults > before.faults {
        causes.push(format!("page faults ({})", now.faults - before.faults));
    }
    if causes.is_empty() {
        causes.push("nothing that this kernel counts for the thread: an interrupt, or the hypervisor".into());
    }
    causes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_once_with_its_cause() {
        let mut stalls = Stalls::begin().unwrap();
        assert!(!stalls.counts(STALL_NS - 1) && stalls.counts(STALL_NS));
        std::thread::sleep(std::time::Duration::from_millis(1));
        stalls.note(1e6, 1_000_000, None).unwrap();
        stalls.note(1.5e6, 500_000, None).unwrap();
        stalls.note(9e6, 2_000_000, Some(NO_ROOM)).unwrap();
        let worst = stalls.worst();
        assert_eq!(worst.iter().map(|stall| stall.ns).collect::<Vec<_>>(), [2_000_000, 1_000_000]);
        assert!(
            worst[0].why.starts_with("waited for room") && worst[1].why.contains("waited in the kernel"),
            "{worst:?}"
        );
    }

    #[test]
    fn slices_have_their_medians_and_maxima() {
        let mut pulse = Pulse::default();
        for beat in 0..300 {
            pulse.beat(f64::from(beat) * 1e6, if beat == 150 { 9_000 } else { 100 });
        }
        let timeline = pulse.timeline();
        assert_eq!(timeline.iter().map(|moment| moment.at_ms).collect::<Vec<_>>(), [0, 100, 200]);
        assert!(
            timeline[1].max_ns >= 8_900 && timeline[0].max_ns < 110 && timeline[1].p50_ns < 110,
            "{timeline:?}"
        );
    }
}
