//! Tests the recovery of a program of one's own: every crash of a short run, in a simulated world.
//!
//! `cargo run --release --features sim --example crash_test`, or as a test in one's own CI. The program keeps accounts: a
//! transfer is a batch of two records, a debit and a credit. Whatever a power cut leaves, the books balance, and a
//! transfer that was acknowledged is in them.

use std::collections::BTreeMap;

use tierlog::host::Simulation;
use tierlog::sim::{Choose, Crash, World, WorldOptions};
use tierlog::{Config, Cut, Durability, Log, Result};

/// The smallest log there is, so that there is little to try.
fn config() -> Config {
    let mut config = Config::new("accounts");
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(4 << 10);
    config.tail.segments = Some(4);
    config.nvme.segment_bytes = Some(16 << 10);
    config.nvme.spare_segments = 1;
    config
}

/// The program: its state is what its records add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Accounts {
    balances: BTreeMap<u8, i64>,
    transfers: u64,
}

impl Accounts {
    fn recover(log: &Log<Simulation>) -> Result<Accounts> {
        let mut accounts = Accounts::default();
        let mut reader = log.reader(&Cut::start())?;
        while let Some(record) = reader.next()? {
            let amount = i64::from_le_bytes(record.payload.try_into().expect("8 bytes were appended"));
            *accounts.balances.entry(record.stream as u8).or_default() += amount;
            accounts.transfers += u64::from(amount > 0);
        }
        Ok(accounts)
    }
}

/// Transfers money, and notes in the world's trace what was acknowledged.
fn run(world: &World) -> Result<()> {
    let (log, _) = Log::open_on(Simulation::new(world, 0, 1), config())?;
    let mut writer = log.writer()?;
    for transfer in 1..=4_i64 {
        writer.append(1, &(-10 * transfer).to_le_bytes())?;
        writer.append(2, &(10 * transfer).to_le_bytes())?;
        writer.commit(Durability::Power)?;
        world.note("acknowledged");
    }
    Ok(())
}

/// Tries every moment at which the power can fail, and there the states that it can leave; returns how many.
fn try_every_crash() -> Result<u64> {
    let world = World::new(&WorldOptions::default());
    run(&world)?;
    let mut tried = 0;
    for point in world.trace().points(Crash::Power) {
        let acknowledged = point.notes().count() as u64;
        for state in point.states(Choose::Thorough { seed: point.event(), most: 32 }) {
            let (log, _) = Log::open_on(Simulation::new(&state.world(), 0, 2), config())?;
            let accounts = Accounts::recover(&log)?;
            let balance: i64 = accounts.balances.values().sum();
            assert_eq!(balance, 0, "half a transfer after event {}: {accounts:?}, {state}", point.event());
            assert!(
                accounts.transfers >= acknowledged,
                "a transfer is lost after event {}: {state}",
                point.event()
            );
            tried += 1;
        }
    }
    Ok(tried)
}

fn main() -> Result<()> {
    println!("{} states after crashes: the books balance in each", try_every_crash()?);
    Ok(())
}

#[test]
fn the_books_balance_after_every_crash() {
    assert!(try_every_crash().unwrap() > 1_000);
}
