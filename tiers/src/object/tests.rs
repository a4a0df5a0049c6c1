use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use super::{Created, DataName, Name, OBJECT_BYTES_MAX, ObjectError, Objects, Sequence, SequenceOptions};

fn open(address: &str) -> Sequence {
    Sequence::open(address, &SequenceOptions::default()).unwrap()
}

/// A directory to be made, and a memory store that no other test uses.
fn addresses(dir: &Path, test: &str) -> [String; 2] {
    [format!("file://{}/a/b", dir.display()), format!("memory:{test}")]
}

fn is_refused(error: &ObjectError) -> bool {
    matches!(error, ObjectError::Refused { .. })
}

#[test]
fn create_read_and_reopen() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "create_read_and_reopen") {
        let sequence = open(&address);
        assert_eq!(sequence.read(Name::Number(7), None).unwrap(), None);
        assert_eq!(sequence.create(Name::Number(7), b"mine").unwrap(), Created::Ours);
        assert_eq!(
            sequence.create(Name::Number(7), b"mine").unwrap(),
            Created::Ours,
            "the same again: a lost answer"
        );
        assert_eq!(sequence.create(Name::Number(7), b"theirs").unwrap(), Created::Taken(b"mine".to_vec()));
        assert_eq!(
            sequence.create(Name::Number(u64::MAX), b"").unwrap(),
            Created::Ours,
            "the last number, empty"
        );
        drop(sequence);
        let again = open(&address);
        assert_eq!(again.read(Name::Number(7), None).unwrap().as_deref(), Some(&b"mine"[..]));
        assert_eq!(again.read(Name::Number(u64::MAX), None).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(again.read(Name::Number(8), None).unwrap(), None);
    }
}

#[test]
fn one_of_many_creators_wins_each_number() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "one_of_many_creators") {
        let outcomes = thread::scope(|scope| {
            let creator = |me: u8| {
                let sequence = open(&address);
                move || {
                    (0..20)
                        .map(|number| sequence.create(Name::Number(number), &[me]).unwrap())
                        .collect::<Vec<_>>()
                }
            };
            let creators: Vec<_> = (0..6).map(|me| scope.spawn(creator(me))).collect();
            creators.into_iter().map(|creator| creator.join().unwrap()).collect::<Vec<_>>()
        });
        let sequence = open(&address);
        for number in 0..20 {
            let there = sequence.read(Name::Number(number), None).unwrap().unwrap();
            for (me, outcomes) in outcomes.iter().enumerate() {
                let want = if there == [me as u8] { Created::Ours } else { Created::Taken(there.clone()) };
                assert_eq!(outcomes[number as usize], want, "creator {me}, number {number}");
            }
        }
    }
}

#[test]
fn a_store_that_fences_passes_the_probe_and_is_left_clean() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "probe") {
        let sequence = open(&address);
        for _ in 0..5 {
            assert!(sequence.probe(16).unwrap());
        }
    }
    assert_eq!(fs::read_dir(dir.path().join("a/b/probe")).unwrap().count(), 0);
}

#[test]
fn no_object_above_the_bound_is_read_or_written() {
    let dir = tempfile::tempdir().unwrap();
    let sequence = open(dir.path().to_str().unwrap());
    let file = fs::File::create(dir.path().join("seq/00000000000000000003")).unwrap();
    file.set_len(OBJECT_BYTES_MAX as u64 + 1).unwrap();
    let error = sequence.read(Name::Number(3), None).unwrap_err();
    assert!(is_refused(&error), "{error}");
    assert!(error.to_string().contains("seq/00000000000000000003"), "{error}");
    let error = sequence.create(Name::Number(3), b"ours").unwrap_err();
    assert!(is_refused(&error), "{error}");
    let error = sequence.create(Name::Number(4), &vec![0; OBJECT_BYTES_MAX + 1]).unwrap_err();
    assert!(is_refused(&error), "{error}");
    assert_eq!(sequence.read(Name::Number(4), None).unwrap(), None);
}

