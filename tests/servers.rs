//! Archives on servers: S3 and Azure on loopback (`scripts/servers`), beside a directory and memory. What is acknowledged
//! at `Machine` is there, one owner at a time goes on, and a store that fails delays nothing else.
#![cfg(feature = "cloud")]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::chance::Chance;
use support::proxy::{Fate, Proxy};
use support::records::{Kept, all, small};
use tierlog::{Compression, Config, Durability, Error, Log, Medium, Refusal, restore, verify};

/// A store: an address that nobody else uses, and where it answers.
struct Store {
    address: String,
    endpoint: String,
}

/// The stores on a network that this test can have; a line says which it skips.
fn servers(test: &str) -> Vec<Store> {
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

fn config(dir: &Path, store: &Store) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.archive.address.clone_from(&store.address);
    config.archive.endpoint.clone_from(&store.endpoint);
    config.archive.linger_ms_max = 20;
    config.archive.answer_ms_max = 3_000;
    config
}

/// Commits `count` records at Machine; those that were acknowledged.
fn commit(log: &Log, stream: u32, count: u32) -> Vec<(u32, Vec<u8>)> {
    let mut writer = log.writer().unwrap();
    let payload = |i: u32| i.to_le_bytes().repeat(1 + (i as usize * 37) % 50);
    (0..count)
        .filter_map(|i| {
            writer.append(stream, &payload(i)).ok()?;
            writer.commit(Durability::Machine).ok().map(|_| (stream, payload(i)))
        })
        .collect()
}

fn holds(found: &[Kept], acknowledged: &[(u32, Vec<u8>)]) {
    for (stream, payload) in acknowledged {
        let times = found.iter().filter(|kept| kept.stream == *stream && kept.payload == *payload).count();
        assert_eq!(times, 1, "a record of stream {stream} that was acknowledged");
    }
}

fn restored(dir: &Path, store: &Store) -> Vec<Kept> {
    let config = config(dir, store);
    restore(&config).unwrap();
    let (kept, error) = support::records::viewed(&Config { archive: Default::default(), ..config });
    assert!(error.is_none(), "{error:?}");
    kept
}

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

/// What a bad network does to a request, by chance.
fn bad_network(chance: u64) -> impl Fn(u64, &str) -> Fate + Send + 'static {
    move |number, head| {
        let draw =
            (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ chance).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32;
        // A read that is answered late is only late.
        let write = head.starts_with("PUT");
        match draw % 12 {
            0 => Fate::Refused,
            1 => Fate::Status(if (draw / 12).is_multiple_of(2) { 503 } else { 500 }),
            2 if write => Fate::Unanswered,
            3 if write => Fate::Repeated,
            4 if write => Fate::Late(Duration::from_millis(draw % 300)),
            5 => Fate::Slow(Duration::from_millis(draw % 100)),
            _ => Fate::Passed,
        }
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
        // Elsewhere.
        let mut fork = first.clone();
        fork.archive.address += "-fork";
        let refused = Log::open(fork.clone()).map(drop);
        assert!(matches!(refused, Err(Error::Refused(Refusal::OtherArchive { .. }))), "{refused:?}");
        // Taken back: what the other wrote is void, and stays so.
        let (log, _) = Log::open(Config { adopt: true, ..first.clone() }).unwrap();
        commit(&log, 3, 5);
        let written = all(&log);
        assert!(written.iter().all(|kept| kept.stream != 2));
        log.close().unwrap();
        assert_eq!(restored(&place.path().join("three"), &store), written);
        let (log, _) = Log::open(Config { fork: true, ..fork.clone() }).unwrap();
        commit(&log, 4, 5);
        let forked = all(&log);
        log.close().unwrap();
        let elsewhere = Store { address: fork.archive.address, endpoint: store.endpoint.clone() };
        assert_eq!(restored(&place.path().join("four"), &elsewhere), forked);
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Lets threads come to their end when it goes, be it by a panic.
struct End<'a>(&'a AtomicBool, &'a Proxy);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.all(Fate::Passed);
    }
}

