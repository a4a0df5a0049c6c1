//! One fault at a time: each write and each flush of a script in turn goes wrong, in each way that a drive has.

use tierlog::sim::{FileFault, FileOperation, Plan};

use crate::check::{Crash, Violation, check, read_back};
use crate::enumerate::Caught;
use crate::history::History;
use crate::script::{Script, Step};
use crate::session::Session;

/// How often a script is played behind each other: what went wrong early meets what comes much later.
const ROUNDS: usize = 4;
const WAYS: [(FileOperation, FileFault); 8] = [
    (FileOperation::Write, FileFault::ErrorBefore),
    (FileOperation::Write, FileFault::ErrorAfter),
    (FileOperation::Write, FileFault::Full),
    (FileOperation::Write, FileFault::Short),
    (FileOperation::Write, FileFault::Lost),
    (FileOperation::Write, FileFault::Misdirected(1)),
    (FileOperation::Flush, FileFault::ErrorBefore),
    (FileOperation::Flush, FileFault::ErrorAfter),
];

/// Plays a script once for each of its writes and flushes and each way to fail, beginning behind the open: everything
/// must be there while the log runs, and behind a loss of power too where the drive did not lie. What a misdirected write
/// destroyed may be told of. How many faults.
///
/// # Errors
/// The first promise found broken.
pub fn single_faults(script: &Script) -> Result<u64, Box<Caught>> {
    let mut faults = 0;
    // What would be without a log where a reopening fails is nothing to look at.
    if script.steps.contains(&Step::Reopen) {
        return Ok(faults);
    }
    for (on, fault) in WAYS {
        for nth in 1.. {
            match play(script, on, fault, nth) {
                Ok(true) => faults += 1,
                Ok(false) => break,
                Err((crash, event, violation)) => {
                    let (script, state) = (script.to_string(), format!("{on:?} {nth}: {fault:?}"));
                    return Err(Box::new(Caught { script, crash, event, violation, state }));
                }
            }
        }
    }
    Ok(faults)
}

/// Whether the fault was met.
fn play(
    script: &Script,
    on: FileOperation,
    fault: FileFault,
    nth: u64,
) -> Result<bool, (Crash, u64, Violation)> {
    let (world, config) = (script.world(None), script.config());
    let refused = |error: tierlog::Error| (Crash::Kill, 0, Violation::Refused(error.to_string()));
    let mut session = Session::open(&world, &config, History::default(), 1).map_err(refused)?;
    world.fail(Plan::none().file_fault(on, nth, 1, fault));
    // What fails because of it is an answer: the history has only what was acknowledged.
    let steps = std::iter::repeat_n(&script.steps, ROUNDS).flatten();
    let failed = steps.filter(|step| session.step(**step).is_err()).count();
    if world.faults().is_empty() {
        return match failed {
            0 => Ok(false),
            _ => Err((Crash::Kill, 0, Violation::Refused(format!("{failed} steps, without a fault")))),
        };
    }
    let event = world.events();
    let broken = |crash| move |violation| (crash, event, violation);
    let merged = match read_back(session.log()) {
        Err(Violation::Unreadable(_)) if matches!(fault, FileFault::Misdirected(_)) => return Ok(true),
        merged => merged.map_err(broken(Crash::Kill))?,
    };
    check(&session.history, Crash::Kill, event, &merged).map_err(broken(Crash::Kill))?;
    let history = session.kill();
    if matches!(fault, FileFault::Lost | FileFault::Misdirected(_)) {
        return Ok(true);
    }
    for kept in [false, true] {
        let broken = broken(Crash::Power);
        let after = world.crash(Crash::Power.of_world()).state(kept).world();
        let refused = |error: tierlog::Error| Violation::Refused(error.to_string());
        let session =
            Session::open(&after, &config, History::default(), 1).map_err(refused).map_err(broken)?;
        let merged = read_back(session.log()).map_err(broken)?;
        session.kill();
        check(&history, Crash::Power, event, &merged).map_err(broken)?;
    }
    Ok(true)
}
