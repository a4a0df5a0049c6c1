//! What has to hold of a log whose media were changed: an open refuses it, or gives a log that can be read as far as it
//! says; and what was read once, and gone on with, never comes otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{World, WorldOptions};
use tierlog::{Config, Cut, Durability, Error, Log, restore_on};
use tierlog_tiers::object::Name;

/// Background work goes on for a while: the scrubber makes a pass.
pub const REST: u8 = 1;
/// The log is also made anew, from its objects.
pub const RESTORE: u8 = 2;
const ACCEPT_LOSS: u8 = 4;
const ADOPT: u8 = 8;
const FORK: u8 = 16;

const REST_FOR: Duration = Duration::from_millis(50);
/// More than all scenes have.
const RECORDS_MAX: usize = 20_000;

/// A record: its lane, its LSN, its bytes.
type Read = Vec<(u32, u64, Vec<u8>)>;

/// Opens what is there, and holds it to its word. Whether there was something to read.
pub fn holds(world: &World, config: &Config, ask: u8) -> bool {
    let objects = if ask & RESTORE == 0 { Vec::new() } else { objects(world) };
    let mut asked = config.clone();
    asked.accept_loss = ask & ACCEPT_LOSS != 0;
    asked.adopt = ask & ADOPT != 0;
    asked.fork = ask & FORK != 0;
    let host = Simulation::new(world, 0, 2);
    let read = gone_on_with(&host, &asked, ask & REST != 0);
    if let Ok(Some(first)) = &read {
        comes_again(host, config, first);
    }
    restored(&objects, config);
    read.is_ok_and(|read| read.is_some_and(|read| !read.is_empty()))
}

/// Another open gives what was read before, in the same order.
fn comes_again(host: Arc<Simulation>, config: &Config, first: &Read) {
    let (log, _) = Log::open_on(host, config.clone()).expect("it was closed a moment ago");
    let again = match read_all(&log) {
        // Given up here meanwhile, and its object is damaged: that is said.
        Err(Error::Refused(_) | Error::Corrupt { .. }) if !config.archive.address.is_empty() => return,
        again => again.expect("it was read a moment ago"),
    };
    // What a checkpoint says is not needed may have gone meanwhile, or comes from the archive, which was not forged with it.
    let oldest: BTreeMap<_, _> = log.watermarks().iter().map(|mark| (mark.lane.0, mark.oldest.0)).collect();
    let here = |read: &Read| -> Read {
        read.iter().filter(|(lane, lsn, _)| *lsn >= oldest[lane]).cloned().collect()
    };
    assert!(here(&again).starts_with(&here(first)), "what was read comes otherwise");
}

/// What the log holds after a record was added and it was closed; `None` where it could not be closed.
fn gone_on_with(host: &Arc<Simulation>, config: &Config, rest: bool) -> Result<Option<Read>, Error> {
    let (log, _) = Log::open_on(host.clone(), config.clone())?;
    let read = read_all(&log);
    for mark in log.watermarks() {
        let _refused = read_lane(&log, mark.lane);
    }
    let _refused = log.marks();
    let _said = (log.slots(), log.metrics(), log.media());
    let added = log.writer().and_then(|mut writer| {
        writer.append(9, b"gone on with")?;
        writer.commit(Durability::Power)
    });
    if rest {
        host.sleep(REST_FOR);
    }
    let closed = log.close();
    let read = read?;
    Ok((added.is_ok() && closed.is_ok()).then_some(read))
}

/// All records, in order.
pub fn read_all(log: &Log<Simulation>) -> Result<Read, Error> {
    let mut reader = log.reader(&Cut::start())?;
    let mut read = Vec::new();
    while let Some(record) = reader.next()? {
        read.push((record.lane.0, record.lsn.0, record.payload.to_vec()));
        assert!(read.len() < RECORDS_MAX, "it does not end");
    }
    Ok(read)
}

fn read_lane(log: &Log<Simulation>, lane: tierlog::Lane) -> Result<usize, Error> {
    let mut reader = log.lane(lane, None)?;
    let mut records = 0;
    while reader.next()?.is_some() {
        records += 1;
        assert!(records < RECORDS_MAX, "it does not end");
    }
    Ok(records)
}

fn objects(world: &World) -> Vec<(Name, Vec<u8>)> {
    let store = world.objects();
    let names = (1..20).map(Name::Number);
    names.filter_map(|name| Some((name, store.read(name, None).ok()??))).collect()
}

/// Objects alone are refused, or make a log that can be opened and read.
fn restored(objects: &[(Name, Vec<u8>)], config: &Config) {
    if objects.is_empty() || config.archive.address.is_empty() {
        return;
    }
    let world = World::new(&WorldOptions::default());
    objects.iter().for_each(|(name, body)| world.set_object(*name, Some(body)));
    let host = Simulation::new(&world, 0, 3);
    if restore_on(&host, config).is_ok() {
        let (log, _) = Log::open_on(host, config.clone()).expect("it was restored a moment ago");
        read_all(&log).expect("a restore verifies what it writes");
    }
}
