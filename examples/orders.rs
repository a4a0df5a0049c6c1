//! Two threads write orders, each to a lane of its own; then everything is read in one order.
//!
//! `cargo run --example orders`

use tierlog::{Config, Cut, Durability, Error, Log};

/// Streams: what a record is about.
const ORDERS: u32 = 1;
const TRADES: u32 = 2;

fn main() -> Result<(), Error> {
    let dir = std::env::temp_dir().join(format!("tierlog-orders-{}", std::process::id()));
    let (log, recovered) = Log::open(Config::new(&dir))?;
    println!("open {} of log {}", recovered.epoch, log.id());
    println!("Power: {}", log.media().power);

    std::thread::scope(|scope| {
        let desks = ["north", "south"].map(|desk| scope.spawn(|| trade(&log, desk)));
        desks.into_iter().try_for_each(|desk| desk.join().expect("a desk does not panic"))
    })?;

    let mut reader = log.reader(&Cut::start())?;
    while let Some(record) = reader.next()? {
        let text = String::from_utf8_lossy(record.payload);
        println!("{} lane {} stream {}: {text}", record.gsn, record.lane, record.stream);
    }
    drop(reader);
    log.close()?;
    std::fs::remove_dir_all(&dir).unwrap_or_else(|error| eprintln!("{}: {error}", dir.display()));
    Ok(())
}

/// An order and the trade that it led to, in two streams: one commit, both or neither.
fn trade(log: &Log, desk: &str) -> Result<(), Error> {
    let mut writer = log.writer()?;
    for number in 1..=5 {
        writer.append(ORDERS, format!("{desk} buys {number}00 at 585.33").as_bytes())?;
        writer.append(TRADES, format!("{desk} bought {number}00 at 585.32").as_bytes())?;
        writer.commit(Durability::Power)?;
    }
    Ok(())
}
