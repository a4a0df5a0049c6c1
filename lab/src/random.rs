//! Random simulation: a seed chooses workload, configuration, faults and crashes, over several lives of one log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tierlog::sim::{Choose, Mutant, Plan, World};
use tierlog::{Config, Durability, Error};

use crate::chance::Chance;
use crate::check::{Crash, Violation, check, read_back};
use crate::history::History;
use crate::script::{Script, Step, Tail};
use crate::session::Session;

/// Lanes and records, as they are read.
type Merged = Vec<(u32, u64)>;

/// Lives of one log.
const LIVES: u64 = 5;
/// Steps of one life at most.
const STEPS_MAX: u64 = 60;
/// Opens that faults may spoil before one without must go well.
const TRIES: u32 = 3;

/// What a seed came to.
#[derive(Debug, Default)]
pub struct Lived {
    /// Faults by operation and kind.
    pub faults: BTreeMap<String, u64>,
    /// Crashes.
    pub crashes: u64,
    /// Events of all lives.
    pub events: u64,
    /// What was done, in words.
    pub story: String,
}

/// A promise broken under a seed.
#[derive(Debug, Clone)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// What was found.
    pub violation: Violation,
    /// What was done before.
    pub story: String,
}

struct Life {
    chance: Chance,
    script: Script,
    crashes: Vec<Crash>,
    /// Whether a device may lie: then damage may be told of, but nothing forged.
    lies: bool,
    faulty: bool,
    traced: bool,
    lived: Lived,
}

/// Lives by a seed; `traced`: the story tells every event.
///
/// # Errors
/// The first promise found broken.
pub fn live(seed: u64, mutant: Option<Mutant>, traced: bool) -> Result<Lived, Box<Found>> {
    let mut life = Life::new(seed, traced);
    let mut world = life.script.world(mutant);
    match life.run(&mut world) {
        Ok(()) => Ok(life.lived),
        Err(violation) => {
            life.tell_events(&world);
            Err(Box::new(Found { seed, violation, story: life.lived.story }))
        }
    }
}

