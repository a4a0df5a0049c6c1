//! The enumerator: every moment of a scripted workload at which a crash may come, and what it may leave there.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tierlog::Config;
use tierlog::Durability;
use tierlog::sim::{Choose, Mutant, State, Trace, World};

use crate::check::{Crash, Violation, check, read_back};
use crate::history::History;
use crate::script::{Script, Step};
use crate::session::Session;

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// States of one moment at most; where there are more, all of the regular ones and samples.
    pub states_max: u64,
    /// One in so many images is gone on with: appended to, crashed, recovered again.
    pub go_on_one_in: u64,
    /// One in so many images has its recovery crashed at every moment.
    pub nested_one_in: u64,
    /// States of one moment of such a recovery at most.
    pub nested_states_max: u64,
    /// Decides the samples.
    pub seed: u64,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Moments at which a crash may come.
    pub points: u64,
    /// States that crashes may leave, looked at.
    pub states: u64,
    /// Those of them at moments when more than one tier had something under way.
    pub states_across_tiers: u64,
    /// Different ones among them, each recovered.
    pub images: u64,
    /// Crashes inside a recovery.
    pub nested: u64,
    /// Images gone on with.
    pub gone_on: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { points, states, states_across_tiers, images, nested, gone_on } = self;
        write!(
            f,
            "{points} of {points} points, {states} states, {states_across_tiers} across tiers, {images} images, {nested} in recovery, {gone_on} gone on"
        )
    }
}

impl Counts {
    /// Adds.
    pub fn add(&mut self, other: &Counts) {
        self.points += other.points;
        self.states += other.states;
        self.states_across_tiers += other.states_across_tiers;
        self.images += other.images;
        self.nested += other.nested;
        self.gone_on += other.gone_on;
    }
}

/// A promise broken, and where.
#[derive(Debug, Clone)]
pub struct Caught {
    /// The script.
    pub script: String,
    /// The kind of crash.
    pub crash: Crash,
    /// After which event.
    pub event: u64,
    /// What was found.
    pub violation: Violation,
    /// What survived.
    pub state: String,
}

/// What a script did in one go.
struct Played {
    trace: Trace,
    history: History,
}

fn play(script: &Script, mutant: Option<Mutant>) -> Result<Played, Violation> {
    let world = script.world(mutant);
    let broken = |error: tierlog::Error| Violation::Refused(format!("without a crash: {error}"));
    let mut session = Session::open(&world, &script.config(), History::default(), 1).map_err(broken)?;
    for step in &script.steps {
        session.step(*step).map_err(broken)?;
    }
    let history = session.kill();
    Ok(Played { trace: world.trace(), history })
}

/// Tries every crash of a script.
///
/// # Errors
/// The first promise found broken.
pub fn enumerate(script: &Script, mutant: Option<Mutant>, depth: &Depth) -> Result<Counts, Box<Caught>> {
    let caught = |crash, event, violation, state: String| {
        Box::new(Caught { script: script.to_string(), crash, event, violation, state })
    };
    let played =
        play(script, mutant).map_err(|violation| caught(Crash::Kill, 0, violation, String::new()))?;
    let mut counts = Counts::default();
    let mut kinds = vec![Crash::Power, Crash::Kill];
    kinds.extend(script.archive.then_some(Crash::Machine));
    for crash in kinds {
        let mut images = Images { config: script.config(), crash, known: HashMap::new() };
        for point in played.trace.points(crash.of_world()) {
            counts.points += 1;
            let choose = Choose::Thorough { seed: depth.seed ^ point.event(), most: depth.states_max };
            let across = u64::from(point.tiers() > 1);
            for state in point.states(choose) {
                counts.states += 1;
                counts.states_across_tiers += across;
                images
                    .look(&state, &played.history, point.event(), depth, &mut counts)
                    .map_err(|violation| caught(crash, point.event(), violation, state.to_string()))?;
            }
        }
    }
    Ok(counts)
}

/// The images seen, and what each recovers to.
struct Images {
    config: Config,
    crash: Crash,
    known: HashMap<u128, Arc<[(u32, u64)]>>,
}

