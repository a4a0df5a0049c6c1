//! Two owners of one archive: a machine that was given up for lost, and goes on beside the one that took its log over.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{
    ClockOptions, Mutant, NvmeOptions, ObjectFault, ObjectOperation, Plan, SimTail, TailMedium, TailOptions,
    World, WorldOptions, as_thread,
};
use tierlog::{Config, Durability, Error, Log, Refusal, Writer};

use crate::chance::Chance;
use crate::check::{Violation, read_back};
use crate::payload::payload;
use crate::random::Found;
use crate::script::smallest;

/// What the owners do before the second comes, and after it has come, at most.
const ACTS: (u64, u64) = (12, 24);
/// The first owner, two that may take over, and one that reads the archive.
const HOSTS: usize = 4;
/// Commits in which an owner without a rival has to have gone on.
const TRIES: u32 = 8;

/// Lets two owners race by a seed; what they did, in words.
///
/// # Errors
/// The first promise found broken.
pub fn duel(seed: u64, mutant: Option<Mutant>) -> Result<String, Box<Found>> {
    let mut duel = Duel { chance: Chance(seed), world: world(mutant), records: 0, story: String::new() };
    match duel.run() {
        Ok(()) => Ok(duel.story),
        Err(violation) => Err(Box::new(Found { seed, violation, story: duel.story })),
    }
}

/// Hosts, each with a tail and a directory, and one object store.
fn world(mutant: Option<Mutant>) -> World {
    let tail = TailOptions { medium: TailMedium::FsDax { eadr: false }, ..TailOptions::default() };
    World::new(&WorldOptions {
        tails: vec![tail; HOSTS],
        nvme: vec![NvmeOptions::default(); HOSTS],
        clock: ClockOptions { skew_ns: vec![0, 3_000_000, -3_000_000, 0], ..ClockOptions::default() },
        mutant,
        ..WorldOptions::default()
    })
}

struct Duel {
    chance: Chance,
    world: World,
    records: u64,
    story: String,
}

impl Duel {
    fn run(&mut self) -> Result<(), Violation> {
        let mut first = Owner::new(&self.world, 0, self.chance.draw());
        first.open().map_err(refused)?;
        let acts = self.chance.below(ACTS.0);
        self.fail();
        for _ in 0..acts {
            self.act(&mut first)?;
        }
        let mut second = self.take_over(&first)?;
        self.fail();
        for _ in 0..self.chance.below(ACTS.1) {
            let owner = if self.chance.below(2) == 0 { &mut first } else { &mut second };
            self.act(owner)?;
        }
        self.world.fail(Plan::none());
        self.end(&mut first, &mut second)?;
        // Whatever either was told at Machine is in the archive.
        let acknowledged = [first.acknowledged, second.acknowledged].concat();
        self.restore(3).map_err(refused)?.holds(&acknowledged)
    }

    /// From now on requests are lost, late, repeated, or refused for a while.
    fn fail(&mut self) {
        let mut plan = Plan::none();
        for _ in 0..self.chance.below(6) {
            let on =
                self.chance.of(&[ObjectOperation::Create, ObjectOperation::Create, ObjectOperation::Read]);
            let fault = self.chance.of(&[
                ObjectFault::ErrorBefore,
                ObjectFault::LostAnswer,
                ObjectFault::Late(2),
                ObjectFault::Late(9),
                ObjectFault::Duplicate,
                ObjectFault::Away(3),
            ]);
            plan = plan.object_fault(on, 1 + self.chance.below(8), 1 + self.chance.below(2), fault);
        }
        self.world.fail(plan);
    }

    /// One commit, or a rest.
    fn act(&mut self, owner: &mut Owner) -> Result<(), Violation> {
        match self.chance.below(8) {
            0 => owner.host.sleep(Duration::from_millis(self.chance.below(30))),
            1..=3 => self.commit(owner, Durability::Power)?,
            _ => self.commit(owner, Durability::Machine)?,
        }
        Ok(())
    }

