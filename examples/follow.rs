//! Follows a log that another process writes, and remembers where it stood.
//!
//! `cargo run --example follow -- DIR [CUT]`: prints what comes until nothing came for two seconds, then the cut from
//! which to go on. Fill DIR with `tierlog append --dir DIR`.

use std::time::Duration;

use tierlog::{Config, Cut, Error, View};

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "log".into());
    let from: Cut = args.next().unwrap_or_default().parse()?;

    let view = View::open(&Config::new(dir))?;
    let mut reader = view.reader(&from)?;
    while let Some(record) = reader.follow(Duration::from_secs(2))? {
        println!("{} lane {}: {}", record.gsn, record.lane, String::from_utf8_lossy(record.payload));
    }
    println!("go on from {}", reader.position());
    Ok(())
}
