//! Runs the command.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The largest record of a log made by [`Place`].
pub const RECORD_BYTES_MAX: usize = 16 << 10;

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ran {
    /// It must have gone well.
    #[track_caller]
    pub fn done(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.done()).unwrap()
    }

    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_slice(&self.done()).unwrap()
    }

    /// It must have failed with `code`, saying `what`.
    #[track_caller]
    pub fn refused(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{} {}", String::from_utf8_lossy(&self.out), self.err);
        assert!(self.err.contains(what), "{what:?} is not in {:?}", self.err);
    }
}

/// The command, without what the environment could add.
pub fn tierlog() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tierlog"));
    command.env_remove("TIERLOG_DIR").env_remove("RUST_LOG");
    command
}

/// Runs a command with `input` as its standard input.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // One that ends early does not read all of it.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code(), out: output.stdout, err }
}

/// A directory for one test, with a small log in it.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
    flags: &'static [&'static str],
}

impl Place {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// One whose every command has these flags as well.
    pub fn with(flags: &'static [&'static str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let small = "[tail]\nsegment_bytes = 65536\nsegments = 4\n\
                     [nvme]\nsegment_bytes = 262144\nspare_segments = 1\naccept_volatile = true\ndurable = \"fdatasync\"\n";
        std::fs::write(dir.path().join("small.toml"), small).unwrap();
        Place { dir, flags }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command for the log.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.command_in(&self.path("log"), args)
    }

    /// A command for another log.
    pub fn command_in<S: AsRef<OsStr>>(&self, dir: &Path, args: &[S]) -> Command {
        let mut command = tierlog();
        command
            .args(args)
            .arg("--config")
            .arg(self.path("small.toml"))
            .arg("--dir")
            .arg(dir)
            .args(self.flags);
        command
    }

    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args), b"")
    }

    #[track_caller]
    pub fn append(&self, args: &[&str], input: &[u8]) -> Ran {
        run(self.command(&["append"]).args(args), input)
    }

    /// A process that appends what it is given, acknowledging each commit.
    pub fn appending(&self, args: &[&str]) -> Appending {
        let mut command = self.command(&["append", "--acks"]);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn();
        Appending::new(child.unwrap())
    }
}

/// A process that appends; killed if it is dropped.
pub struct Appending {
    child: Child,
    input: Option<ChildStdin>,
    acks: BufReader<ChildStdout>,
}

/// A line of `--acks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    pub lane: u64,
    pub index: u64,
    pub lsn: u64,
    pub gsn: u64,
}

impl Ack {
    #[track_caller]
    pub fn parse(line: &str) -> Ack {
        let fields = line.strip_prefix("ack ").unwrap_or_else(|| panic!("{line:?}")).split(' ');
        let names = ["lane", "index", "lsn", "gsn"].into_iter();
        let field = |(field, name): (&str, &str)| -> u64 {
            let (found, value) = field.split_once('=').unwrap();
            assert_eq!(found, name, "{line:?}");
            value.parse().unwrap()
        };
        let [lane, index, lsn, gsn] = fields.zip(names).map(field).collect::<Vec<_>>().try_into().unwrap();
        Ack { lane, index, lsn, gsn }
    }
}

impl Appending {
    fn new(mut child: Child) -> Self {
        let (input, acks) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Appending { child, input, acks }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the input's end, to be written to elsewhere.
    pub fn input(&mut self) -> ChildStdin {
        self.input.take().unwrap()
    }

    #[track_caller]
    pub fn give(&mut self, input: &[u8]) {
        self.input.as_mut().unwrap().write_all(input).unwrap();
    }

    /// Waits for the next acknowledgement.
    #[track_caller]
    pub fn ack(&mut self) -> Ack {
        let mut line = String::new();
        self.acks.read_line(&mut line).unwrap();
        Ack::parse(line.trim_end())
    }

    /// Reads acknowledgements until there are no more, which is when it is done.
    pub fn drain(mut self) -> Vec<Ack> {
        let acks = self.acks.by_ref().lines().map(|line| Ack::parse(&line.unwrap())).collect();
        self.finish();
        acks
    }

    /// Kills it with SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().code(), None);
    }

    /// Ends its input and waits until it is done.
    #[track_caller]
    pub fn finish(mut self) {
        drop(self.input.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Records behind their lengths.
pub fn framed<R: AsRef<[u8]>>(records: impl IntoIterator<Item = R>) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        out.extend_from_slice(&(record.as_ref().len() as u32).to_le_bytes());
        out.extend_from_slice(record.as_ref());
    }
    out
}

/// `cat --json`, line by line.
#[track_caller]
pub fn records(place: &Place, args: &[&str]) -> Vec<Value> {
    let text = run(place.command(&["cat", "--json"]).args(args), b"").text();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
