//! From the call of a commit until a reader on another thread has the record; beside one word that goes the same way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tierlog_tiers::clock::Ticks;

use super::place::{Place, config};
use crate::bench::latency::Latencies;
use crate::bench::probe::{Estimate, Measured, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point, Ratio, Spread};
use crate::bench::sweep::{Sweep, or};
use crate::{Cut, Durability, Log, Writer};

const RING_BYTES: u64 = 64 << 20;
const WORD: &str = "a word";

struct Follow(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let rates = or(&sweep.rate_per_s, &[20_000]);
    rates.iter().map(|rate| Box::new(Follow((*rate).max(1))) as Box<dyn Probe>).collect()
}

impl Probe for Follow {
    fn title(&self) -> String {
        format!("follow, {} commits a second", self.0)
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let bytes = (pace.time.as_secs_f64() * self.0 as f64) as u64 * 64 * 2;
        let time = pace.time * 3 + Duration::from_millis(400);
        Estimate { time, tail_bytes: bytes + RING_BYTES, nvme_bytes: bytes }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        if session.cpus.count() < 2 {
            return Err("needs two processors: one that commits and one that reads".into());
        }
        let place = Place::open(session, config(session, 1, RING_BYTES), 2)?;
        let word = self.word(session)?;
        (session.progress)(1.0 / 3.0);
        let mut writer = place.log.writer()?;
        let lane = self.records(session, &mut writer, |ended, ticks| by_lane(&place.log, ended, ticks))?;
        (session.progress)(2.0 / 3.0);
        let merged = self.records(session, &mut writer, |ended, ticks| by_all(&place.log, ended, ticks))?;
        drop(writer);
        place.close()?;
        let mut figures = Vec::new();
        for (by, seen) in [(WORD, &word), ("tierlog, one lane", &lane), ("tierlog, merged", &merged)] {
            let at = Point { rate_per_s: Some(self.0), ..Point::default() };
            let mut figure =
                Figure::new(Group::Engine, "follow", by, at, "tail", session.grounds.tail_promise);
            figure.runs = 1;
            figure.latency = seen.quantiles();
            if let (Some(own), Some(yardstick), true) = (seen.quantiles(), word.quantiles(), by != WORD) {
                let ratio = own.p50_ns as f64 / yardstick.p50_ns.max(1) as f64;
                let value = Spread { min: ratio, median: ratio, max: ratio };
                figure.ratio = Some(Ratio { to: WORD.into(), of: "p50".into(), value });
            }
            figures.push(figure);
        }
        figures[2].note = Some("a merged reader closes the order first, at most every 100 us".into());
        Ok(figures)
    }
}

impl Follow {
    /// Calls `each` at the rate, for the time.
    fn beat(&self, session: &Session<'_>, mut each: impl FnMut() -> Measured<()>) -> Measured<()> {
        let (ticks, time_ns) = (session.ticks, session.pace.time.as_nanos() as f64);
        let (start, every_ns) = (ticks.now(), 1e9 / self.0 as f64);
        let mut due = 0.0;
        while due < time_ns {
            while ticks.since(start) < due {
                std::hint::spin_loop();
            }
            each()?;
            // One that is late does not make the next ones come at once: each waits for an idle reader.
            due = (due + every_ns).max(ticks.since(start));
        }
        Ok(())
    }

    fn word(&self, session: &Session<'_>) -> Measured<Latencies> {
        let (ticks, shared, ended) = (session.ticks, AtomicU64::new(0), AtomicBool::new(false));
        let see = || {
            let (mut seen, mut last) = (Latencies::default(), 0);
            while !ended.load(Ordering::Relaxed) {
                let sent = shared.load(Ordering::Acquire);
                if sent != last {
                    seen.record(ticks.since(sent) as u64);
                    last = sent;
                }
                std::hint::spin_loop();
            }
            Ok(seen)
        };
        self.beside(session, &ended, see, || {
            shared.store(ticks.now(), Ordering::Release);
            Ok(())
        })
    }

    /// Each record holds when its commit was called.
    fn records(
        &self,
        session: &Session<'_>,
        writer: &mut Writer,
        see: impl Fn(&AtomicBool, Ticks) -> Result<Latencies, crate::Error> + Sync,
    ) -> Measured<Latencies> {
        let (ticks, ended) = (session.ticks, AtomicBool::new(false));
        let see = || see(&ended, ticks).map_err(|error| error.to_string());
        self.beside(session, &ended, see, || {
            writer.append(7, &ticks.now().to_le_bytes())?;
            writer.commit(Durability::Power)?;
            Ok(())
        })
    }

    /// Runs `each` here at the rate, and `see` on another processor until `ended`.
    fn beside(
        &self,
        session: &Session<'_>,
        ended: &AtomicBool,
        see: impl FnOnce() -> Result<Latencies, String> + Send,
        each: impl FnMut() -> Measured<()>,
    ) -> Measured<Latencies> {
        let cpus = session.cpus;
        std::thread::scope(|scope| {
            let seer = scope.spawn(move || {
                cpus.take(1).map_err(|error| error.to_string())?;
                see()
            });
            // Until it spins.
            std::thread::sleep(Duration::from_millis(20));
            let done = self.beat(session, each);
            ended.store(true, Ordering::Relaxed);
            let seen = seer.join().map_err(|_| "the reader panicked")??;
            done.map(|()| seen)
        })
    }
}

fn by_lane(log: &Log, ended: &AtomicBool, ticks: Ticks) -> Result<Latencies, crate::Error> {
    let mut reader = log.lane(crate::Lane(0), None)?;
    watch(ended, ticks, || Ok(reader.next()?.map(|record| sent(record.payload))))
}

fn by_all(log: &Log, ended: &AtomicBool, ticks: Ticks) -> Result<Latencies, crate::Error> {
    let mut reader = log.reader(&Cut::start())?;
    watch(ended, ticks, || Ok(reader.next()?.map(|record| sent(record.payload))))
}

/// How long ago each record was sent that `next` comes to have; what is there already is passed over.
fn watch(
    ended: &AtomicBool,
    ticks: Ticks,
    mut next: impl FnMut() -> Result<Option<Option<u64>>, crate::Error>,
) -> Result<Latencies, crate::Error> {
    while next()?.is_some() {}
    let mut seen = Latencies::default();
    while !ended.load(Ordering::Relaxed) {
        match next()? {
            Some(Some(sent)) => seen.record(ticks.since(sent) as u64),
            Some(None) => {}
            None => std::hint::spin_loop(),
        }
    }
    Ok(seen)
}

/// When the record was sent, which it begins with.
fn sent(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|ticks| u64::from_le_bytes(*ticks))
}
