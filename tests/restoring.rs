//! Restores to a point, of some lanes, after an interruption, from a damaged archive; and readers that go on from objects
//! to the machine's own tiers.
#![cfg(feature = "object")]

mod support;

use std::path::{Path, PathBuf};

use support::files;
use support::records::{Kept, all, drain, drained, small, viewed};
use tierlog::{
    Config, Cut, Durability, Error, Gsn, Lane, Log, Medium, Refusal, RestoreOptions, Until, View, restore,
    restore_to,
};

fn config(dir: &Path, store: &Path) -> Config {
    let mut config = small(dir, Medium::Emulated);
    config.archive.address = store.display().to_string();
    config.archive.accept_local = true;
    config.archive.linger_ms_max = 5;
    config.archive.object_bytes_max = 64 << 10;
    config
}

/// Commits batches in both lanes by turns, each archived in an object of its own; their stamps.
fn write(log: &Log, batches: usize, bytes_max: usize) -> Vec<Gsn> {
    let mut writers = [log.writer().unwrap(), log.writer().unwrap()];
    let mut stamps = Vec::new();
    for batch in 0..batches {
        let writer = &mut writers[batch % 2];
        for record in 0..3_usize {
            let payload: Vec<u8> =
                (0..(batch * 397 + record) % bytes_max).map(|i| (i * 7 + batch) as u8).collect();
            writer.append(batch as u32, &payload).unwrap();
        }
        let level = if batch % 4 == 3 { Durability::Machine } else { Durability::Power };
        stamps.push(writer.commit(level).unwrap().stamp.gsn);
    }
    for writer in &mut writers {
        writer.commit(Durability::Machine).unwrap();
    }
    stamps
}

fn quiet(_: tierlog::Progress) {}

fn restored_until(place: &Path, name: &str, store: &Path, until: Until) -> (Config, Vec<Kept>) {
    let config = config(&place.join(name), store);
    restore_to(&config, &RestoreOptions { until, ..RestoreOptions::default() }, &mut quiet).unwrap();
    let (kept, error) = viewed(&Config { archive: Default::default(), ..config.clone() });
    assert!(error.is_none(), "{error:?}");
    (config, kept)
}

fn up_to(written: &[Kept], gsn: Gsn) -> Vec<Kept> {
    written.iter().filter(|kept| kept.gsn <= gsn.0).cloned().collect()
}

#[test]
fn a_restore_to_a_point_holds_exactly_what_was_committed_up_to_it_and_the_rest_never_comes_back() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let (log, _) = Log::open(config(&place.path().join("log"), &store)).unwrap();
    let mut stamps = write(&log, 20, 500);
    log.mark("before the end").unwrap();
    let marked = all(&log);
    stamps.extend(write(&log, 21, 500));
    let written = all(&log);
    log.close().unwrap();
    for (i, gsn) in stamps.iter().enumerate().step_by(5) {
        for (name, gsn) in [("at", *gsn), ("behind", Gsn(gsn.0 + 1))] {
            let (_, kept) = restored_until(place.path(), &format!("{name}-{i}"), &store, Until::Gsn(gsn));
            assert_eq!(kept, up_to(&written, gsn), "{name} {gsn}");
        }
    }
    assert_eq!(restored_until(place.path(), "mark", &store, Until::Mark("before the end".into())).1, marked);
    for until in [Until::Mark("none of that name".into()), Until::Gsn(Gsn(1))] {
        let nowhere = config(&place.path().join("nowhere"), &store);
        let options = RestoreOptions { until, ..RestoreOptions::default() };
        assert!(matches!(restore_to(&nowhere, &options, &mut quiet), Err(Error::Config(_))));
    }
    // The log goes on from a point: what was dropped is void, for this owner and for every later restore.
    let (onward, kept) = restored_until(place.path(), "onward", &store, Until::Gsn(stamps[12]));
    let (log, _) = Log::open(onward).unwrap();
    assert_eq!(all(&log), kept);
    write(&log, 6, 900);
    let went_on = all(&log);
    log.close().unwrap();
    assert!(went_on.len() > kept.len() && went_on.starts_with(&kept));
    let (config, kept) = restored_until(place.path(), "all", &store, Until::End);
    assert_eq!(kept, went_on);
    let (_, kept) = restored_until(place.path(), "past", &store, Until::Gsn(stamps[30]));
    assert_eq!(kept, up_to(&went_on, stamps[12]), "what was dropped does not come back");
    assert!(tierlog::verify(&config).unwrap().findings.is_empty());
}