#[test]
fn directories_are_private_and_names_plain() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("of %41 #1?").join("b");
    let sequence = open(root.to_str().unwrap());
    sequence.create(Name::Number(42), b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let data = DataName { epoch: 1, incarnation: 2, number: 42, index: 0 };
    sequence.put(Name::Data(data), b"y"[..].into()).unwrap();
    let folder = root.join("data/0000000001-0000000000000002");
    for made in
        [root.parent().unwrap(), &root, &root.join("seq"), &root.join("probe"), &root.join("data"), &folder]
    {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
    for written in [root.join("seq/00000000000000000042"), folder.join("00000000000000000042-000000")] {
        assert_eq!(mode(&written), 0o600, "{}", written.display());
    }
    assert_eq!(fs::read(root.join("seq/00000000000000000042")).unwrap(), b"x");
    assert_eq!(fs::read_dir(root.join("seq")).unwrap().count(), 1, "no leftovers");
}

#[test]
fn an_endpoint_is_not_dropped_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive");
    let endpoint = Some("http://127.0.0.1:1".to_owned());
    let options = SequenceOptions { endpoint, ..SequenceOptions::default() };
    for address in ["gs://bucket", "memory:endpoint", archive.to_str().unwrap()] {
        let error = Sequence::open(address, &options).unwrap_err();
        assert!(is_refused(&error) && error.to_string().contains("leave the endpoint out"), "{error}");
    }
    assert!(!archive.exists(), "nothing is made");
}

#[test]
fn a_reader_makes_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let read = |root: &Path| {
        let options = SequenceOptions { create: false, ..SequenceOptions::default() };
        Sequence::open(root.to_str().unwrap(), &options)
    };
    for root in [dir.path().join("typo"), dir.path().to_owned()] {
        let error = read(&root).unwrap_err();
        assert!(is_refused(&error), "{error}");
        assert!(error.to_string().ends_with(": there is no archive in this directory"), "{error}");
        assert!(error.to_string().starts_with(root.to_str().unwrap()), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    open(dir.path().to_str().unwrap()).create(Name::Number(1), b"x").unwrap();
    fs::remove_dir(dir.path().join("probe")).unwrap();
    assert_eq!(read(dir.path()).unwrap().read(Name::Number(1), None).unwrap().unwrap(), b"x");
    assert!(!dir.path().join("probe").exists());
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for address in [file.join("sub"), file, "/sys/tierlog".into(), "/proc/tierlog".into()] {
        let error = Sequence::open(address.to_str().unwrap(), &SequenceOptions::default()).unwrap_err();
        assert!(is_refused(&error), "{error}");
        assert!(error.to_string().starts_with(address.to_str().unwrap()), "{error}");
    }
    // Taken away while open.
    let root = dir.path().join("root");
    let sequence = open(root.to_str().unwrap());
    fs::remove_dir(root.join("seq")).unwrap();
    fs::write(root.join("seq"), b"").unwrap();
    let error = sequence.create(Name::Number(1), b"x").unwrap_err();
    assert!(is_refused(&error), "{error}");
    let error = sequence.read(Name::Number(1), None).unwrap_err();
    assert!(is_refused(&error), "{error}");
}

/// A root so deep that an object's path just fits and the file it is written through (`#1`) does not: what is there can
/// be read, and nothing written.
fn deepest(dir: &Path) -> std::path::PathBuf {
    const PATH_MAX: usize = 4095;
    let mut missing = PATH_MAX - dir.as_os_str().len() - "/seq/00000000000000000000".len();
    let mut root = dir.to_owned();
    while missing > 0 {
        let part = if missing > 256 { 200 } else { missing };
        root.push("d".repeat(part - 1));
        missing -= part;
    }
    root
}

#[test]
fn after_a_failure_that_may_have_written_nothing_is_created_until_reopened() {
    let dir = tempfile::tempdir().unwrap();
    let root = deepest(dir.path());
    let sequence = open(root.to_str().unwrap());
    fs::write(root.join("seq/00000000000000000005"), b"ours").unwrap();
    fs::write(root.join("seq/00000000000000000006"), b"theirs").unwrap();

    for number in [4, 6] {
        let error = sequence.create(Name::Number(number), b"ours").unwrap_err().to_string();
        assert!(error.contains("too long"), "nothing of ours is there: {error}");
    }
    let error = sequence.create(Name::Number(5), b"ours").unwrap_err();
    assert!(is_refused(&error) && error.to_string().contains("not known to be durable"), "{error}");
    let error = sequence.create(Name::Number(4), b"ours").unwrap_err();
    assert!(is_refused(&error) && error.to_string().contains("an earlier write"), "{error}");
    assert_eq!(
        sequence.read(Name::Number(5), None).unwrap().as_deref(),
        Some(&b"ours"[..]),
        "reading goes on"
    );
}

#[test]
fn foreign_schemes_and_no_time_are_refused() {
    let error = Sequence::open("swift://bucket/prefix", &SequenceOptions::default()).unwrap_err();
    assert!(is_refused(&error) && error.to_string().contains("memory:NAME"), "{error}");
    let hasty = SequenceOptions { timeout_ms: 0, ..SequenceOptions::default() };
    assert!(is_refused(&Sequence::open("memory:hasty", &hasty).unwrap_err()));
}

#[test]
fn machine_only_where_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "machine") {
        let sequence = open(&address);
        assert!(!sequence.machine_safe());
        assert!(!sequence.describe().contains("Machine"));
        let options = SequenceOptions { accept_local: true, ..SequenceOptions::default() };
        let sequence = Sequence::open(&address, &options).unwrap();
        assert!(sequence.machine_safe());
        assert!(sequence.describe().contains("stands for Machine, as asked for"));
    }
}

