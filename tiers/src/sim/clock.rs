//! A host's simulated clock.

use std::fmt;
use std::sync::Arc;

use super::event::Event;
use super::live::Shared;
use super::mutant::Mutant;
use crate::clock::Clock;

/// What a clock of a mutant goes back at every eighth look.
const BACK_NS: u64 = 50_000;

/// The clock of one host: [`World::clock`](super::World::clock).
///
/// It never runs backwards: behind an earlier answer, after a jump, it stands still until the time has caught up.
#[derive(Clone)]
pub struct SimClock {
    pub(super) world: Arc<Shared>,
    pub(super) host: u32,
}

impl Clock for SimClock {
    fn now_ns(&self) -> u64 {
        let live = &mut *self.world.lock();
        let clock = &live.model.clock;
        let raw_ns = clock.raw_ns(self.host).saturating_add(live.drift_ns);
        let (tick_ns, last_ns) = (clock.tick_ns, clock.hosts[self.host as usize].last_ns);
        let goes_back = live.is(Mutant::ClockBackwards) && live.next().is_multiple_of(8);
        let now_ns = if goes_back { raw_ns.saturating_sub(BACK_NS) } else { raw_ns.max(last_ns) };
        if live.emit(Event::Time { host: self.host, now_ns }).is_err() {
            // In a frozen world too: loops that wait for the time must end.
            live.drift_ns += tick_ns;
        }
        now_ns
    }

    fn describe(&self) -> String {
        format!("SIMULATED clock of host {}", self.host)
    }

    fn trusted(&self) -> bool {
        let live = self.world.lock();
        live.model.clock.hosts[self.host as usize].trusted || live.is(Mutant::ClockTrusted)
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClock").field("host", &self.host).finish()
    }
}