    fn commit(&mut self, owner: &mut Owner, level: Durability) -> Result<(), Violation> {
        self.records += 1;
        let answer = owner.commit(self.records, level);
        let said = answer.as_ref().map_or_else(Error::to_string, |()| "ok".into());
        // Writing to a string does not fail.
        let _ = writeln!(self.story, "owner {}: record {} at {level}: {said}", owner.number, self.records);
        match answer {
            Ok(()) if owner.superseded => Err(Violation::TwoOwners),
            Ok(()) => {
                if level == Durability::Machine {
                    owner.acknowledged.push(self.records);
                }
                Ok(())
            }
            Err(error) if ends(&error) && owner.number > 0 => Err(refused(error)),
            Err(error) => {
                owner.superseded |= ends(&error);
                Ok(())
            }
        }
    }

    /// Another machine restores the log and goes on with it.
    fn take_over(&mut self, first: &Owner) -> Result<Owner, Violation> {
        self.world.fail(Plan::none());
        let second = match self.restore(1) {
            // A request of the first owner came late, between the restore and the claim.
            Err(Error::Refused(Refusal::ArchiveAhead { .. })) => self.restore(2),
            second => second,
        }
        .map_err(refused)?;
        second.holds(&first.acknowledged)?;
        self.story.push_str("owner 1 takes over\n");
        Ok(second)
    }

    fn restore(&mut self, number: u32) -> Result<Owner, Error> {
        let mut owner = Owner::new(&self.world, number, self.chance.draw());
        tierlog::restore_on(&owner.host, &owner.config)?;
        owner.open()?;
        Ok(owner)
    }

    /// Without faults: who took over goes on, the other does not, and is told why when it opens again.
    fn end(&mut self, first: &mut Owner, second: &mut Owner) -> Result<(), Violation> {
        for _ in 0..TRIES {
            self.commit(second, Durability::Machine)?;
        }
        if second.acknowledged.last() != Some(&self.records) {
            return Err(Violation::Refused("the owner that took over does not go on".into()));
        }
        // One that asks is told, one that does not is told when it opens again.
        if self.chance.below(2) == 0 {
            self.commit(first, Durability::Machine)?;
            if first.acknowledged.last() == Some(&self.records) {
                return Err(Violation::TwoOwners);
            }
        }
        match first.open() {
            Ok(()) => Err(Violation::TwoOwners),
            Err(Error::Refused(Refusal::Superseded { .. })) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: Error) -> Violation {
    Violation::Refused(error.to_string())
}

/// Whether this open is over for an owner.
fn ends(error: &Error) -> bool {
    matches!(error, Error::Poisoned { .. } | Error::Refused(Refusal::Superseded { .. }))
}

/// A log open on a host of its own.
struct Owner {
    number: u32,
    host: Arc<Simulation>,
    config: Config,
    log: Option<(Writer<SimTail>, Log<Simulation>)>,
    /// Records acknowledged at Machine.
    acknowledged: Vec<u64>,
    superseded: bool,
}

impl Owner {
    fn new(world: &World, number: u32, seed: u64) -> Self {
        let host = Simulation::new(world, number, seed);
        Owner { number, host, config: smallest(true), log: None, acknowledged: Vec::new(), superseded: false }
    }

    /// Opens the log, again where it is open.
    fn open(&mut self) -> Result<(), Error> {
        if let Some((writer, log)) = self.log.take() {
            as_thread(self.number, || drop(writer));
            drop(log);
        }
        let (log, _) = Log::open_on(self.host.clone(), self.config.clone())?;
        let writer = as_thread(self.number, || log.writer())?;
        self.log = Some((writer, log));
        Ok(())
    }

    fn commit(&mut self, record: u64, level: Durability) -> Result<(), Error> {
        let Some((writer, _)) = &mut self.log else { return Err(Error::Closed) };
        as_thread(self.number, || {
            writer.append(1, &payload(record))?;
            writer.commit(level).map(drop)
        })
    }

    /// Whether all of these can be read.
    fn holds(&self, acknowledged: &[u64]) -> Result<(), Violation> {
        let Some((_, log)) = &self.log else { return Ok(()) };
        let found = read_back(log)?;
        match acknowledged.iter().find(|record| !found.iter().any(|(_, one)| one == *record)) {
            Some(record) => Err(Violation::LostAcknowledged(*record as usize)),
            None => Ok(()),
        }
    }
}