#[test]
fn an_interrupted_restore_goes_on_and_nothing_else_is_touched() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let (log, _) = Log::open(config(&place.path().join("log"), &store)).unwrap();
    write(&log, 120, 9_000);
    let written = all(&log);
    log.close().unwrap();
    let again = config(&place.path().join("again"), &store);
    let stopped = std::panic::catch_unwind(|| {
        let mut count = 0;
        restore_to(&again, &RestoreOptions::default(), &mut |_| {
            count += 1;
            assert!(count < 25, "stopped on purpose");
        })
    });
    assert!(stopped.is_err());
    let restored = restore(&again).unwrap();
    assert!(restored.frame_bytes_kept > 100_000, "{restored:?}");
    assert_eq!(viewed(&Config { archive: Default::default(), ..again.clone() }).0, written);
    let refused = restore(&again);
    assert!(matches!(&refused, Err(Error::Config(what)) if what.contains("not empty")), "{refused:?}");
    let other = config(&place.path().join("other"), &place.path().join("other-store"));
    Log::open(other.clone()).unwrap().0.close().unwrap();
    let refused = restore(&Config { archive: again.archive, ..other });
    assert!(matches!(&refused, Err(Error::Config(what)) if what.contains("not empty")), "{refused:?}");
}

#[test]
fn a_reader_goes_from_objects_to_the_tail_and_follows_and_finds_its_place_by_stamp() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let config = config(&place.path().join("log"), &store);
    let (log, _) = Log::open(config.clone()).unwrap();
    let mut stamps = write(&log, 60, 9_000);
    let first = all(&log);
    drained(&log);
    log.checkpoint(&log.seek(stamps[55]).unwrap()).unwrap();
    assert!(log.watermarks().iter().all(|lane| lane.oldest.0 > 0), "{:?}", log.watermarks());
    stamps.extend(write(&log, 20, 3_000));
    // One reader over all of it, and on into what is still to come.
    let mut reader = log.reader(&Cut::start()).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        found.push((record.gsn.0, record.lane.0, record.lsn.0, record.payload.to_vec()));
    }
    let key = |kept: &Kept| (kept.gsn, kept.lane, kept.lsn, kept.payload.clone());
    assert!(found.starts_with(&first.iter().map(key).collect::<Vec<_>>()));
    let mut writer = log.writer().unwrap();
    writer.append(9, b"the newest").unwrap();
    writer.commit(Durability::Power).unwrap();
    let newest = reader.follow(std::time::Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!(newest.payload, b"the newest");
    drop(writer);
    let (written, error) = drain(log.reader(&Cut::start()));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(written.len(), 80 * 3 + 1);
    assert!(written.is_sorted_by_key(|kept| (kept.gsn, kept.lane, kept.lsn)));
    for gsn in stamps.iter().step_by(7).flat_map(|gsn| [*gsn, Gsn(gsn.0 - 1)]) {
        let later: Vec<Kept> = written.iter().filter(|kept| kept.gsn > gsn.0).cloned().collect();
        let cut = log.seek(gsn).unwrap();
        assert_eq!(drain(log.reader(&cut)).0, later, "behind {gsn}");
        assert_eq!(drain(View::open(&config).unwrap().reader(&cut)).0, later, "a view, behind {gsn}");
    }
    // From the middle of a batch that only the archive has.
    let middle = log.lane(Lane(1), None).unwrap().position();
    let inside = written.iter().filter(|kept| kept.lane == 1).nth(4).unwrap();
    let mut lane =
        log.lane(Lane(1), Some(tierlog::Position { lsn: tierlog::Lsn(inside.lsn), ..middle })).unwrap();
    assert_eq!(lane.next().unwrap().unwrap().payload, &inside.payload[..]);
    log.close().unwrap();
    // The same of a machine that was restored with one lane only.
    let part = self::config(&place.path().join("part"), &store);
    let options = RestoreOptions { lanes: vec![Lane(0)], ..RestoreOptions::default() };
    restore_to(&part, &options, &mut quiet).unwrap();
    let (log, _) = Log::open(part.clone()).unwrap();
    assert_eq!(drain(log.reader(&Cut::start())).0, written);
    write(&log, 4, 500);
    log.close().unwrap();
    assert_eq!(drain(View::open(&part).unwrap().reader(&Cut::start())).0.len(), written.len() + 12);
    let (_, whole) = restored_until(place.path(), "whole", &store, Until::End);
    assert_eq!(whole.len(), written.len() + 12, "nothing was voided");
}

