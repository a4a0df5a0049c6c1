//! Object stores on loopback, and logs that are archived there.

use std::path::Path;

use tierlog::{Config, Durability, Log, Medium, restore};

use super::records::{Kept, small, viewed};

/// A store: an address that nobody else uses, and where it answers.
pub struct Store {
    pub address: String,
    pub endpoint: String,
}

/// The stores on a network that this test can have; a line says which it skips.
pub fn servers(test: &str) -> Vec<Store> {
    let fresh = format!("{test}-{}", std::process::id());
    let mut stores = Vec::new();
    for (scheme, variable) in [("s3", "TIERLOG_TEST_S3"), ("az", "TIERLOG_TEST_AZURE")] {
        match std::env::var(variable) {
            Ok(endpoint) => stores.push(Store { address: format!("{scheme}://wal/{fresh}"), endpoint }),
            Err(_) => println!("SKIP {scheme}: {variable} is not set, scripts/servers sets it"),
        }
    }
    stores
}

pub fn config(dir: &Path, store: &Store) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.archive.address.clone_from(&store.address);
    config.archive.endpoint.clone_from(&store.endpoint);
    config.archive.linger_ms_max = 20;
    config.archive.answer_ms_max = 3_000;
    config
}

/// Commits `count` records at Machine; those that were acknowledged.
pub fn commit(log: &Log, stream: u32, count: u32) -> Vec<(u32, Vec<u8>)> {
    let mut writer = log.writer().unwrap();
    let payload = |i: u32| i.to_le_bytes().repeat(1 + (i as usize * 37) % 50);
    (0..count)
        .filter_map(|i| {
            writer.append(stream, &payload(i)).ok()?;
            writer.commit(Durability::Machine).ok().map(|_| (stream, payload(i)))
        })
        .collect()
}

pub fn holds(found: &[Kept], acknowledged: &[(u32, Vec<u8>)]) {
    for (stream, payload) in acknowledged {
        let times = found.iter().filter(|kept| kept.stream == *stream && kept.payload == *payload).count();
        assert_eq!(times, 1, "a record of stream {stream} that was acknowledged");
    }
}

pub fn restored(dir: &Path, store: &Store) -> Vec<Kept> {
    let config = config(dir, store);
    restore(&config).unwrap();
    let (kept, error) = viewed(&Config { archive: Default::default(), ..config });
    assert!(error.is_none(), "{error:?}");
    kept
}
