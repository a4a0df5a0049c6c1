//! Archives on servers: S3 and Azure on loopback (`scripts/servers`), beside a directory and memory. What is acknowledged
//! at `Machine` is there, one owner at a time goes on, and a store that fails delays nothing else.
#![cfg(feature = "cloud")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::chance::Chance;
use support::proxy::{Fate, Proxy, bad_network};
use support::records::all;
use support::store::{Store, commit, config, holds, restored, servers};
use tierlog::{Compression, Config, Durability, Error, Log, Refusal, restore, verify};

#[test]
fn a_log_comes_back_from_every_server_whatever_its_compression() {
    for store in servers("comes-back") {
        for compression in [Compression::Zstd, Compression::Lz4, Compression::Off] {
            let place = tempfile::tempdir().unwrap();
            let store = Store {
                address: format!("{}/{compression:?}", store.address),
                endpoint: store.endpoint.clone(),
            };
            let mut config = config(&place.path().join("log"), &store);
            config.archive.compression = compression;
            config.archive.object_bytes_max = 64 << 10;
            // A ring of this size takes a batch that no object takes inline.
            config.tail.segment_bytes = Some(1 << 20);
            config.nvme.segment_bytes = Some(2 << 20);
            let (log, _) = Log::open(config.clone()).unwrap();
            let acknowledged = commit(&log, 1, 20);
            let mut writer = log.writer().unwrap();
            for i in 0..150_u32 {
                writer.append(2, &i.to_le_bytes().repeat(2_500)).unwrap();
            }
            writer.commit(Durability::Machine).unwrap();
            drop(writer);
            let metrics = log.metrics();
            assert!(metrics.frame_bytes_archived > 1_500_000, "{metrics:?}");
            let packed = metrics.object_bytes_written < metrics.frame_bytes_archived / 2;
            assert_eq!(packed, compression != Compression::Off, "{compression:?} {metrics:?}");
            let written = all(&log);
            log.close().unwrap();
            let found = restored(&place.path().join("again"), &store);
            holds(&found, &acknowledged);
            assert_eq!(found, written);
            let verified = verify(&config).unwrap();
            assert!(verified.findings.is_empty(), "{verified:?}");
        }
    }
}

#[test]
fn every_server_can_fence_and_one_that_ignores_conditions_is_refused() {
    for store in servers("probe") {
        let place = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(&store.endpoint);
        proxy.all(Fate::Unconditional);
        let through = Store { address: store.address.clone(), endpoint: proxy.url.clone() };
        assert!(tierlog::probe_store(&config(place.path(), &store)).unwrap(), "{}", store.address);
        if store.address.starts_with("az:") {
            // There a condition is part of the signature: nobody takes it away on the way.
            continue;
        }
        let mut unfenced = config(&place.path().join("log"), &through);
        assert!(!tierlog::probe_store(&unfenced).unwrap(), "{}", store.address);
        let refused = Log::open(unfenced.clone()).map(drop);
        assert!(matches!(refused, Err(Error::Refused(Refusal::Unfenced { .. }))), "{refused:?}");
        unfenced.archive.accept_unfenced = true;
        Log::open(unfenced).unwrap().0.close().unwrap();
    }
}