#[test]
fn readers_of_the_archive_are_told_what_was_given_up_and_what_is_damaged() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let config = config(&place.path().join("log"), &store);
    let (log, _) = Log::open(config.clone()).unwrap();
    let stamps = write(&log, 60, 9_000);
    let written = all(&log);
    drained(&log);
    log.checkpoint(&log.seek(stamps[58]).unwrap()).unwrap();
    let mut reader = log.reader(&Cut::start()).unwrap();
    assert!(reader.next().unwrap().is_some());
    assert!(log.trim_archive(stamps[10]).unwrap() > 0);
    let error = loop {
        match reader.next() {
            Ok(record) => assert!(record.is_some(), "it was given up"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Trimmed { .. }), "{error}");
    // From where it begins by now.
    let (kept, error) = drain(log.reader(&Cut::start()));
    assert!(error.is_none() && written.ends_with(&kept) && kept.len() < written.len(), "{error:?}");
    // Only the archive has it, and not any more.
    let is_cut = |path: &PathBuf| std::fs::read(path).unwrap()[44] == 2;
    let victim = files::below(&store.join("seq")).into_iter().find(is_cut).unwrap();
    let mut bytes = std::fs::read(&victim).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&victim, bytes).unwrap();
    let (_, error) = drain(View::open(&config).unwrap().reader(&Cut::start()));
    let error = error.expect("an object that is damaged").to_string();
    assert!(error.contains(victim.file_name().unwrap().to_str().unwrap()), "{error}");
}

#[test]
fn a_view_of_a_log_that_never_came_to_archive_reads_what_is_here() {
    let place = tempfile::tempdir().unwrap();
    let config = config(&place.path().join("log"), &place.path().join("store"));
    let (log, _) = Log::open(Config { archive: Default::default(), ..config.clone() }).unwrap();
    support::records::fill(&log, 6, 100);
    let written = all(&log);
    log.close().unwrap();
    let (found, error) = viewed(&config);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, written);
}

#[test]
fn what_was_trimmed_of_an_archive_is_gone_and_the_rest_is_restored() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let (log, _) = Log::open(config(&place.path().join("log"), &store)).unwrap();
    let stamps = write(&log, 40, 900);
    let written = all(&log);
    let objects = |store: &Path| std::fs::read_dir(store.join("seq")).unwrap().count();
    let before = objects(&store);
    assert!(log.trim_archive(stamps[20]).unwrap() > 0);
    assert!(objects(&store) < before && store.join("seq/00000000000000000001").exists(), "claims stay");
    assert_eq!(log.trim_archive(stamps[20]).unwrap(), 0);
    write(&log, 4, 900);
    let newest = all(&log);
    log.close().unwrap();
    let (config, kept) = restored_until(place.path(), "again", &store, Until::End);
    assert!(
        newest.ends_with(&kept) && kept.len() < newest.len() && kept.len() > newest.len() - written.len()
    );
    let kept_from = kept.first().unwrap().gsn;
    assert!(kept_from <= stamps[20].0, "everything from there on is restored");
    let (log, _) = Log::open(config).unwrap();
    write(&log, 4, 900);
    log.close().unwrap();
}