#[test]
fn works_on_a_thread_of_another_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let sequence = open(dir.path().to_str().unwrap());
        assert_eq!(sequence.create(Name::Number(1), b"x").unwrap(), Created::Ours);
        assert!(sequence.probe(16).unwrap());
        drop(sequence);
    });
}

#[test]
fn data_objects_are_listed_by_open_and_number_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "data_objects") {
        let sequence = open(&address);
        let name = |incarnation, number, index| DataName { epoch: 3, incarnation, number, index };
        for (incarnation, number, index) in [(1, 9, 0), (1, 10, 1), (1, 10, 0), (2, 10, 0)] {
            sequence.put(Name::Data(name(incarnation, number, index)), vec![7; 100].into()).unwrap();
        }
        assert_eq!(sequence.read(Name::Data(name(1, 9, 0)), Some(40)).unwrap().unwrap(), vec![7; 40]);
        assert_eq!(sequence.read(Name::Data(name(1, 9, 0)), Some(400)).unwrap().unwrap(), vec![7; 100]);
        let mut listed = sequence.list(3, 1, 10).unwrap();
        listed.sort();
        assert_eq!(listed, [name(1, 10, 0), name(1, 10, 1)]);
        assert!(sequence.list(4, 1, 0).unwrap().is_empty());
        for _ in 0..2 {
            sequence.delete(Name::Data(name(1, 10, 0))).unwrap();
        }
        assert_eq!(sequence.read(Name::Data(name(1, 10, 0)), None).unwrap(), None);
        assert_eq!(sequence.list(3, 1, 0).unwrap().len(), 2);
    }
}

#[test]
fn what_is_replaced_is_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    for address in addresses(dir.path(), "replace") {
        let sequence = open(&address);
        assert!(!sequence.replace(Name::Base, Some(b"x"), b"one").unwrap(), "there is none");
        assert!(sequence.replace(Name::Base, None, b"one").unwrap());
        assert!(!sequence.replace(Name::Base, None, b"two").unwrap());
        assert!(!sequence.replace(Name::Base, Some(b"zero"), b"two").unwrap());
        assert!(sequence.replace(Name::Base, Some(b"one"), b"two").unwrap());
        assert_eq!(sequence.read(Name::Base, None).unwrap().unwrap(), b"two");
    }
}

#[test]
fn requests_and_bytes_are_counted() {
    let sequence = open("memory:counted");
    sequence.create(Name::Number(1), b"123").unwrap();
    sequence.create(Name::Number(1), b"4567").unwrap();
    sequence.read(Name::Number(1), None).unwrap();
    sequence.read(Name::Number(2), None).unwrap();
    sequence.list(1, 1, 0).unwrap();
    sequence.delete(Name::Number(1)).unwrap();
    let counts = sequence.counts();
    assert_eq!((counts.puts, counts.gets, counts.lists, counts.deletes), (2, 3, 1, 1), "settling reads");
    assert_eq!((counts.bytes_sent, counts.bytes_received), (7, 6));
}
