//! Stores that fail, and machines that are lost (`scripts/servers`): nothing that was acknowledged goes with them.
#![cfg(feature = "cloud")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::chance::Chance;
use support::count::count;
use support::proxy::{Fate, Proxy, bad_network};
use support::records::all;
use support::store::{Store, config, restored, servers};
use tierlog::{Durability, Log, restore};

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
    let seconds = count("TIERLOG_OUTAGE_S", 12) as u64;
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

/// A process killed at a random moment and its machine taken away: tail and NVMe are gone, objects are all there is.
#[test]
#[cfg(feature = "cli")]
fn what_was_acknowledged_at_machine_outlives_every_machine() {
    use std::io::{BufRead, Read};
    let losses = count("TIERLOG_LOSSES", 5) as u32;
    let mut chance = Chance::seeded("outage", "outlives_every_machine");
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
