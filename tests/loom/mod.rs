//! Models of the steps that threads take together, each explored completely by loom: `./scripts/models`. What each one
//! proves, and what it cannot, is in docs/TESTING.md; how each one fails is in `weakenings`.
//!
//! They are part of the crate, since they run its own parts, and are built with `--cfg loom` only.

mod floor;
mod publication;
mod run_locks;
mod seats;
mod shutdown;
mod slots;
mod tickets;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs `model` in every way that loom knows, and says how many there are: as it stands, and with every two accesses of a
/// word of the board in both orders (`tierlog_tiers::sync::in_turn`).
fn explore(name: &str, model: impl Fn() + Clone + Send + Sync + 'static) {
    let (plain, in_turn) = (count(false, model.clone()), count(true, model));
    println!("MODEL {name}: complete, {} executions, {in_turn} of them in turn", plain + in_turn);
}

/// As it stands only: for what meets under locks.
fn explore_plain(name: &str, model: impl Fn() + Send + Sync + 'static) {
    println!("MODEL {name}: complete, {} executions", count(false, model));
}

fn count(in_turn: bool, model: impl Fn() + Send + Sync + 'static) -> u64 {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    // No bound on preemptions: what is explored is explored completely.
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    assert_eq!(builder.preemption_bound, None, "LOOM_MAX_PREEMPTIONS is set");
    tierlog_tiers::sync::in_turn(in_turn);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}
