//! How quiet the machine was: what others took, what a thread that only spins missed, how steady its speed was.

use std::fs;
use std::time::Duration;

use tierlog_tiers::clock::Ticks;

use crate::bench::latency::spread;
use crate::bench::results::{Figure, Noise};

/// A pause between two looks at the counter that is noted.
const GAP_NS: f64 = 2_000.0;
/// Gaps that are kept.
const GAPS: usize = 10;
/// Beyond these a run is called noisy: load a processor, the hypervisor's share, the longest gap, the speed's change, the
/// yardsticks' spread.
const LOAD_MAX: f64 = 0.25;
const STEAL_MAX: f64 = 0.01;
const GAP_MAX_NS: u64 = 2_000_000;
const DRIFT_MAX: f64 = 0.03;
const SPREAD_MAX: f64 = 0.2;

/// Looks at the machine from the run's beginning to its end.
#[derive(Debug)]
pub struct Watch {
    load: f64,
    before: Share,
    gaps: Vec<u64>,
    speeds: Vec<f64>,
}

/// Ticks of all processors since the machine was up.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    stolen: u64,
    all: u64,
}

impl Share {
    fn now() -> Share {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let fields: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
        Share { stolen: fields.get(7).copied().unwrap_or(0), all: fields.iter().sum() }
    }
}

impl Watch {
    /// The first look.
    pub fn begin(ticks: Ticks) -> Watch {
        let mut watch = Watch { load: load(), before: Share::now(), gaps: Vec::new(), speeds: Vec::new() };
        watch.look(ticks, Duration::from_millis(200));
        watch
    }

    /// Spins for `time` on the calling thread's processor.
    pub fn look(&mut self, ticks: Ticks, time: Duration) {
        let (start, until) = (ticks.now(), time.as_nanos() as f64);
        let mut last = start;
        loop {
            let now = ticks.now();
            let gap = ticks.ns(now.saturating_sub(last));
            if gap > GAP_NS {
                self.gaps.push(gap as u64);
            }
            last = now;
            if ticks.ns(now.saturating_sub(start)) > until {
                break;
            }
        }
        self.gaps.sort_unstable_by(|one, other| other.cmp(one));
        self.gaps.truncate(GAPS);
        self.speeds.push(ticks.cycles_per_ns());
    }

    /// The last look, and what all of them come to.
    pub fn end(mut self, ticks: Ticks, cpus: usize, figures: &[Figure]) -> Noise {
        self.look(ticks, Duration::from_millis(200));
        let after = Share::now();
        let all = after.all.saturating_sub(self.before.all).max(1) as f64;
        let first = self.speeds[0];
        let change = |speed: &f64| speed / first - 1.0;
        let drift = self.speeds.iter().map(change).max_by(|one, other| one.abs().total_cmp(&other.abs()));
        let mut noise = Noise {
            load: [self.load, load()],
            steal: after.stolen.saturating_sub(self.before.stolen) as f64 / all,
            gaps_ns: self.gaps,
            drift: drift.unwrap_or(0.0),
            spread: yardsticks(figures).unwrap_or(0.0),
            warnings: Vec::new(),
        };
        noise.warnings = warnings(&noise, cpus);
        noise
    }
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// The median over all yardsticks (what others were divided by) of how far their runs lie apart.
fn yardsticks(figures: &[Figure]) -> Option<f64> {
    let is_one = |figure: &&Figure| {
        let other = |other: &Figure| {
            other.ratio.as_ref().is_some_and(|ratio| ratio.to == figure.by)
                && (other.group, &other.what, &other.at) == (figure.group, &figure.what, &figure.at)
        };
        figures.iter().any(other)
    };
    let apart = |figure: &Figure| {
        figure.per_s.filter(|speed| speed.median > 0.0).map(|speed| (speed.max - speed.min) / speed.median)
    };
    spread(&figures.iter().filter(is_one).filter_map(apart).collect::<Vec<_>>()).map(|spread| spread.median)
}

fn warnings(noise: &Noise, cpus: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut warn = |noisy: bool, why: String| {
        if noisy {
            all.push(why);
        }
    };
    let each = noise.load[0] / cpus.max(1) as f64;
    warn(each > LOAD_MAX, format!("others were at work: a load of {:.2} before the run", noise.load[0]));
    warn(
        noise.steal > STEAL_MAX,
        format!("the hypervisor took {:.1}% of the processors' time", noise.steal * 100.0),
    );
    let gap = noise.gaps_ns.first().copied().unwrap_or(0);
    warn(gap > GAP_MAX_NS, format!("a thread that only spun did not run for {:.1} ms", gap as f64 / 1e6));
    warn(
        noise.drift.abs() > DRIFT_MAX,
        format!("the processor's speed changed by {:.1}%", noise.drift * 100.0),
    );
    warn(noise.spread > SPREAD_MAX, format!("the yardsticks' runs lie {:.0}% apart", noise.spread * 100.0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_run_says_nothing_and_a_noisy_one_says_why() {
        let quiet =
            Noise { load: [0.1, 1.0], gaps_ns: vec![30_000], drift: 0.01, spread: 0.05, ..Noise::default() };
        assert_eq!(warnings(&quiet, 2), Vec::<String>::new());
        let noisy = Noise {
            load: [1.0, 2.0],
            steal: 0.05,
            gaps_ns: vec![8_000_000],
            drift: -0.2,
            spread: 0.5,
            ..Noise::default()
        };
        let said = warnings(&noisy, 2);
        assert!(said.len() == 5 && said[3].contains("-20.0%"), "{said:?}");
    }

    #[test]
    fn a_spinning_thread_sees_itself_stopped() {
        let ticks = Ticks::calibrate();
        let mut watch = Watch { load: 0.0, before: Share::default(), gaps: Vec::new(), speeds: Vec::new() };
        watch.look(ticks, Duration::from_millis(20));
        assert!(watch.gaps.is_sorted_by(|one, other| one >= other) && watch.gaps.len() <= GAPS);
        let noise = watch.end(ticks, 2, &[]);
        assert!(noise.drift.abs() < 10.0 && noise.spread == 0.0, "{noise:?}");
    }
}