#[test]
fn damage_is_named_by_its_object_and_the_rest_is_readable() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let mut big = config(&place.path().join("log"), &store);
    big.tail.segment_bytes = Some(1 << 20);
    big.nvme.segment_bytes = Some(2 << 20);
    let (log, _) = Log::open(big.clone()).unwrap();
    let stamps = write(&log, 12, 900);
    let mut writer = log.writer().unwrap();
    // Noise, which does not shrink: data objects.
    let mut noise = support::chance::Chance::seeded("restoring", "damage");
    for _ in 0..30 {
        let payload: Vec<u8> = (0..60_000).map(|_| noise.below(256) as u8).collect();
        writer.append(5, &payload).unwrap();
    }
    writer.commit(Durability::Machine).unwrap();
    drop(writer);
    let written = all(&log);
    log.close().unwrap();
    let foreign = place.path().join("foreign");
    let (log, _) = Log::open(config(&place.path().join("log-2"), &foreign)).unwrap();
    write(&log, 12, 900);
    log.close().unwrap();

    let (data, sequence) = (files::below(&store.join("data")), files::below(&store.join("seq")));
    assert!(data.len() > 2, "{data:?}");
    let third = &sequence[2];
    let flip = |bytes: &mut Vec<u8>| bytes.iter_mut().skip(60).step_by(97).for_each(|byte| *byte ^= 0x10);
    let halve = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let other = std::fs::read(&files::below(&foreign.join("seq"))[2]).unwrap();
    type Harm<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;
    let harms: [(&Path, Harm<'_>); 7] = [
        (&data[1], Box::new(flip)),
        (&data[1], Box::new(halve)),
        (&data[1], Box::new(|bytes| bytes.clear())),
        (third, Box::new(flip)),
        (third, Box::new(halve)),
        (third, Box::new(|bytes| *bytes = other.clone())),
        (&sequence[3], Box::new(|bytes| *bytes = std::fs::read(third).unwrap())),
    ];
    let name = |path: &Path| path.strip_prefix(&store).unwrap().display().to_string();
    for (i, (path, harm)) in harms.iter().enumerate() {
        let whole = std::fs::read(path).unwrap();
        let mut harmed = whole.clone();
        harm(&mut harmed);
        std::fs::write(path, &harmed).unwrap();
        let refused = restore(&config(&place.path().join(format!("harm-{i}")), &store)).unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::Foreign { .. })), "{i}: {refused}");
        assert!(refused.to_string().contains(&name(path)), "{i}: {refused}");
        let verified = tierlog::verify(&big).unwrap();
        assert!(verified.findings.iter().any(|found| found.what.contains(&name(path))), "{i}: {verified:?}");
        std::fs::write(path, whole).unwrap();
    }
    // Missing: what lies before is restored on request, and the machine itself reads on.
    std::fs::remove_file(&data[1]).unwrap();
    let refused = restore(&config(&place.path().join("missing"), &store)).unwrap_err();
    assert!(refused.to_string().contains(&name(&data[1])), "{refused}");
    let (_, kept) = restored_until(place.path(), "before", &store, Until::Gsn(*stamps.last().unwrap()));
    assert_eq!(kept, up_to(&written, *stamps.last().unwrap()));
    let options = RestoreOptions { lanes: vec![Lane(1)], ..RestoreOptions::default() };
    restore_to(&config(&place.path().join("lane-1"), &store), &options, &mut quiet).unwrap();
}