impl Life {
    fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance(seed);
        let tail = chance.of(&[Tail::Adr, Tail::Adr, Tail::File, Tail::File, Tail::Page, Tail::Eadr]);
        let archive = chance.below(3) == 0;
        let crossover = chance.of(&[64, 256, usize::MAX]);
        let script = Script { name: "random", tail, archive, crossover, steps: Vec::new() };
        let mut crashes = vec![Crash::Power, Crash::Power, Crash::Kill];
        crashes.extend(archive.then_some(Crash::Machine));
        let (lies, faulty) = (chance.below(4) == 0, chance.below(4) != 0);
        let mut lived = Lived::default();
        let said = format!("seed {seed}: {tail:?}, archive {archive}, faults {faulty}, lies {lies}\n");
        lived.story.push_str(&said);
        Life { chance, script, crashes, lies, faulty, traced, lived }
    }

    fn run(&mut self, world: &mut World) -> Result<(), Violation> {
        let config = self.script.config();
        let mut history = History::default();
        for _ in 0..LIVES {
            let Some((crash, after)) = self.one(world, &config, history)? else { return Ok(()) };
            let event = world.events();
            self.lived.events += event;
            self.lived.crashes += 1;
            self.tell_events(world);
            let samples = Choose::Samples { seed: self.chance.draw(), count: 1 };
            let next = {
                let point = world.crash(crash.of_world());
                let state = point.states(samples).next().unwrap_or_else(|| point.state(true));
                self.tell(format_args!("{crash:?} after event {event}: {state}"));
                state.world()
            };
            *world = next;
            history = after;
            let Some((merged, crash)) = self.recover(world, &config, crash)? else { return Ok(()) };
            let came_back = match check(&history, crash, event, &merged) {
                Ok(came_back) => came_back,
                Err(Violation::Forged(what)) => return Err(Violation::Forged(what)),
                // What a device that lies has lost is lost.
                Err(_) if self.lies => return Ok(()),
                Err(violation) => return Err(violation),
            };
            history.settle(&came_back);
        }
        Ok(())
    }

    fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.lived.story, "{what}");
    }

    fn tell_events(&mut self, world: &World) {
        if self.traced {
            self.lived.story.push_str(&world.trace().to_string());
        }
    }

    fn plan(&mut self) -> Plan {
        // Seldom, or again and again.
        let most = self.chance.of(&[4, 60]);
        let one_in = 2 + self.chance.below(most);
        match (self.faulty, self.lies) {
            (false, _) => Plan::none(),
            (true, false) => Plan::honest(self.chance.draw(), one_in),
            (true, true) => Plan::seeded(self.chance.draw(), one_in),
        }
    }

    /// One life up to its crash; `None` where a lying device kept it from beginning.
    fn one(
        &mut self,
        world: &World,
        config: &Config,
        history: History,
    ) -> Result<Option<(Crash, History)>, Violation> {
        let crash = self.chance.of(&self.crashes.clone());
        let schedule = self.chance.draw();
        let mut session = match Session::open(world, config, history, schedule) {
            Ok(session) => session,
            Err(_) if self.lies => return Ok(None),
            Err(error) => return Err(Violation::Refused(error.to_string())),
        };
        let plan = self.plan();
        world.fail(plan);
        let steps = self.chance.below(STEPS_MAX);
        if self.chance.below(3) > 0 {
            world.freeze_at(world.events() + 1 + self.chance.below(40 * steps + 1));
        }
        for _ in 0..steps {
            let step = self.step();
            let result = session.step(step);
            self.tell(format_args!(
                "{step:?}: {}",
                result.as_ref().map_or_else(Error::to_string, |()| "ok".into())
            ));
            if world.is_frozen() {
                break;
            }
        }
        let history = session.kill();
        self.count_faults(world);
        Ok(Some((crash, history)))
    }

    fn step(&mut self) -> Step {
        let name = self.chance.below(3) as u8;
        let level = self.chance.of(&[
            Durability::Buffered,
            Durability::Process,
            Durability::Power,
            Durability::Power,
        ]);
        match self.chance.below(16) {
            0 | 1 => Step::Take(name),
            2..=7 => Step::Append(name),
            8..=10 => Step::Commit(name, level),
            11 => Step::Submit(name, if self.script.archive { Durability::Machine } else { level }),
            12 => Step::Abort(name),
            13 => Step::Read,
            14 if self.chance.below(4) == 0 => Step::Checkpoint,
            14 if self.chance.below(3) == 0 => Step::Drop(name),
            _ => Step::Rest(self.chance.below(20)),
        }
    }

    /// Opens what the crash left, first with faults, then without; reads it back. The crash that it has survived, all in
    /// all: what an open yielded survives every later one.
    fn recover(
        &mut self,
        world: &mut World,
        config: &Config,
        mut crash: Crash,
    ) -> Result<Option<(Merged, Crash)>, Violation> {
        if crash == Crash::Machine {
            let host = tierlog::host::Simulation::new(world, 0, self.chance.draw());
            match tierlog::restore_on(&host, config) {
                Ok(_) | Err(Error::Config(_)) => {}
                Err(error) => return Err(Violation::Refused(format!("restoring: {error}"))),
            }
        }
        let mut yielded: Option<Merged> = None;
        for _ in 0..TRIES {
            let plan = self.plan();
            world.fail(plan);
            let spoilt = Session::open(world, config, History::default(), self.chance.draw());
            self.count_faults(world);
            let ending = match spoilt {
                Ok(session) => {
                    let merged = read_back(session.log());
                    session.kill();
                    match merged {
                        Err(_) if self.lies => return Ok(None),
                        merged => self.same(&mut yielded, merged?)?,
                    }
                    "went well"
                }
                Err(error) => {
                    self.tell(format_args!("{error}"));
                    "failed"
                }
            };
            let next = self.chance.of(&[Crash::Kill, Crash::Power]);
            self.tell(format_args!("an open among faults {ending}, then {next:?}"));
            if yielded.is_none() {
                crash = crash.max(next);
            }
            let crash = next;
            self.tell_events(world);
            let samples = Choose::Samples { seed: self.chance.draw(), count: 1 };
            let next = {
                let point = world.crash(crash.of_world());
                point.states(samples).next().unwrap_or_else(|| point.state(true)).world()
            };
            *world = next;
        }
        world.fail(Plan::none());
        let session = match Session::open(world, config, History::default(), self.chance.draw()) {
            Ok(session) => session,
            Err(_) if self.lies => return Ok(None),
            Err(error) => return Err(Violation::Refused(error.to_string())),
        };
        let merged = read_back(session.log());
        session.kill();
        let next = world.crash(Crash::Kill.of_world()).state(true).world();
        *world = next;
        match merged {
            Err(Violation::Unreadable(_)) if self.lies => Ok(None),
            merged => {
                let merged = merged?;
                self.same(&mut yielded, merged.clone())?;
                Ok(Some((merged, crash)))
            }
        }
    }

    /// What one open yielded, every later one yields.
    fn same(&self, yielded: &mut Option<Merged>, merged: Merged) -> Result<(), Violation> {
        match yielded {
            Some(before) if *before != merged && !self.lies => {
                Err(Violation::NotIdempotent(format!("{before:?}, then {merged:?}")))
            }
            _ => {
                *yielded = Some(merged);
                Ok(())
            }
        }
    }

    fn count_faults(&mut self, world: &World) {
        for (kind, count) in world.faults() {
            *self.lived.faults.entry(kind).or_default() += count;
        }
        world.fail(Plan::none());
    }
}