#[test]
fn of_two_owners_one_goes_on_and_the_other_acknowledges_nothing_more() {
    let mut chance = Chance::seeded("servers", "of_two_owners");
    for store in servers("two-owners") {
        for round in 0..2 {
            let place = tempfile::tempdir().unwrap();
            let address = format!("{}/{round}", store.address);
            let proxies = [Proxy::before(&store.endpoint), Proxy::before(&store.endpoint)];
            let [one, two] = proxies
                .each_ref()
                .map(|proxy| Store { address: address.clone(), endpoint: proxy.url.clone() });
            let first = config(&place.path().join("one"), &one);
            let (log, _) = Log::open(first.clone()).unwrap();
            let mut acknowledged = commit(&log, 0, 5);
            if round % 2 == 1 {
                // Everything but claims is trimmed.
                log.trim_archive(tierlog::Gsn(u64::MAX)).unwrap();
                acknowledged.clear();
            }
            let seed = chance.below(usize::MAX / 2) as u64;
            proxies[0].judge(bad_network(seed));
            proxies[1].judge(bad_network(seed ^ 0xabcd));
            let (stop, stalled) = (AtomicBool::new(false), AtomicBool::new(false));
            let (successor, acks) = std::thread::scope(|scope| {
                let owner = scope.spawn(|| {
                    let mut acks = Vec::new();
                    for life in 1.. {
                        acks.extend(commit(&log, life, 3));
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        while stalled.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                    acks
                });
                // The other machine: it restores, and opens; where the first has written meanwhile, again.
                let opened = (0..60).find_map(|attempt| {
                    // Now and then the first one stalls, and later takes itself for the owner still.
                    stalled.store(attempt % 3 == 2, Ordering::Relaxed);
                    let dir = place.path().join(format!("two-{attempt}"));
                    let second = config(&dir, &two);
                    restore(&second).ok()?;
                    Log::open(second).ok().map(|(log, _)| log)
                });
                stalled.store(false, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
                stop.store(true, Ordering::Relaxed);
                (opened.expect("the other one comes to own it"), owner.join().unwrap())
            });
            proxies.iter().for_each(|proxy| proxy.all(Fate::Passed));
            // The first one's next word to the archive ends it.
            let mut writer = log.writer().unwrap();
            writer.append(7, b"too late").unwrap_or_default();
            let refused = writer.commit(Durability::Machine);
            let superseded =
                matches!(refused, Err(Error::Refused(Refusal::Superseded { .. }) | Error::Poisoned { .. }));
            assert!(superseded, "{refused:?}");
            for level in [Durability::Buffered, Durability::Process, Durability::Power, Durability::Machine] {
                let late = writer.append(7, b"x").and_then(|_| writer.commit(level));
                assert!(late.is_err(), "{level:?} was acknowledged after all was lost");
            }
            drop(writer);
            drop(log);
            for archive in [first.archive.clone(), Default::default()] {
                let again = Log::open(Config { archive, ..first.clone() }).map(drop);
                assert!(matches!(again, Err(Error::Refused(Refusal::Superseded { .. }))), "{again:?}");
            }
            // Whatever was acknowledged at Machine before is the successor's.
            let found = all(&successor);
            holds(&found, &acknowledged);
            holds(&found, &acks);
            let more = commit(&successor, 1000, 5);
            assert_eq!(more.len(), 5);
            successor.close().unwrap();
            holds(&restored(&place.path().join("three"), &two), &more);
        }
    }
}

#[test]
fn adopt_takes_an_archive_back_and_fork_goes_on_elsewhere() {
    for store in servers("adopt") {
        let place = tempfile::tempdir().unwrap();
        let first = config(&place.path().join("one"), &store);
        let (log, _) = Log::open(first.clone()).unwrap();
        commit(&log, 1, 5);
        log.close().unwrap();
        let second = config(&place.path().join("two"), &store);
        restore(&second).unwrap();
        let (other, _) = Log::open(second).unwrap();
        commit(&other, 2, 5);
        drop(other);
        let refused = Log::open(first.clone()).map(drop);
        assert!(matches!(refused, Err(Error::Refused(Refusal::Superseded { .. }))), "{refused:?}");
        // That was written down: another address does not help.
        let mut fork = first.clone();
        fork.archive.address += "-fork";
        let refused = Log::open(fork.clone()).map(drop);
        assert!(matches!(refused, Err(Error::Refused(Refusal::Superseded { .. }))), "{refused:?}");
        // Taken back: what the other wrote is void, and stays so.
        let (log, _) = Log::open(Config { adopt: true, ..first.clone() }).unwrap();
        commit(&log, 3, 5);
        let written = all(&log);
        assert!(written.iter().all(|kept| kept.stream != 2));
        log.close().unwrap();
        assert_eq!(restored(&place.path().join("three"), &store), written);
        // Elsewhere.
        let refused = Log::open(fork.clone()).map(drop);
        assert!(matches!(refused, Err(Error::Refused(Refusal::OtherArchive { .. }))), "{refused:?}");
        let (log, _) = Log::open(Config { fork: true, ..fork.clone() }).unwrap();
        commit(&log, 4, 5);
        let forked = all(&log);
        log.close().unwrap();
        let elsewhere = Store { address: fork.archive.address, endpoint: store.endpoint.clone() };
        assert_eq!(restored(&place.path().join("four"), &elsewhere), forked);
    }
}

#[test]
fn no_credential_is_ever_shown() {
    const CANARY: &str = "CANARY-5f3a91";
    // Nobody listens there; and a server that answers what it was sent.
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rude = format!("http://{}", echo.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for client in echo.incoming() {
            let Ok(mut client) = client else { return };
            let mut bytes = vec![0; 16 << 10];
            let n = client.read(&mut bytes).unwrap_or(0);
            let head = format!("HTTP/1.1 403 No\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n");
            drop(client.write_all(head.as_bytes()).and_then(|()| client.write_all(&bytes[..n])));
        }
    });
    for (address, endpoint) in
        ["s3://b/p", "az://c/p"].into_iter().flat_map(|a| [(a, "http://127.0.0.1:9"), (a, &*rude)])
    {
        for verb in ["probe-store", "info", "verify", "restore", "append"] {
            let dir = tempfile::tempdir().unwrap();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tierlog"));
            command.arg(verb).args(["--endpoint", endpoint, "-vvv", "--dir"]).arg(dir.path().join("log"));
            match verb {
                "probe-store" => command.arg(address),
                _ => command.args(["--archive", address]),
            };
            let key = "Q0FOQVJZLTVmM2E5MS1DQU5BUlktNWYzYTkxLUNBTkFSWS01ZjNhOTE=";
            command
                .env("RUST_LOG", "trace")
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", CANARY)
                .env("AWS_SESSION_TOKEN", format!("{CANARY}-token"))
                .env("AWS_REGION", "us-east-1")
                .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
                .env("AZURE_STORAGE_ACCOUNT_KEY", key)
                .env_remove("AZURE_STORAGE_SAS_KEY");
            let output = command.stdin(std::process::Stdio::null()).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            for secret in [CANARY, key] {
                assert!(!said.contains(secret), "{verb} {address} {endpoint}: {said}");
            }
            // `info` and `verify` want a log before an archive; the rest met the store.
            let met = matches!(verb, "probe-store" | "restore" | "append");
            assert!(!output.status.success() && (!met || said.contains(address)), "{verb}: {said}");
        }
    }
}
