//! Damaged objects of the archive: all of them found, made anew from this machine, and told where nothing can.
#![cfg(feature = "object")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::chance::Chance;
use support::files;
use support::image::Image;
use support::records::{Kept, all, drained, small, viewed};
use tierlog::{Config, Durability, Log, Medium, Mended, Repaired, repair, restore, verify};

fn config(place: &Path, name: &str) -> Config {
    let mut config = small(&place.join(name), Medium::Emulated);
    config.tail.segment_bytes = Some(1 << 20);
    config.nvme.segment_bytes = Some(2 << 20);
    config.nvme.scrub_bytes_per_second = 0;
    config.archive.address = place.join("store").display().to_string();
    config.archive.accept_local = true;
    config.archive.gather_ms = 1;
    config.archive.object_bytes_max = 256 << 10;
    config
}

/// Small cuts with marks in them, a large one in data objects, and a small one again.
fn write(log: &Log, chance: &mut Chance) {
    let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
    for n in 0..6_u32 {
        for writer in &mut writers {
            writer.append(n, &n.to_le_bytes().repeat(40)).unwrap();
            writer.mark(&format!("small {n}")).unwrap();
            writer.commit(Durability::Power).unwrap();
            writer.append(n, b"taken back").unwrap();
            writer.abort().unwrap();
        }
        writers[0].append(n, b"alone").unwrap();
        writers[0].commit(Durability::Machine).unwrap();
    }
    for _ in 0..30 {
        // Noise, which does not shrink.
        let payload: Vec<u8> = (0..60_000).map(|_| chance.below(256) as u8).collect();
        writers[1].append(7, &payload).unwrap();
    }
    writers[1].commit(Durability::Machine).unwrap();
    writers[0].append(9, b"behind").unwrap();
    writers[0].commit(Durability::Machine).unwrap();
}

/// The archive's files in a folder, in order.
fn objects(place: &Path, folder: &str) -> Vec<PathBuf> {
    files::below(&place.join("store").join(folder))
}

fn name(place: &Path, path: &Path) -> String {
    path.strip_prefix(place.join("store")).unwrap().display().to_string()
}

fn told(config: &Config, dry_run: bool) -> (Repaired, Vec<Mended>) {
    let mut heard = Vec::new();
    let repaired = repair(config, dry_run, &mut |action| heard.push(action.clone())).unwrap();
    assert_eq!(repaired.actions, heard, "everything is told");
    (repaired, heard)
}

/// From objects alone.
fn restored(place: &Path) -> Vec<Kept> {
    let again = config(place, "again");
    restore(&again).unwrap();
    let (kept, error) = viewed(&Config { archive: Default::default(), ..again.clone() });
    assert!(error.is_none(), "{error:?}");
    std::fs::remove_dir_all(&again.dir).unwrap();
    kept
}

fn made(place: &Path) -> Vec<Kept> {
    let (log, _) = Log::open(config(place, "log")).unwrap();
    write(&log, &mut Chance::seeded("mended_objects", "noise"));
    let written = all(&log);
    log.close().unwrap();
    written
}

#[test]
fn every_damaged_object_is_mended_from_this_machine_after_all_is_said() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (log, written) = (config(place, "log"), made(place));
    let (data, sequence) = (objects(place, "data"), objects(place, "seq"));
    assert!(data.len() > 4 && sequence.len() > 7, "{data:?} {sequence:?}");
    let whole = Image::take(&place.join("store"));
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.iter_mut().skip(60).step_by(97).for_each(|byte| *byte ^= 0x10);
        std::fs::write(path, bytes).unwrap();
    };
    let last = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let halve = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    type Harm<'a> = &'a dyn Fn(&Path);
    let large = data[0].file_name().unwrap().to_str().unwrap()[..20].to_owned();
    let of_large = sequence.iter().position(|path| path.ends_with(&large)).unwrap();
    // What is harmed, and how many objects of the sequence that concerns.
    type Case<'a> = (&'a str, Vec<(&'a Path, Harm<'a>)>, usize);
    let cases: [Case<'_>; 7] = [
        ("a data object flipped", vec![(&data[1], &flip)], 1),
        ("data objects cut short and missing", vec![(&data[0], &halve), (&data[3], &remove)], 1),
        ("frames in the object itself", vec![(&sequence[3], &last)], 1),
        ("a head", vec![(&sequence[2], &flip)], 1),
        ("an object missing", vec![(&sequence[3], &remove)], 1),
        ("the object that names data", vec![(&sequence[of_large], &halve)], 1),
        ("several", vec![(&sequence[1], &flip), (&data[2], &flip), (&sequence[4], &remove)], 3),
    ];
    for (what, harms, concerned) in cases {
        harms.iter().for_each(|(path, harm)| harm(path));
        let findings = verify(&log).unwrap().findings;
        assert_eq!(findings.len(), concerned, "{what}: {findings:?}");
        let before = Image::take(place);
        let (planned, actions) = told(&log, true);
        assert!(before == Image::take(place), "{what}: a dry run changes nothing");
        assert!(planned.report.is_none() && !planned.is_lost(), "{what}: {actions:?}");
        let (repaired, done) = told(&log, false);
        assert_eq!(done, actions, "{what}: done is what was said");
        for action in &done {
            assert!(matches!(action, Mended::Object { from, .. } if from == &["nvme"]), "{what}: {action:?}");
        }
        let report = std::fs::read_to_string(repaired.report.unwrap()).unwrap();
        assert_eq!(report.lines().filter(|line| line.starts_with("mend object seq/")).count(), concerned);
        let kept = std::fs::read_dir(log.dir.join("quarantine")).map_or(0, Iterator::count);
        let there = harms.iter().filter(|(path, _)| before.files().any(|(of, _)| place.join(of) == **path));
        assert!(kept >= there.count(), "{what}: {kept} put aside");
        assert!(verify(&log).unwrap().findings.is_empty(), "{what}");
        assert_eq!(restored(place), written, "{what}");
        assert!(told(&log, true).1.is_empty(), "{what}");
        std::fs::remove_dir_all(log.dir.join("quarantine")).ok();
        if harms.iter().all(|(path, _)| path.starts_with(place.join("store/data"))) {
            assert!(whole == Image::take(&place.join("store")), "{what}: byte for byte");
        }
    }
    // A restore to a mark finds it in an object that was made anew.
    let until = tierlog::Until::Mark("small 2".into());
    let options = tierlog::RestoreOptions { until, ..Default::default() };
    tierlog::restore_to(&config(place, "marked"), &options, &mut |_| ()).unwrap();
    // And the log goes on.
    let (log, _) = Log::open(log).unwrap();
    assert_eq!(all(&log), written);
    write(&log, &mut Chance::seeded("mended_objects", "more"));
    let more = all(&log);
    log.close().unwrap();
    assert_eq!(restored(place), more);
}

