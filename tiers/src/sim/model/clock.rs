//! Time, and what each host takes it for.

use crate::sim::event::Event;
use crate::sim::options::ClockOptions;

#[derive(Debug, Clone)]
pub(in crate::sim) struct HostClock {
    pub(in crate::sim) skew_ns: i64,
    pub(in crate::sim) trusted: bool,
    /// The newest answer: it never goes back.
    pub(in crate::sim) last_ns: u64,
}

#[derive(Debug, Clone)]
pub(in crate::sim) struct ClockModel {
    pub(in crate::sim) now_ns: u64,
    pub(in crate::sim) tick_ns: u64,
    pub(in crate::sim) hosts: Vec<HostClock>,
}

impl ClockModel {
    pub(super) fn new(options: &ClockOptions) -> ClockModel {
        let host = |skew_ns: &i64| HostClock { skew_ns: *skew_ns, trusted: true, last_ns: 0 };
        ClockModel {
            now_ns: options.start_ns,
            tick_ns: options.tick_ns,
            hosts: options.skew_ns.iter().map(host).collect(),
        }
    }

    /// What a look at the host's clock shows now, without regard to earlier ones.
    pub(in crate::sim) fn raw_ns(&self, host: u32) -> u64 {
        self.now_ns.saturating_add_signed(self.hosts[host as usize].skew_ns)
    }

    pub(super) fn apply(&mut self, what: &Event) {
        match what {
            Event::Time { host, now_ns } => {
                self.now_ns = self.now_ns.saturating_add(self.tick_ns);
                self.hosts[*host as usize].last_ns = *now_ns;
            }
            Event::Step { ns } => self.now_ns = self.now_ns.saturating_add(*ns),
            Event::Jump { host, ns } => self.hosts[*host as usize].skew_ns += ns,
            Event::Trust { host, trusted } => self.hosts[*host as usize].trusted = *trusted,
            _ => unreachable!("not an event of the clock: {what:?}"),
        }
    }
}