impl Images {
    fn look(
        &mut self,
        state: &State,
        history: &History,
        event: u64,
        depth: &Depth,
        counts: &mut Counts,
    ) -> Result<(), Violation> {
        let hash = state.hash();
        if let Some(merged) = self.known.get(&hash) {
            // What it recovers to is known; what is owed may have grown since.
            return check(history, self.crash, event, merged).map(|_| ());
        }
        counts.images += 1;
        let world = state.world();
        let merged = recover(&world, &self.config, self.crash)?;
        let came_back = check(history, self.crash, event, &merged)?;
        let pick = hash as u64 ^ depth.seed;
        if pick.is_multiple_of(depth.nested_one_in) && self.crash != Crash::Machine {
            self.crash_inside(&world.trace(), history, event, depth, counts)?;
        }
        if pick.is_multiple_of(depth.go_on_one_in) {
            counts.gone_on += 1;
            let mut settled = history.clone();
            settled.settle(&came_back);
            go_on(&world, &self.config, settled, &merged)?;
        }
        self.known.insert(hash, merged.into());
        Ok(())
    }

    /// Crashes a recovery at every moment, one after a kill by a power cut too: what comes back then has to keep the same
    /// promises.
    fn crash_inside(
        &self,
        trace: &Trace,
        history: &History,
        event: u64,
        depth: &Depth,
        counts: &mut Counts,
    ) -> Result<(), Violation> {
        let kinds: &[Crash] =
            if self.crash == Crash::Kill { &[Crash::Kill, Crash::Power] } else { &[Crash::Power] };
        for inner in kinds {
            let (mut seen, survived) = (std::collections::HashSet::new(), self.crash.max(*inner));
            for point in trace.points(inner.of_world()) {
                let choose =
                    Choose::Thorough { seed: depth.seed ^ point.event(), most: depth.nested_states_max };
                for state in point.states(choose) {
                    counts.states += 1;
                    if !seen.insert(state.hash()) {
                        continue;
                    }
                    counts.nested += 1;
                    let merged = recover(&state.world(), &self.config, survived)?;
                    check(history, survived, event, &merged)?;
                }
            }
        }
        Ok(())
    }
}

/// Opens what a crash left, reads it back, and kills the process.
fn recover(world: &World, config: &Config, crash: Crash) -> Result<Vec<(u32, u64)>, Violation> {
    let refused = |error: tierlog::Error| Violation::Refused(error.to_string());
    if crash == Crash::Machine {
        let host = tierlog::host::Simulation::new(world, 0, 3);
        match tierlog::restore_on(&host, config) {
            Ok(_) => {}
            // Nothing was archived yet, not even the claim.
            Err(tierlog::Error::Config(_)) => return Ok(Vec::new()),
            Err(error) => return Err(refused(error)),
        }
    }
    let session = Session::open(world, config, History::default(), 2).map_err(refused)?;
    let merged = read_back(session.log());
    session.kill();
    merged
}

/// Recovers again, appends, crashes, recovers: twice, with nothing of what was under way and with all of it.
fn go_on(
    world: &World,
    config: &Config,
    mut history: History,
    merged: &[(u32, u64)],
) -> Result<(), Violation> {
    let refused = |error: tierlog::Error| Violation::Refused(format!("when going on: {error}"));
    let mut world = world.clone();
    for round in 0..2 {
        let next = world.crash(Crash::Power.of_world()).state(round == 1).world();
        let mut session = Session::open(&next, config, history, 4 + round).map_err(refused)?;
        let again = read_back(session.log())?;
        if round == 0 && again != merged {
            return Err(Violation::NotIdempotent(format!("{merged:?}, then {again:?}")));
        }
        let steps = [
            Step::Take(0),
            Step::Take(1),
            Step::Append(0),
            Step::Commit(0, Durability::Power),
            Step::Append(1),
            Step::Append(1),
            Step::Commit(1, Durability::Power),
            Step::Append(0),
        ];
        for step in steps {
            session.step(step).map_err(refused)?;
        }
        let event = next.events();
        history = session.kill();
        let after = next.crash(Crash::Power.of_world()).state(false).world();
        let merged = recover(&after, config, Crash::Power)?;
        let came_back = check(&history, Crash::Power, event, &merged)?;
        history.settle(&came_back);
        world = after;
    }
    Ok(())
}