#[test]
fn an_object_that_is_cut_otherwise_when_made_anew_leaves_no_data_behind() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (mut log, written) = (config(place, "log"), made(place));
    let data = objects(place, "data");
    let large = data[0].file_name().unwrap().to_str().unwrap()[..20].to_owned();
    let head = objects(place, "seq").into_iter().find(|path| path.ends_with(&large)).unwrap();
    std::fs::write(head, b"").unwrap();
    log.archive.object_bytes_max *= 3;
    assert!(!told(&log, false).0.is_lost());
    let left = objects(place, "data");
    assert!(left.len() <= data.len() / 2, "{} of {}", left.len(), data.len());
    assert_eq!(
        std::fs::read_dir(log.dir.join("quarantine")).unwrap().count(),
        data.len() + 1,
        "what there was is kept"
    );
    assert_eq!(restored(place), written);
}

#[test]
fn what_nothing_can_mend_stays_and_is_told() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let log = config(place, "log");
    made(place);
    let sequence = objects(place, "seq");
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[70] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    // A claim, and two objects in a row.
    for (harmed, said) in [(vec![0], "a claim"), (vec![2, 3], "damaged as well"), (vec![2], "no other tier")]
    {
        let whole = Image::take(place);
        harmed.iter().for_each(|i| flip(&sequence[*i]));
        if said == "no other tier" {
            // What is trimmed here only the archive has.
            let (log, _) = Log::open(log.clone()).unwrap();
            let mark = log.marks().unwrap().into_iter().find(|mark| mark.name == "small 5").unwrap();
            log.checkpoint(&log.seek(mark.gsn).unwrap()).unwrap();
            log.close().unwrap();
        }
        let before = Image::take(&place.join("store"));
        let (repaired, actions) = told(&log, false);
        assert!(repaired.is_lost());
        assert_eq!(actions.len(), harmed.len(), "{actions:?}");
        let lost = |action: &&Mended| matches!(action, Mended::LostObject { why, .. } if why.contains(said));
        assert!(actions.iter().any(|action| lost(&action)), "{said}: {actions:?}");
        assert!(before == Image::take(&place.join("store")), "{said}: it stays as it is");
        let named = verify(&log).unwrap().findings;
        assert!(
            named.iter().any(|found| found.what.contains(&name(place, &sequence[harmed[0]]))),
            "{named:?}"
        );
        if said != "no other tier" {
            whole.put(place);
        }
    }
}

#[test]
fn the_scrubber_mends_objects_beside_writers() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut config = config(place, "log");
    (config.archive.scrub_bytes_per_second, config.nvme.scrub_every_ms) = (64 << 20, 50);
    let (log, _) = Log::open(config.clone()).unwrap();
    write(&log, &mut Chance::seeded("mended_objects", "scrubbed"));
    drained(&log);
    let within = |what: &str, done: &dyn Fn() -> bool| {
        let until = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < until, "{what}: {:?}", log.metrics());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    within("a pass", &|| log.metrics().scrub_passes > 0);
    assert_eq!(log.metrics().scrub_damaged, 0);
    let victims = [objects(place, "data")[1].clone(), objects(place, "seq")[3].clone()];
    for (i, victim) in victims.iter().enumerate() {
        let mut bytes = std::fs::read(victim).unwrap();
        bytes[100] ^= 1;
        std::fs::write(victim, bytes).unwrap();
        within("mended", &|| log.metrics().scrub_mended > i as u64);
    }
    write(&log, &mut Chance::seeded("mended_objects", "meanwhile"));
    let passes = log.metrics().scrub_passes;
    within("another pass", &|| log.metrics().scrub_passes > passes + 1);
    assert_eq!((log.metrics().scrub_damaged, log.metrics().scrub_mended), (2, 2));
    let written = all(&log);
    log.close().unwrap();
    assert!(verify(&config).unwrap().findings.is_empty());
    assert_eq!(restored(place), written);
}
