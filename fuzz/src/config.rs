//! Configuration: TOML, as text or put together from the fields that there are; a small log is then made with it.

use tierlog::fuzz::ring_bytes;
use tierlog::host::Simulation;
use tierlog::sim::{World, WorldOptions};
use tierlog::{Config, Durability, Log};
use toml::{Table, Value};

use crate::input::Input;

/// A log is made only where its rings are no larger.
const RING_BYTES_MAX: u64 = 256 << 10;
/// What its directory has room for.
const NVME_BYTES_MAX: u64 = 8 << 20;
const FIELDS_MAX: usize = 16;
/// Values that mean something somewhere.
const WORDS: [&str; 12] = [
    "auto",
    "emulated",
    "file",
    "refuse",
    "throttle",
    "block",
    "clwb",
    "fdatasync",
    "zstd",
    "lz4",
    "memory:fuzz",
    "",
];
/// Fields that a default configuration does not show.
const HIDDEN: [(&str, &str); 7] = [
    ("tail", "lanes"),
    ("tail", "segment_bytes"),
    ("tail", "segments"),
    ("tail", "flush"),
    ("nvme", "segment_bytes"),
    ("nvme", "durable"),
    ("nvme", "reserve_bytes"),
];

/// A zero and text, or fields: a number, what it becomes, eight bytes of it.
pub fn run(data: &[u8]) -> bool {
    let mut input = Input(data);
    let text = match input.u8() {
        0 => String::from_utf8_lossy(input.0).into_owned(),
        _ => fields(input).to_string(),
    };
    let Ok(config) = toml::from_str::<Config>(&text) else { return false };
    let again = toml::to_string(&config).expect("what was read can be written");
    assert_eq!(toml::from_str::<Config>(&again).as_ref(), Ok(&config));
    if ring_bytes(&config).is_ok_and(|bytes| bytes <= RING_BYTES_MAX) {
        open(config);
    }
    true
}

/// Whatever the log says, it says it in good time.
fn open(config: Config) {
    let options = WorldOptions {
        tails: vec![Default::default(); config.tail.places.len().max(1)],
        ..Default::default()
    };
    let world = World::new(&options);
    world.quota(0, Some(NVME_BYTES_MAX));
    let host = Simulation::new(&world, 0, 1);
    let Ok((log, _)) = Log::open_on(host, config) else { return };
    if let Ok(mut writer) = log.writer() {
        for level in [Durability::Buffered, Durability::Power, Durability::Process] {
            if writer.append(1, &[7; 100]).is_ok() {
                let _refused = writer.commit(level);
            }
        }
    }
    let _refused = log.close();
}

fn fields(mut input: Input<'_>) -> Table {
    let known = known();
    let mut all = small();
    for _ in 0..FIELDS_MAX {
        if input.is_empty() {
            break;
        }
        let (section, field) = &known[usize::from(input.u8()) % known.len()];
        let (kind, number) = (input.u8(), input.u64());
        let value = match kind % 5 {
            0 => Value::Integer(number as i64),
            1 => Value::Integer(1 << (number % 64)),
            2 => Value::Boolean(number % 2 == 0),
            3 => Value::String(WORDS[number as usize % WORDS.len()].into()),
            _ => Value::Array(vec![place(number); number as usize % 3]),
        };
        match section.as_str() {
            "" => all.insert(field.clone(), value),
            _ => section_of(&mut all, section).insert(field.clone(), value),
        };
    }
    all
}

fn section_of<'a>(all: &'a mut Table, section: &str) -> &'a mut Table {
    let table = all.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if !table.is_table() {
        *table = Value::Table(Table::new());
    }
    table.as_table_mut().expect("it is one now")
}

fn place(number: u64) -> Value {
    let mut place = Table::new();
    place.insert("path".into(), Value::String(format!("tail-{}", number % 4)));
    place.insert("node".into(), Value::Integer((number >> 2) as i64));
    Value::Table(place)
}

/// A log that is soon made.
fn small() -> Table {
    let text = "[tail]\nlanes = 1\nsegment_bytes = 4096\nsegments = 4\n[nvme]\nsegment_bytes = 16384\nreserve_bytes = 0";
    text.parse().expect("a table")
}

fn known() -> Vec<(String, String)> {
    let all: Table =
        toml::to_string(&Config::default()).expect("defaults").parse().expect("what was written");
    let mut known: Vec<_> = HIDDEN.map(|(section, field)| (section.into(), field.into())).into();
    for (name, value) in &all {
        match value {
            Value::Table(section) => known.extend(section.keys().map(|field| (name.clone(), field.clone()))),
            _ => known.push((String::new(), name.clone())),
        }
    }
    known
}

/// The defaults as text; a small log; one with two tails.
pub fn seeds() -> Vec<Vec<u8>> {
    let defaults = toml::to_string(&Config::default()).expect("defaults");
    let example = "dir = 'log'\n[tail]\nmedium = 'emulated'\n[[tail.places]]\npath = 'a'\nnode = 1\n[archive]\naddress = 's3://b/p'\n";
    vec![
        [b"\0", defaults.as_bytes()].concat(),
        [b"\0", example.as_bytes()].concat(),
        vec![1],
        vec![1, 0, 0, 1],
    ]
}
