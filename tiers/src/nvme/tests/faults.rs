//! System calls that fail, are interrupted or do half the work: injected by strace(1) into a child.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{open_with, pattern, scratch};
use crate::nvme::{Block, DurableWay, FileName, Nvme};

const NAME: FileName = FileName::Segment(7);
const LEN: usize = 64 << 10;

/// What is injected into calls on the file, the way it is written, and what the child must say.
const CASES: &[(&str, DurableWay, &str)] = &[
    ("pwrite64:error=EINTR:when=1+2", DurableWay::Fdatasync, "durable Ok, queue Ok, back true"),
    ("fdatasync:error=EINTR:when=1+2", DurableWay::Fdatasync, "durable Ok, queue Ok, back true"),
    ("pwritev2:error=EINTR:when=1+2", DurableWay::Odsync, "durable Ok, queue Ok, back true"),
    ("pread64:error=EINTR:when=1+2", DurableWay::Fdatasync, "durable Ok, queue Ok, back true"),
    ("fdatasync:error=EIO:when=1", DurableWay::Fdatasync, "durable EIO, queue Ok, back true"),
    ("fdatasync:error=EIO:when=2", DurableWay::Fdatasync, "durable Ok, queue EIO EIO, back true"),
    ("pwrite64:error=EIO:when=1", DurableWay::Fdatasync, "durable EIO, queue Ok, back false"),
    ("pwrite64:error=EIO:when=2", DurableWay::Fdatasync, "durable Ok, queue EIO EIO, back false"),
    ("pwritev2:error=EIO:when=1", DurableWay::Odsync, "durable EIO, queue Ok, back false"),
    ("pwritev2:error=ENOSPC:when=1", DurableWay::Odsync, "durable ENOSPC, queue Ok, back false"),
    ("pread64:error=EIO:when=2", DurableWay::Odsync, "durable Ok, queue Ok, back EIO"),
    // The call is left out and said to have done this much: what is left must be asked for, and no more.
    ("pwrite64:retval=0:when=1", DurableWay::Fdatasync, "durable write zero, queue Ok, back false"),
    ("pwrite64:retval=4096:when=1", DurableWay::Fdatasync, "durable Ok, queue Ok, back false, from 4096"),
    ("pwrite64:retval=5000:when=1", DurableWay::Fdatasync, "durable Ok, queue Ok, back false, from 4096"),
    ("pwrite64:retval=512:when=1", DurableWay::Fdatasync, "durable Ok, queue Ok, back true"),
    ("pwritev2:retval=8192:when=1", DurableWay::Odsync, "durable Ok, queue Ok, back false, from 8192"),
];

/// The child makes the file of this length if it is not there.
const CREATED_BYTES: u64 = 8 << 20;

fn strace_works() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let works = tried.as_ref().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: needs strace and the right to trace: {tried:?}");
    }
    works
}

#[test]
fn an_error_is_told_once_and_an_interruption_never() {
    if !strace_works() {
        return;
    }
    for (fault, way, expected) in CASES {
        let at = scratch(false);
        let dir = open_with(at.path(), |options| options.uring = false);
        drop(dir.create(NAME, 2 * LEN as u64).expect("a file"));
        let said = run_with_fault(at.path(), fault, *way);
        assert_eq!(said.0, *expected, "{fault}");
        let calls = fault.split(':').next().expect("a call");
        assert!(said.1.contains("INJECTED"), "{calls} was never called:\n{}", said.1);
    }
}

#[test]
fn a_creation_cut_short_by_a_kill_is_shorter_than_asked() {
    if !strace_works() {
        return;
    }
    let at = scratch(false);
    let (said, _) = run_with_fault(at.path(), "pwrite64:signal=SIGKILL:when=3", DurableWay::Fdatasync);
    let cut = fs::metadata(at.path().join(NAME.to_string())).expect("begun").len();
    assert!(cut < CREATED_BYTES, "{cut}: {said}");
    let dir = open_with(at.path(), |_| ());
    assert_eq!(dir.open(NAME, true).expect("its lock is gone").len(), cut);
    dir.remove(NAME).expect("removed");
    assert_eq!(dir.create(NAME, CREATED_BYTES).expect("made anew").len(), CREATED_BYTES);
}

/// What the child said, and the trace of the calls on the file.
fn run_with_fault(at: &Path, fault: &str, way: DurableWay) -> (String, String) {
    let trace = tempfile::NamedTempFile::new().expect("a file for the trace");
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(trace.path())
        .arg("-P")
        .arg(at.join(NAME.to_string()))
        .args(["-e", &format!("inject={fault}")])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture", "nvme::tests::faults::write_and_say"])
        .env("TIERLOG_DIR", at)
        .env("TIERLOG_WAY", way.name())
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&child.stdout);
    let said = said.lines().find_map(|line| line.split_once("SAID ")).map(|(_, said)| said.to_owned());
    (said.unwrap_or_else(|| format!("{child:?}")), fs::read_to_string(trace.path()).expect("the trace"))
}

#[test]
#[ignore = "the child of the tests above"]
fn write_and_say() {
    let wanted = std::env::var("TIERLOG_WAY").expect("a way");
    let way = DurableWay::ALL.into_iter().find(|way| way.name() == wanted);
    let dir = open_with(std::env::var("TIERLOG_DIR").expect("a path").as_ref(), |options| {
        options.durable_way = way;
        options.uring = false;
    });
    let file = match dir.files().expect("listed").is_empty() {
        true => dir.create(NAME, CREATED_BYTES).expect("made"),
        false => dir.open(NAME, true).expect("opened"),
    };
    let durable = outcome(file.write_durable(0, &pattern(LEN, 1)));
    let mut queue = dir.queue().expect("a queue");
    let queued = queue.write(&file, LEN as u64, pattern(LEN, 2)).and_then(|()| queue.settle());
    let queued = match outcome(queued) {
        ok if ok == "Ok" => ok,
        first => format!("{first} {}", outcome(queue.settle())),
    };
    println!("SAID durable {durable}, queue {queued}, back {}", read_back(file.as_ref()));
}

fn outcome(outcome: std::io::Result<()>) -> String {
    let Err(error) = outcome else { return "Ok".to_owned() };
    let text = error.to_string();
    let known = [("os error 5)", "EIO"), ("os error 28)", "ENOSPC"), ("os error 4)", "EINTR")];
    known
        .iter()
        .find(|(part, _)| text.contains(part))
        .map_or_else(|| error.kind().to_string(), |(_, name)| (*name).to_owned())
}

/// Whether both runs read back, and if not for a part, from where they do.
fn read_back(file: &dyn crate::nvme::NvmeFile) -> String {
    let mut both = Block::zeroed(LEN);
    let mut whole = true;
    let mut from = None;
    for run in 0..2_u64 {
        if let Err(error) = file.read(run * LEN as u64, &mut both) {
            return outcome(Err(error));
        }
        let expected = pattern(LEN, run + 1);
        whole &= *both == *expected;
        let good = (0..LEN).step_by(4096).find(|&at| both[at..] == expected[at..]);
        from = from.or(good.filter(|&at| at > 0));
    }
    from.map_or_else(|| whole.to_string(), |at| format!("{whole}, from {at}"))
}