/// A store that is away, slow, failing and losing answers, while a log goes on at Power and waits at Machine.
#[test]
fn an_outage_loses_nothing_and_disturbs_no_commit_at_power() {
    let seconds: u64 = std::env::var("TIERLOG_OUTAGE_S").map_or(12, |text| text.parse().unwrap());
    for store in servers("outage") {
        let place = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(&store.endpoint);
        let through = Store { address: store.address.clone(), endpoint: proxy.url.clone() };
        let mut config = config(&place.path().join("log"), &through);
        config.nvme.segment_bytes = Some(4 << 20);
        config.tail.segment_bytes = Some(1 << 20);
        let (log, _) = Log::open(config).unwrap();
        let stop = AtomicBool::new(false);
        let (machine_acks, worst_us) = (AtomicU64::new(0), AtomicU64::new(0));
        let quiet = resident_bytes();
        let mut most = 0;
        let (powered, machined) = std::thread::scope(|scope| {
            let power = scope.spawn(|| {
                let mut writer = log.writer().unwrap();
                let mut written = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let payload = (written.len() as u64).to_le_bytes().repeat(20);
                    let began = Instant::now();
                    writer.append(1, &payload).unwrap();
                    writer.commit(Durability::Power).unwrap();
                    worst_us.fetch_max(began.elapsed().as_micros() as u64, Ordering::Relaxed);
                    written.push((1, payload));
                    std::thread::sleep(Duration::from_micros(500));
                }
                written
            });
            let machine = scope.spawn(|| {
                let mut writer = log.writer().unwrap();
                let mut written = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let payload = (written.len() as u64).to_le_bytes().repeat(3);
                    writer.append(2, &payload).unwrap();
                    writer.commit(Durability::Machine).unwrap();
                    machine_acks.fetch_add(1, Ordering::Relaxed);
                    written.push((2, payload));
                }
                written
            });
            let end = End(&stop, &proxy);
            let step = Duration::from_millis(seconds * 1_000 / 12);
            let stages = [
                Fate::Passed,
                Fate::Refused,
                Fate::Status(503),
                Fate::Passed,
                Fate::Slow(Duration::from_millis(400)),
                Fate::Status(500),
                Fate::Unanswered,
                Fate::Passed,
            ];
            for stage in stages {
                proxy.all(stage);
                std::thread::sleep(step);
                most = most.max(resident_bytes());
                // It may be resting from the stage before.
                let troubled = matches!(stage, Fate::Refused | Fate::Status(_) | Fate::Unanswered);
                let until = Instant::now() + Duration::from_secs(60);
                while log.metrics().archive_trouble.is_some() != troubled {
                    assert!(Instant::now() < until, "{stage:?}: {:?}", log.metrics().archive_trouble);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            proxy.judge(bad_network(seconds));
            std::thread::sleep(step * 4);
            drop(end);
            (power.join().unwrap(), machine.join().unwrap())
        });
        let written = all(&log);
        let failures = log.metrics().archive_failures;
        log.close().unwrap();
        let (worst, grown) = (worst_us.into_inner(), most.saturating_sub(quiet));
        println!(
            "{}: {seconds} s, {} at Power (worst {worst} us), {} at Machine, {failures} failures, {grown} bytes more",
            store.address,
            powered.len(),
            machined.len()
        );
        assert!(failures > 0 && worst < 1_000_000 && grown < 64 << 20);
        let found = restored(&place.path().join("again"), &store);
        assert_eq!(found, written);
        let of = |stream| found.iter().filter(move |kept| kept.stream == stream).map(|kept| &kept.payload);
        assert!(
            of(1).eq(powered.iter().map(|(_, payload)| payload)),
            "nothing lost, nothing twice, in order"
        );
        assert!(of(2).eq(machined.iter().map(|(_, payload)| payload)));
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

/// A process killed at a random moment and its machine taken away: tail and NVMe are gone, objects are all there is.
#[test]
#[cfg(feature = "cli")]
fn what_was_acknowledged_at_machine_outlives_every_machine() {
    use std::io::{BufRead, Read};
    let losses: u32 = std::env::var("TIERLOG_LOSSES").map_or(5, |text| text.parse().unwrap());
    let mut chance = Chance::seeded("servers", "outlives_every_machine");
    for store in servers("machines").into_iter().take(1) {
        let place = tempfile::tempdir().unwrap();
        let orders = place.path().join("orders");
        let lines: Vec<String> = (0..50_000).map(|i| format!("{i},buy,{}", 5_853_300 + i % 991)).collect();
        std::fs::write(&orders, lines.join("\n") + "\n").unwrap();
        let mut acknowledged = 0;
        for life in 0..losses {
            let dir = place.path().join(format!("machine-{life}"));
            let at = config(&dir, &store);
            if life > 0 {
                restore(&at).unwrap();
            }
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tierlog"));
            command.args([
                "append",
                "--acks",
                "--emulated",
                "--level",
                "machine",
                "--stream",
                &life.to_string(),
            ]);
            command
                .args(["--archive", &store.address, "--endpoint", &store.endpoint, "--dir"])
                .arg(&dir)
                .arg(&orders);
            let command = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
            let mut child = command.spawn().unwrap();
            let mut pipe = std::io::BufReader::new(child.stdout.take().unwrap());
            let (first, begun) = std::sync::mpsc::channel();
            let heard = std::thread::spawn(move || {
                let mut text = String::new();
                pipe.read_line(&mut text)?;
                drop(first);
                pipe.read_to_string(&mut text).map(|_| text)
            });
            // Nothing is sent: the other end goes with the first acknowledgement.
            let word: Result<(), _> = begun.recv_timeout(Duration::from_secs(60));
            assert_eq!(
                word,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected),
                "nothing was acknowledged"
            );
            std::thread::sleep(Duration::from_millis(chance.below(700) as u64));
            child.kill().unwrap();
            child.wait().unwrap();
            let text = heard.join().unwrap().unwrap();
            let acks = text.rsplit_once('\n').map_or(0, |(whole, _)| whole.lines().count());
            std::fs::remove_dir_all(&dir).ok();
            let found = restored(&place.path().join("look"), &store);
            std::fs::remove_dir_all(place.path().join("look")).ok();
            let kept: Vec<&[u8]> =
                found.iter().filter(|kept| kept.stream == life).map(|kept| &kept.payload[..]).collect();
            assert!(kept.len() >= acks, "life {life}: {acks} acknowledged, {} restored", kept.len());
            assert!(
                kept.iter().zip(&lines).all(|(kept, line)| *kept == line.as_bytes()),
                "in order, life {life}"
            );
            acknowledged += acks;
        }
        println!("{}: {losses} machines lost, {acknowledged} acknowledged records, none lost", store.address);
        assert!(acknowledged > 0);
    }
}
